"""Gopher's rules on repetition (arXiv 2112.11446, table A1): how much of a document it has said before.

Shares are of all characters of the document, white space included, as in the reference filter of
datatrove. An n-gram of the "top" rules counts with the spaces between its words, one of the
"duplicate" rules without.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.ledger import Reason
from quality_filter.heuristics.batch import Batch, Parts
from quality_filter.heuristics.duplicates import count_duplicate_ngrams, count_duplicate_parts, count_top_ngram
from quality_filter.heuristics.rules import Family, FloatArray, Rule, share

IntArray = npt.NDArray[np.int64]
TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)


class Repetition(NamedTuple):
    """Counts of each document (int64); of parts first how many, then their characters."""

    characters: IntArray
    paragraphs: IntArray
    duplicate_paragraphs: tuple[IntArray, IntArray]
    lines: IntArray
    duplicate_lines: tuple[IntArray, IntArray]
    top_ngrams: dict[int, IntArray]
    duplicate_ngrams: dict[int, IntArray]


def count(batch: Batch, _urls: list[str], settings: Any) -> Repetition:
    """What the rules that are on need; rules that are off cost nothing."""
    top = [words for words in TOP_NGRAMS if getattr(settings, f"max_top_{words}_gram") is not None]
    duplicate = [words for words in DUPLICATE_NGRAMS if getattr(settings, f"max_duplicate_{words}_grams") is not None]
    return Repetition(
        batch.characters,
        _number(batch.paragraphs),
        count_duplicate_parts(*batch.paragraphs),
        _number(batch.lines),
        count_duplicate_parts(*batch.lines),
        {words: count_top_ngram(*batch.words, words) for words in top},
        {words: count_duplicate_ngrams(*batch.words, words) for words in duplicate},
    )


def _number(parts: Parts) -> IntArray:
    return np.diff(parts.bounds)


def duplicate_paragraphs(counts: Repetition) -> FloatArray:
    """Share of the paragraphs that occurred before."""
    return share(counts.duplicate_paragraphs[0], counts.paragraphs)


def duplicate_paragraph_characters(counts: Repetition) -> FloatArray:
    """Share of the characters that stand in such paragraphs."""
    return share(counts.duplicate_paragraphs[1], counts.characters)


def duplicate_lines(counts: Repetition) -> FloatArray:
    """Share of the lines that occurred before."""
    return share(counts.duplicate_lines[0], counts.lines)


def duplicate_line_characters(counts: Repetition) -> FloatArray:
    """Share of the characters that stand in such lines."""
    return share(counts.duplicate_lines[1], counts.characters)


def top_ngram(words: int) -> Rule:
    """The rule on the share of the characters that the most frequent n-gram covers."""

    def value(counts: Repetition) -> FloatArray:
        return share(counts.top_ngrams[words], counts.characters)

    return Rule(Reason(f"gopher_top_{words}_gram"), f"max_top_{words}_gram", value)


def duplicate_ngrams(words: int) -> Rule:
    """The rule on the share of the characters that stand in n-grams that occurred before."""

    def value(counts: Repetition) -> FloatArray:
        return share(counts.duplicate_ngrams[words], counts.characters)

    return Rule(Reason(f"gopher_duplicate_{words}_grams"), f"max_duplicate_{words}_grams", value)


FAMILY = Family(
    "gopher_repetition",
    count,
    (
        Rule(Reason.GOPHER_DUPLICATE_PARAGRAPHS, "max_duplicate_paragraphs", duplicate_paragraphs),
        Rule(Reason.GOPHER_DUPLICATE_PARAGRAPH_CHARACTERS, "max_duplicate_paragraph_characters", duplicate_paragraph_characters),
        Rule(Reason.GOPHER_DUPLICATE_LINES, "max_duplicate_lines", duplicate_lines),
        Rule(Reason.GOPHER_DUPLICATE_LINE_CHARACTERS, "max_duplicate_line_characters", duplicate_line_characters),
        *(top_ngram(words) for words in TOP_NGRAMS),
        *(duplicate_ngrams(words) for words in DUPLICATE_NGRAMS),
    ),
)
