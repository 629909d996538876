"""Which documents the classifier is trained on, and which are held out to measure it.

Positives are the documents of one source, negatives a sample of the others that nobody chose to share. A document's place in
every sample is a number drawn by its id, so that a sample is "the smallest numbers" and each shard
can contribute to it alone. The functions ``survey_*`` and ``read_labelled`` are run by the workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.draws import draw_integer, draw_uniform
from curation.errors import InputError
from curation.shards import Shard, read_shard
from curation.sources.urls import canonical_key, host_of
from quality_filter.text import classifier_line, classifier_words

SAMPLE_PURPOSE = "sample"
HOLDOUT_PURPOSE = "holdout"
COLUMNS = ["id", "source", "url", "karma", "text"]
LABELLED = pl.Schema(
    {
        "id": pl.String,
        "positive": pl.Boolean,
        "order": pl.UInt64,  # place in the sample and in training
        "by_host": pl.Float64,  # held-out draw of the page's host, or of the id where there is no address
        "by_id": pl.Float64,  # held-out draw of the id
        "characters": pl.Int64,
        "line": pl.String,
    }
)
Integers = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Labelling:
    """What labels a document and normalises its text; the same for every shard."""

    seed: int
    positive_source: str
    min_words: int
    max_words: int
    max_documents: int  # of each class


@dataclass(frozen=True)
class Positives:
    """What one shard, or all, know of the positives: places in the sample, and digests of texts and addresses."""

    orders: Integers
    digests: Integers


def survey_positives(labelling: Labelling, shard: Shard) -> Positives:
    """Places in the sample of a shard's positives (the smallest only), and digests of all their texts and addresses."""
    orders, digests = [], []
    for row in _labelled_rows(labelling, shard, positive=True):
        orders.append(row.order)
        digests += row.digests()
    return Positives(_smallest(np.array(orders, np.uint64), labelling.max_documents), np.unique(np.array(digests, np.uint64)))


def survey_negatives(labelling: Labelling, positive_digests_file: str, shard: Shard) -> Integers:
    """Places in the sample of a shard's negatives, the smallest only; copies of positives are left out."""
    known = np.load(positive_digests_file, mmap_mode="r")
    orders = [row.order for row in _labelled_rows(labelling, shard, positive=False) if not row.is_among(known)]
    return _smallest(np.array(orders, np.uint64), labelling.max_documents)


def merge_orders(parts: Iterator[Integers], count: int) -> Integers:
    """The ``count`` smallest of all parts, ascending; memory for about twice as many."""
    merged = np.empty(0, np.uint64)
    for part in parts:
        if len(merged) == count:
            part = part[part < merged[-1]]
        if len(part):
            merged = _smallest(np.concatenate([merged, part]), count)
    return merged


def read_labelled(labelling: Labelling, positive_digests_file: str, last: tuple[int, int], shard: Shard) -> pl.DataFrame:
    """The documents of a shard that are in the sample, as ``LABELLED``.

    ``last``: the largest place in the sample that belongs to it, of positives and of negatives.
    """
    known = np.load(positive_digests_file, mmap_mode="r")
    rows = [
        row.to_dict(labelling.seed, positive)
        for positive, largest in ((True, last[0]), (False, last[1]))
        for row in _labelled_rows(labelling, shard, positive)
        if row.order <= largest and (positive or not row.is_among(known))
    ]
    return pl.DataFrame(rows, schema=LABELLED)


def balance(labelled: pl.DataFrame) -> pl.DataFrame:
    """The sample without repeated lines and with as many positives as negatives, in training order."""
    distinct = labelled.sort("order", "id").unique("line", keep="first", maintain_order=True)
    count = distinct["positive"].value_counts()["count"].min() if distinct["positive"].n_unique() == 2 else 0
    return distinct.filter(pl.int_range(pl.len()).over("positive") < count)


def split_holdout(balanced: pl.DataFrame, fraction: float) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Training documents, held-out documents, and by what they were parted: host, or id.

    All pages of a host fall on one side. Where that leaves a class without documents on one side,
    the share ``fraction`` of each class with the smallest draws by id is held out, one document at least.

    Raises:
        InputError: a class has fewer than two documents.
    """
    counts = {positive: int((balanced["positive"] == positive).sum()) for positive in (True, False)}
    if min(counts.values()) < 2:
        raise InputError(
            f"too few documents to train a classifier: {counts[True]} positives and {counts[False]} negatives of distinct text after "
            "balancing, two of each are needed; add files to filter.positives or inputs, or give filter.model"
        )
    held_out = balanced["by_host"] < fraction
    if balanced.group_by(held_out.alias("held_out"), "positive").len().height == 4:
        return balanced.filter(~held_out), balanced.filter(held_out), "host"
    quota = np.clip(round(fraction * counts[True]), 1, counts[True] - 1)
    chosen = balanced.select(pl.col("by_id").rank("ordinal").over("positive") <= quota).to_series()
    return balanced.filter(~chosen), balanced.filter(chosen), "id"


@dataclass(frozen=True)
class _Row:
    id: str
    order: int
    key: str | None  # canonical address
    characters: int
    line: str

    def digests(self) -> list[int]:
        """64-bit digests of the normalised text and, where there is one, the address."""
        return [_digest(f"text {self.line}"), *([_digest(f"url {self.key}")] if self.key else [])]

    def is_among(self, known: Integers) -> bool:
        """Whether text or address is one of the sorted digests."""
        digests = np.array(self.digests(), np.uint64)
        places = np.searchsorted(known, digests)
        return bool((known[np.minimum(places, len(known) - 1)] == digests).any()) if len(known) else False

    def to_dict(self, seed: int, positive: bool) -> dict[str, object]:
        host = f"host {host_of(self.key)}" if self.key else f"id {self.id}"
        return {
            "id": self.id,
            "positive": positive,
            "order": self.order,
            "by_host": draw_uniform(seed, HOLDOUT_PURPOSE, host),
            "by_id": draw_uniform(seed, HOLDOUT_PURPOSE, f"id {self.id}"),
            "characters": self.characters,
            "line": self.line,
        }


def _labelled_rows(labelling: Labelling, shard: Shard, positive: bool) -> Iterator[_Row]:
    """The documents of one class that are long enough. Pages that people shared are no raw pages, so they are in neither."""
    frame = read_shard(shard, COLUMNS)
    curated = (pl.col("source") == labelling.positive_source).fill_null(False)
    chosen = frame.filter(curated if positive else ~curated & pl.col("karma").is_null())
    for document_id, url, text in chosen.select("id", "url", "text").iter_rows():
        words = classifier_words(text or "", labelling.max_words)
        if len(words) >= labelling.min_words:
            order = draw_integer(labelling.seed, SAMPLE_PURPOSE, document_id)
            yield _Row(document_id, order, canonical_key(url) if url else None, len(text), classifier_line(words))


def _digest(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "little")


def _smallest(values: Integers, count: int) -> Integers:
    return np.sort(values)[:count]
