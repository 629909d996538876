"""Where a document overlaps with benchmarks: first in words, then in characters.

A document is scanned whole, whatever its length; the long-document bug of GPT-3 (appendix C) has
no counterpart here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contamination.arrays import IntArray
from contamination.index import NgramTable
from contamination.split import Span
from contamination.words import Words, find_all_words


@dataclass(frozen=True)
class Hits:
    """The n-grams of one table that occur in a text.

    ``positions``: number of the first word of each, ascending. ``ngrams``: which n-gram it is.
    """

    words: Words
    positions: IntArray
    ngrams: IntArray
    table: NgramTable

    def spans(self) -> list[Span]:
        """Characters from the first to the last letter of each stretch of overlapping n-grams; those of one reading ascend."""
        first, last = stretches(self.positions, self.table.words)
        starts = self.words.starts[self.positions[first]]
        ends = self.words.ends[self.positions[last] + self.table.words - 1]
        return list(zip(starts.tolist(), ends.tolist(), strict=True))


def find_hits(text: str, tables: Sequence[NgramTable]) -> list[Hits]:
    """The n-grams of the tables in a text, one ``Hits`` for each table that has any there."""
    words = find_all_words(text)
    found = [Hits(words, *table.find(words), table) for table in tables]
    return [hits for hits in found if len(hits.positions)]


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
