"""Which documents of a component stay, and which are removed as whose duplicate.

Documents are taken in order of preference (the best copy first). Each is compared with the
documents that share a band with it and were kept before it; it is removed if its own Jaccard
similarity with one of them reaches the threshold, else it is kept. So every removed document
resembles the kept document that is named as its survivor, whatever chain of look-alikes lies
between other members, and the result depends on nothing but the documents.
Imports numba: import this module where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

# Within one bucket a document is compared with the first kept ones only. Buckets hold look-alikes, so
# more kept ones are rare; the limit keeps a bucket of many dissimilar documents (adversarial, or a chance
# collision) linear. Cost: a document that resembles none of the first 16 kept in any of its buckets
# but a later one stays.
MAX_KEPT_COMPARED = 16

MEMBERS = pl.Schema(
    {
        "id": pl.String,
        "source": pl.String,
        "quality_score": pl.Float64,
        "characters": pl.Int64,
        "date": pl.String,
        "digest_high": pl.UInt64,
        "digest_low": pl.UInt64,
    }
)
DECISIONS = pl.Schema(
    {
        "id": pl.String,
        "duplicate_of": pl.String,
        "similarity": pl.Float64,
        "kind": pl.String,  # exact or near
        "cluster_size": pl.Int64,  # the survivor and all documents removed in its favour
        "band": pl.Int64,  # first band that the two share; null for exact duplicates
    },
)


def preference_order(members: pl.DataFrame, source_priority: Sequence[str]) -> pl.DataFrame:
    """The members, best copy first.

    Source (in the order of ``source_priority``, others after it by name, none last), then quality
    score (higher), length in characters (longer), date (earlier), id (smaller).
    """
    listed = {source: place for place, source in reversed(list(enumerate(source_priority)))}
    place = pl.col("source").replace_strict(listed, default=len(listed), return_dtype=pl.Int64)
    return members.sort(
        place,
        "source",
        pl.col("quality_score").fill_nan(None),
        "characters",
        "date",
        "id",
        descending=[False, False, True, True, False, False],
        nulls_last=True,
    )


def decide(
    members: pl.DataFrame,
    band_keys: npt.NDArray[np.uint64],
    shingle_sets: Sequence[npt.NDArray[np.uint64]],
    threshold: float,
    source_priority: Sequence[str],
) -> pl.DataFrame:
    """The removed documents among whole components, as ``DECISIONS``, sorted by id.

    ``members``: columns of ``MEMBERS``. ``band_keys`` (members, bands) and ``shingle_sets`` have one row
    for each member; of the members with equal digests one at least brings its set, the others may
    leave theirs empty. A text too short for shingles has none, and meets equal texts only.
    """
    ordered = preference_order(members.with_row_index("row"), source_priority).with_row_index("rank")
    # Equal texts are one node of the comparison, which has the rank of its best copy.
    ordered = ordered.with_columns(pl.col("rank").min().over("digest_high", "digest_low").alias("best"))
    has_set = np.array([len(shingles) > 0 for shingles in shingle_sets], bool)[ordered["row"].to_numpy()]
    nodes = ordered.filter(pl.Series(has_set)).unique("best", keep="first", maintain_order=True).sort("best")
    rows, best = nodes["row"].to_numpy(), nodes["best"].to_numpy().astype(np.int64)
    kept_for, node_similarity, node_band = _compare(band_keys[rows], [shingle_sets[row] for row in rows], threshold)

    best_of = ordered["best"].to_numpy().astype(np.int64)
    survivor = np.arange(len(ordered))
    survivor[best] = best[kept_for]
    similarity, band = np.ones(len(ordered)), np.full(len(ordered), -1)
    similarity[best], band[best] = node_similarity, node_band
    outcome = ordered.select("id", "rank").with_columns(
        survivor=pl.Series(survivor[best_of]),
        near=pl.Series(survivor[best_of] != best_of),
        similarity=pl.Series(similarity[best_of]),
        band=pl.Series(band[best_of]),
    )
    return (
        outcome.with_columns(cluster_size=pl.len().over("survivor").cast(pl.Int64), duplicate_of=pl.col("id").gather("survivor"))
        .filter(pl.col("rank") != pl.col("survivor"))
        .with_columns(
            kind=pl.when("near").then(pl.lit("near")).otherwise(pl.lit("exact")),
            band=pl.when("near").then("band"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DECISIONS.items())
        .sort("id")
    )


def _compare(
    band_keys: npt.NDArray[np.uint64], shingle_sets: Sequence[npt.NDArray[np.uint64]], threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """For nodes in order of preference: whom each is kept for (itself if it stays), their similarity, their band."""
    bounds = np.zeros(len(shingle_sets) + 1, np.int64)
    np.cumsum([len(shingles) for shingles in shingle_sets], out=bounds[1:])
    shingles = np.concatenate(shingle_sets) if shingle_sets else np.empty(0, np.uint64)
    buckets, bucket_count = _number_buckets(band_keys)
    return _keep_first(buckets, bucket_count, shingles, bounds, threshold, MAX_KEPT_COMPARED)  # type: ignore[no-any-return]


def _number_buckets(band_keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], int]:
    """Bucket of each node in each band, -1 where the node is alone in it; and the number of buckets."""
    buckets = np.full(band_keys.shape, -1, np.int64)
    total = 0
    for band in range(band_keys.shape[1]):
        _, inverse, sizes = np.unique(band_keys[:, band], return_inverse=True, return_counts=True)
        shared = sizes > 1
        numbers = np.where(shared, np.cumsum(shared) - 1 + total, -1)
        buckets[:, band] = numbers[inverse]
        total += int(shared.sum())
    return buckets, total


@njit
def jaccard(one: Any, other: Any) -> Any:
    """Jaccard similarity of two sorted arrays without repetitions; 0 if both are empty."""
    i, j, common = 0, 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            common += 1
            i += 1
            j += 1
        elif one[i] < other[j]:
            i += 1
        else:
            j += 1
    union = len(one) + len(other) - common
    return common / union if union else 0.0


@njit
def _keep_first(buckets: Any, bucket_count: Any, shingles: Any, bounds: Any, threshold: Any, max_kept: Any) -> Any:
    nodes, bands = buckets.shape
    kept = np.full((bucket_count, max_kept), -1, np.int64)
    kept_count = np.zeros(bucket_count, np.int64)
    kept_for = np.arange(nodes)
    similarity, shared_band = np.ones(nodes), np.full(nodes, -1, np.int64)
    compared_with = np.full(nodes, -1, np.int64)  # the last node that was compared with this one
    for node in range(nodes):
        own = shingles[bounds[node] : bounds[node + 1]]
        for band in range(bands):
            bucket = buckets[node, band]
            if bucket < 0:
                continue
            for place in range(kept_count[bucket]):
                candidate = kept[bucket, place]
                # Of several similar survivors the most preferred counts: the smallest number.
                if compared_with[candidate] == node or candidate > kept_for[node]:
                    continue
                compared_with[candidate] = node
                size = bounds[candidate + 1] - bounds[candidate]
                # Sets of too different sizes cannot reach the threshold.
                if min(size, len(own)) / max(size, len(own)) < threshold:
                    continue
                value = jaccard(own, shingles[bounds[candidate] : bounds[candidate + 1]])
                if value >= threshold:
                    kept_for[node], similarity[node], shared_band[node] = candidate, value, band
        if kept_for[node] == node:
            for band in range(bands):
                bucket = buckets[node, band]
                if bucket >= 0 and kept_count[bucket] < max_kept:
                    kept[bucket, kept_count[bucket]] = node
                    kept_count[bucket] += 1
    return kept_for, similarity, shared_band
