"""Where a document overlaps with benchmarks: first in words, then in characters.

A document is scanned whole, whatever its length; the long-document bug of GPT-3 (appendix C) has
no counterpart here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contamination.arrays import IntArray
from contamination.index import NgramTable
from contamination.split import Span
from contamination.words import Words, find_all_words


@dataclass(frozen=True)
class Hits:
    """The n-grams of a table that occur in one text.

    ``positions``: number of the first word of each, ascending. ``ngrams``: which n-gram it is.
    """

    words: Words
    positions: IntArray
    ngrams: IntArray
    ngram_words: int

    def __len__(self) -> int:
        return len(self.positions)

    def spans(self) -> list[Span]:
        """Characters from the first to the last letter of each stretch of overlapping n-grams; those of one reading ascend."""
        first, last = stretches(self.positions, self.ngram_words)
        starts = self.words.starts[self.positions[first]]
        ends = self.words.ends[self.positions[last] + self.ngram_words - 1]
        return list(zip(starts.tolist(), ends.tolist(), strict=True))


def find_hits(text: str, table: NgramTable) -> Hits:
    """The n-grams of the table in a text."""
    words = find_all_words(text)
    return Hits(words, *table.find(words), table.words)


def stretches(positions: IntArray, ngram_words: int, groups: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """First and last index of each run of positions whose n-grams share words with the next one's.

    ``positions`` ascend, within each group where ``groups`` (equal numbers side by side) are given.
    """
    breaks = np.diff(positions) >= ngram_words
    if groups is not None:
        breaks |= np.diff(groups) != 0
    bounds = np.flatnonzero(breaks)
    if len(positions) == 0:
        return bounds, bounds
    return np.concatenate(([0], bounds + 1)), np.append(bounds, len(positions) - 1)
