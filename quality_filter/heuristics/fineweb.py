"""FineWeb's rules on lines (arXiv 2406.17557, 3.6): lists, menus and repeated lines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.ledger import Reason
from quality_filter.heuristics.batch import Batch, Parts
from quality_filter.heuristics.characters import SPACE, TERMINAL, character_flags
from quality_filter.heuristics.duplicates import count_duplicate_parts
from quality_filter.heuristics.rules import Family, FloatArray, Rule, share

IntArray = npt.NDArray[np.int64]
NEWLINE = ord("\n")


class Lines(NamedTuple):
    """Counts of each document (int64); lines of nothing but white space are no lines here."""

    lines: IntArray
    punctuated_lines: IntArray
    short_lines: IntArray
    duplicate_characters: IntArray
    characters: IntArray  # newlines left out
    newlines: IntArray
    words: IntArray


def count(batch: Batch, _urls: list[str], settings: Any) -> Lines:
    """What the rules need."""
    lines, flags = _written_lines(batch), character_flags()
    newlines = _sum_by_document(batch.codes == NEWLINE, batch.bounds)
    return Lines(
        np.diff(lines.bounds),
        _sum_by_document(flags[batch.codes[lines.ends - 1]] & TERMINAL > 0, lines.bounds),
        _sum_by_document(lines.ends - lines.starts <= settings.short_line_characters, lines.bounds),
        count_duplicate_parts(*lines)[1],
        batch.characters - newlines,
        newlines,
        np.diff(batch.words.bounds),
    )


def _written_lines(batch: Batch) -> Parts:
    """The lines that hold more than white space, as they stand in the text."""
    lines = batch.lines
    written = np.zeros(len(batch.codes) + 1, np.int64)  # characters that are no white space, before each place
    np.cumsum(character_flags()[batch.codes] & SPACE == 0, out=written[1:])
    kept = written[lines.ends] > written[lines.starts]
    return Parts(lines.starts[kept], lines.ends[kept], lines.hashes[kept], _bounds_among(kept, lines.bounds))


def _bounds_among(kept: npt.NDArray[np.bool_], bounds: IntArray) -> IntArray:
    before = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=before[1:])
    return before[bounds]


def _sum_by_document(marks: npt.NDArray[np.bool_], bounds: IntArray) -> IntArray:
    return np.diff(_bounds_among(marks, bounds))


def punctuated_lines(counts: Lines) -> FloatArray:
    """Share of the lines that end with terminal punctuation of any script."""
    return share(counts.punctuated_lines, counts.lines)


def short_lines(counts: Lines) -> FloatArray:
    """Share of the lines that are short."""
    return share(counts.short_lines, counts.lines)


def duplicate_line_characters(counts: Lines) -> FloatArray:
    """Share of the characters, newlines left out, that stand in lines that occurred before."""
    return share(counts.duplicate_characters, counts.characters)


def newlines(counts: Lines) -> FloatArray:
    """Newlines a word."""
    return share(counts.newlines, counts.words)


FAMILY = Family(
    "fineweb",
    count,
    (
        Rule(Reason.FINEWEB_FEW_PUNCTUATED_LINES, "min_punctuated_lines", punctuated_lines),
        Rule(Reason.FINEWEB_SHORT_LINES, "max_short_lines", short_lines),
        Rule(Reason.FINEWEB_DUPLICATE_LINE_CHARACTERS, "max_duplicate_line_characters", duplicate_line_characters),
        Rule(Reason.FINEWEB_NEWLINES, "max_newlines", newlines),
    ),
)
