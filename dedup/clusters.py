"""Which documents of a component stay, and which are removed as whose duplicate.

Documents are taken in order of preference (the best copy first). Each is compared with the
documents that share a band with it and were kept before it; it is removed if its own similarity
with one of them reaches the threshold, else it is kept. So every removed document resembles the
kept document that is named as its survivor, whatever chain of look-alikes lies between other
members, and the result depends on nothing but the documents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

# Within one bucket of a component a document is compared with the first kept ones only. A component
# holds look-alikes, so more kept ones are rare; the limit keeps a long chain of them linear. Cost: a
# document that resembles none of the first 16 kept in any of its buckets but a later one stays.
MAX_KEPT_COMPARED = 16
CHUNK_DOCUMENTS = 20_000  # documents whose shingles are read at a time; beside them only those of kept documents are held
# Without the Z, before which the fraction of a second would stand.
DATE = pl.col("date").str.strip_suffix("Z")
INDEXED = -1  # shard of a document that an index holds: it stays, whatever it resembles

Sets = npt.NDArray[np.uint64]
# The sets of some rows, one after the other; called with ascending order of preference.
ReadSets = Callable[[npt.NDArray[np.int64]], Sets]

MEMBERS = pl.Schema(
    {
        "id": pl.String,
        "source": pl.String,
        "quality_score": pl.Float64,
        "characters": pl.Int64,
        "date": pl.String,
        "excerpt": pl.String,
        "digest_high": pl.UInt64,
        "digest_low": pl.UInt64,
        "shard": pl.Int64,
    }
)
DECISIONS = pl.Schema(
    {
        "id": pl.String,
        "shard": pl.Int64,
        "duplicate_of": pl.String,
        "indexed": pl.Boolean,  # whether an index holds the survivor
        "similarity": pl.Float64,  # null for another document of the same address
        "kind": pl.String,  # exact, near or address
        "cluster_size": pl.Int64,  # the survivor and all documents removed in its favour
        "band": pl.Int64,  # first band that the two share; null for exact duplicates
        "excerpt": pl.String,
        "survivor_excerpt": pl.String,
    },
)


def preference_order(members: pl.DataFrame, source_priority: Sequence[str]) -> pl.DataFrame:
    """The members, best copy first.

    What an index holds; then source (in the order of ``source_priority``, others after it by name,
    none last), quality score (higher), length in characters (longer), date (earlier), id (smaller).
    """
    listed = {source: place for place, source in reversed(list(enumerate(source_priority)))}
    place = pl.col("source").replace_strict(listed, default=len(listed), return_dtype=pl.Int64)
    return members.sort(
        pl.col("shard") != INDEXED,
        place,
        "source",
        pl.col("quality_score").fill_nan(None),
        "characters",
        DATE,
        "id",
        descending=[False, False, False, True, True, False, False],
        nulls_last=True,
    )


def decide(
    members: pl.DataFrame,
    components: npt.NDArray[np.uint32],
    band_keys: npt.NDArray[np.uint64],
    sizes: npt.NDArray[np.int64],
    read_sets: ReadSets,
    threshold: float,
    source_priority: Sequence[str],
    estimated: bool = False,
) -> pl.DataFrame:
    """The removed documents among whole components, as ``DECISIONS``, sorted by id.

    ``members``: columns of ``MEMBERS``. ``components``, ``band_keys`` (members, bands) and ``sizes``, of
    the shingle sets, have one row for each member; of the members with equal digests one at least
    brings its set, the others may leave theirs empty. A text too short for shingles has none, and
    meets equal texts only. ``estimated``: the sets are whole signatures, and similarity is the share
    of equal rows.
    """
    ordered = preference_order(members.with_row_index("row"), source_priority).with_row_index("rank")
    # Equal texts are one node of the comparison, which has the rank of its best copy.
    ordered = ordered.with_columns(pl.col("rank").min().over("digest_high", "digest_low").alias("best"))
    has_set = (sizes > 0)[ordered["row"].to_numpy()]
    nodes = ordered.filter(pl.Series(has_set)).unique("best", keep="first", maintain_order=True).sort("best")
    rows, best = nodes["row"].to_numpy().astype(np.int64), nodes["best"].to_numpy().astype(np.int64)
    indexed = int(np.searchsorted(best, int((ordered["shard"] == INDEXED).sum())))
    buckets, bucket_count = _number_buckets(components[rows], band_keys[rows])
    kept_for, node_similarity, node_band = _compare(rows, indexed, buckets, bucket_count, sizes, read_sets, threshold, estimated)

    best_of = ordered["best"].to_numpy().astype(np.int64)
    survivor = np.arange(len(ordered))
    survivor[best] = best[kept_for]
    similarity, band = np.ones(len(ordered)), np.full(len(ordered), -1)
    similarity[best], band[best] = node_similarity, node_band
    outcome = ordered.select("id", "rank", "shard", "excerpt").with_columns(
        survivor=pl.Series(survivor[best_of]),
        near=pl.Series(survivor[best_of] != best_of),
        similarity=pl.Series(similarity[best_of]),
        band=pl.Series(band[best_of]),
    )
    removed = (pl.col("rank") != pl.col("survivor")) & (pl.col("shard") != INDEXED)
    return (
        outcome.with_columns(
            cluster_size=1 + removed.sum().over("survivor").cast(pl.Int64),
            duplicate_of=pl.col("id").gather("survivor"),
            indexed=pl.col("shard").gather("survivor") == INDEXED,
            survivor_excerpt=pl.col("excerpt").gather("survivor"),
        )
        .filter(removed)
        .with_columns(
            kind=pl.when("near").then(pl.lit("near")).otherwise(pl.lit("exact")),
            band=pl.when("near").then("band"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DECISIONS.items())
        .sort("id")
    )


def _number_buckets(components: npt.NDArray[np.uint32], band_keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int32], int]:
    """Bucket of each node in each band, -1 where the node is alone in it; and the number of buckets.

    Documents of different components share no bucket, so it does not matter which components are decided together.
    """
    buckets = np.full(band_keys.shape, -1, np.int32)
    total = 0
    for band in range(band_keys.shape[1]):
        columns: list[npt.NDArray[Any]] = [band_keys[:, band], components]
        order = np.lexsort(columns)
        keys, owners = band_keys[order, band], components[order]
        begins = np.ones(len(order), bool)
        begins[1:] = (keys[1:] != keys[:-1]) | (owners[1:] != owners[:-1])
        first = np.flatnonzero(begins)
        shared = np.diff(first, append=len(order)) > 1
        numbers = np.where(shared, np.cumsum(shared) - 1 + total, -1)
        buckets[order, band] = numbers[np.cumsum(begins) - 1]
        total += int(shared.sum())
    return buckets, total


def _compare(
    rows: npt.NDArray[np.int64],
    indexed: int,
    buckets: npt.NDArray[np.int32],
    bucket_count: int,
    sizes: npt.NDArray[np.int64],
    read_sets: ReadSets,
    threshold: float,
    estimated: bool,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """For nodes in order of preference: whom each is kept for (itself if it stays), their similarity, their band.

    ``rows``: member of each node. The first ``indexed`` nodes stay unasked.
    """
    from dedup.comparison import keep_first

    kept_for = np.arange(len(rows))
    similarity, band = np.ones(len(rows)), np.full(len(rows), -1, np.int64)
    compared_with = np.full(len(rows), -1, np.int64)
    slots, slots_used = np.full((bucket_count, MAX_KEPT_COMPARED), -1, np.int32), np.zeros(bucket_count, np.int32)
    # The sets of the nodes that are in a slot: node n has store[spans[n, 0] : spans[n, 1]].
    store, spans, used = np.empty(0, np.uint64), np.zeros((len(rows), 2), np.int64), 0
    for first in range(0, len(rows), CHUNK_DOCUMENTS):
        chunk = rows[first : first + CHUNK_DOCUMENTS]
        bounds = np.zeros(len(chunk) + 1, np.int64)
        np.cumsum(sizes[chunk], out=bounds[1:])
        sets = read_sets(chunk)
        if used + len(sets) > len(store):
            store = np.concatenate([store[:used], np.empty(max(used, len(sets)), np.uint64)])
        used = keep_first(
            first, indexed, buckets, sets, bounds, threshold, estimated,
            kept_for, similarity, band, compared_with, slots, slots_used, store, spans, used,
        )  # fmt: skip
    return kept_for, similarity, band
