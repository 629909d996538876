"""Which documents are held out for validation, and which ones the tokenizer learns from.

Both are functions of (seed, document id), so they do not depend on shards, order or workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from curation.draws import draw_integer
from curation.errors import InputError

TRAIN = "train"
VALIDATION = "validation"
SPLITS = (TRAIN, VALIDATION)
KEY_BITS = 64


def document_keys(seed: int, purpose: str, document_ids: Iterable[str]) -> np.ndarray:
    """Uniform integers below 2^64, uint64: one of each id, independent between purposes."""
    return np.array([draw_integer(seed, purpose, document_id) for document_id in document_ids], dtype=np.uint64)


def whole_document_ids(documents: pl.DataFrame) -> pl.Series:
    """Id of the document that each row is, or is a piece of: pieces share their parent's fate."""
    return documents.select(pl.coalesce(pl.col("pieces").struct.field("parent"), pl.col("id"))).to_series()


def is_validation(documents: pl.DataFrame, seed: int, fraction: float) -> np.ndarray:
    """Whether each document is held out, bool of shape (documents,); pieces follow their parent."""
    keys = document_keys(seed, VALIDATION, whole_document_ids(documents))
    return keys < np.uint64(int(fraction * 2.0**KEY_BITS))


def check_split(statistics: Iterable[Mapping[str, Any]], context_length: int) -> dict[str, dict[str, dict[str, int]]]:
    """Sums over shards of the stage's statistics: source, split, then documents, tokens, text_bytes.

    Raises:
        InputError: no source has the ``context_length`` + 1 tokens of one sequence for training,
            or for validation.
    """
    totals: dict[str, dict[str, dict[str, int]]] = {}
    for shard in statistics:
        for source, splits in shard["sources"].items():
            for split, counts in splits.items():
                total = totals.setdefault(source, {}).setdefault(split, dict.fromkeys(counts, 0))
                for name, count in counts.items():
                    total[name] += count
    for split, remedy in (
        (TRAIN, "give more documents, lower tokenize.validation_fraction, or shorten train.context_length"),
        (VALIDATION, "raise tokenize.validation_fraction, or give more documents"),
    ):
        longest = max((splits[split]["tokens"] for splits in totals.values() if split in splits), default=0)
        if longest < context_length + 1:
            too_small = f"is too small: its largest source has {longest} tokens, one sequence needs {context_length + 1}"
            raise InputError(f"the {split} split {too_small if longest else 'is empty'}; {remedy}")
    return {source: totals[source] for source in sorted(totals)}
