"""Where a document overlaps with benchmarks: first in words, then in characters.

A document is scanned whole, whatever its length; the long-document bug of GPT-3 (appendix C) has
no counterpart here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contamination.arrays import IntArray
from contamination.index import NgramTable, OverlapIndex
from contamination.key_filter import KeyFilter
from contamination.split import Span
from contamination.words import Words, find_all_words


@dataclass(frozen=True)
class Hits:
    """The n-grams of one table that occur in a text.

    ``positions``: number of the first word of each, ascending. ``ngrams``: which n-gram it is. ``number``: of the
    table among those that were looked for.
    """

    words: Words
    positions: IntArray
    ngrams: IntArray
    table: NgramTable
    number: int

    def spans(self) -> list[Span]:
        """Characters from the first to the last letter of each stretch of overlapping n-grams; those of one reading ascend."""
        first, last = stretches(self.positions, self.table.words)
        starts = self.words.starts[self.positions[first]]
        ends = self.words.ends[self.positions[last] + self.table.words - 1]
        return list(zip(starts.tolist(), ends.tolist(), strict=True))


@dataclass(frozen=True)
class _Group:
    """Numbered tables whose n-grams are looked for by runs of the same length. ``shortest``: words of their shortest n-gram."""

    run_words: int
    runs: KeyFilter
    shortest: int
    tables: list[tuple[int, NgramTable]]


class Scan:
    """Looks for the n-grams of some tables of an index in texts: one pass over a text for all tables with runs of the same length."""

    def __init__(self, index: OverlapIndex, tables: Sequence[NgramTable]) -> None:
        self._groups: list[_Group] = []
        for run_words in sorted({table.run_words for table in tables}):
            own = [(number, table) for number, table in enumerate(tables) if table.run_words == run_words]
            self._groups.append(_Group(run_words, index.runs[run_words], min(table.words for _, table in own), own))

    def find(self, text: str) -> list[Hits]:
        """The n-grams in a text, one ``Hits`` for each table that has any there, in the order of the tables."""
        from contamination.ngram_kernels import find_candidates

        words = find_all_words(text)
        found = []
        for group in self._groups:
            candidates = find_candidates(words.hashes, group.shortest, group.run_words, group.runs.bits, group.runs.shift)
            if len(candidates):  # in most texts, no n-gram begins anywhere
                found += [Hits(words, *table.find_at(words, candidates), table, number) for number, table in group.tables]
        return sorted((hits for hits in found if len(hits.positions)), key=lambda hits: hits.number)


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
