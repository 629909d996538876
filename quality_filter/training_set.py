"""Which documents the classifier is trained on.

Positives are the documents of one source, negatives a sample of the others that nobody chose to share. A document's place in
every sample is a number drawn by its id, so that a sample is "the smallest numbers" and each shard
can contribute to it alone. The functions ``survey_*`` and ``read_labelled`` are run by the workers.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.draws import draw_integer
from curation.errors import InputError, UsageError
from curation.recipe import FilterSettings
from curation.shards import Shard, read_shard
from curation.sources.urls import canonical_key
from curation.stage import Corpus
from quality_filter.text import normalise

SAMPLE_PURPOSE = "sample"
MIN_DOCUMENTS = 2  # of each class: one to learn from where the other is scored
COLUMNS = ["id", "source", "url", "file_path", "karma", "text"]
LABELLED = pl.Schema(
    {
        "id": pl.String,
        "url": pl.String,
        "file_path": pl.String,
        "positive": pl.Boolean,
        "order": pl.UInt64,  # place in the sample and in training
        "characters": pl.Int64,  # of the whole text
        "line_length": pl.Float64,  # mean characters of the text's lines that are not blank
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

    @classmethod
    def of(cls, settings: FilterSettings, seed: int) -> Labelling:
        """The labelling of a recipe."""
        return cls(seed, settings.positive_source, settings.min_words, settings.max_words, settings.max_training_documents)


@dataclass(frozen=True)
class Positives:
    """What one shard, or all, know of the positives: places in the sample, and digests of texts and addresses."""

    orders: Integers
    digests: Integers


def sample_documents(corpus: Corpus, settings: FilterSettings, seed: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """The labelled training documents, and how many of each class they were drawn from (``max_training_documents`` at most).

    Raises:
        UsageError: there is no curated text in the corpus.
        InputError: no raw page is left, or there are too few documents of a class.
    """
    labelling = Labelling.of(settings, seed)
    corpus.progress("looking for curated texts")
    surveys = list(corpus.map(functools.partial(survey_positives, labelling), corpus.shards))
    positives = merge_orders((survey.orders for survey in surveys), labelling.max_documents)
    if not len(positives):
        raise UsageError(
            f"filter: no document of at least {settings.min_words} words has source {settings.positive_source!r}, so there is "
            "nothing to train the classifier on; set filter.positives to curated texts, or filter.model to a trained model"
        )
    digests_file = f"{corpus.scratch()}/positives.npy"
    np.save(digests_file, np.unique(np.concatenate([survey.digests for survey in surveys])))
    corpus.progress("sampling raw pages")
    parts = corpus.map(functools.partial(survey_negatives, labelling, digests_file), corpus.shards)
    negatives = merge_orders(parts, labelling.max_documents)
    if not len(negatives):
        raise InputError(
            f"filter: no raw document is left to train the classifier on: all are of source {settings.positive_source!r}, shorter than "
            f"{settings.min_words} words, or copies of curated texts; add inputs, or set filter.model"
        )
    last = (int(positives[-1]), int(negatives[-1]))
    frames = corpus.map(functools.partial(read_labelled, labelling, digests_file, last), corpus.shards)
    labelled = pl.concat([pl.DataFrame(schema=LABELLED), *frames])
    return balance(labelled, settings.class_ratio), {"positives": len(positives), "negatives": len(negatives)}


def survey_positives(labelling: Labelling, shard: Shard) -> Positives:
    """Places in the sample of a shard's positives (the smallest only), and digests of all their texts and addresses."""
    rows = _labelled_rows(labelling, shard, positive=True)
    digests = np.unique(np.concatenate([_text_digests(rows), _address_digests(rows)]))
    return Positives(_smallest(rows["order"].to_numpy(), labelling.max_documents), digests[digests != 0])


def survey_negatives(labelling: Labelling, positive_digests_file: str, shard: Shard) -> Integers:
    """Places in the sample of a shard's negatives, the smallest only; copies of positives are left out."""
    return _smallest(_negatives(labelling, positive_digests_file, shard)["order"].to_numpy(), labelling.max_documents)


def merge_orders(parts: Iterable[Integers], count: int) -> Integers:
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
    positives = _labelled_rows(labelling, shard, positive=True).filter(pl.col("order") <= last[0])
    negatives = _negatives(labelling, positive_digests_file, shard).filter(pl.col("order") <= last[1])
    return pl.concat([positives, negatives])


def balance(labelled: pl.DataFrame, class_ratio: float) -> pl.DataFrame:
    """The sample without repeated lines and with ``class_ratio`` negatives for each positive, in training order.

    Raises:
        InputError: a class has too few documents.
    """
    distinct = labelled.sort("order", "id").unique("line", keep="first", maintain_order=True)
    found = int(distinct["positive"].sum())
    positives = min(found, math.ceil((len(distinct) - found) / class_ratio))
    negatives = min(len(distinct) - found, math.ceil(positives * class_ratio))
    if min(positives, negatives) < MIN_DOCUMENTS:
        raise InputError(
            f"too few documents to train a classifier: {positives} positives and {negatives} negatives of distinct text after "
            "balancing, two of each are needed; add files to filter.positives or inputs, or give filter.model"
        )
    place = pl.int_range(pl.len()).over("positive")
    return distinct.filter(place < pl.when("positive").then(positives).otherwise(negatives))


# --- one shard ------------------------------------------------------------------------------------


def _labelled_rows(labelling: Labelling, shard: Shard, positive: bool) -> pl.DataFrame:
    """The documents of one class that are long enough. Pages that people shared are no raw pages, so they are in neither."""
    frame = read_shard(shard, COLUMNS)
    curated = (pl.col("source") == labelling.positive_source).fill_null(False)
    chosen = frame.filter(curated if positive else ~curated & pl.col("karma").is_null())
    lines = normalise(chosen["text"].to_list(), labelling.max_words)
    text = pl.col("text").fill_null("")
    filled = text.str.count_matches(r"(?m)^.*\S.*$")
    rows = chosen.with_columns(
        positive=pl.lit(positive),
        order=pl.Series([draw_integer(labelling.seed, SAMPLE_PURPOSE, each) for each in chosen["id"]], dtype=pl.UInt64),
        characters=text.str.len_chars().cast(pl.Int64),
        line_length=(text.str.len_chars() / filled.clip(1)).cast(pl.Float64),
        line=pl.Series(lines.texts(), dtype=pl.String),
    )
    return rows.filter(pl.Series(lines.words >= labelling.min_words, dtype=pl.Boolean)).select(LABELLED.names())


def _negatives(labelling: Labelling, positive_digests_file: str, shard: Shard) -> pl.DataFrame:
    """Raw documents whose text and address are no positive's."""
    known = np.load(positive_digests_file, mmap_mode="r")
    rows = _labelled_rows(labelling, shard, positive=False)
    return rows.filter(pl.Series(~(_is_among(_text_digests(rows), known) | _is_among(_address_digests(rows), known)), dtype=pl.Boolean))


def _text_digests(rows: pl.DataFrame) -> Integers:
    """64-bit digests of the normalised texts."""
    return np.array([_digest(f"text {line}") for line in rows["line"]], np.uint64)


def _address_digests(rows: pl.DataFrame) -> Integers:
    """64-bit digests of the addresses; 0 where there is none."""
    keys = (canonical_key(url) if url else None for url in rows["url"])
    return np.array([_digest(f"url {key}") if key else 0 for key in keys], np.uint64)


def _is_among(digests: Integers, known: Integers) -> npt.NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(digests), bool)
    places = np.minimum(np.searchsorted(known, digests), len(known) - 1)
    return np.asarray(known[places] == digests)


def _digest(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "little")


def _smallest(values: Integers, count: int) -> Integers:
    return np.sort(values)[:count]
