"""Examples of overlap for the report: stretches of documents that occur in benchmark items, the longest ones.

A document may hold thousands of items in part, so that its stretches are kept as arrays, and only what is shown becomes an
``Example``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from contamination.arrays import BoolArray, IntArray
from contamination.index import OverlapIndex
from contamination.scan import Hits, stretches

EXCERPT_CONTEXT_CHARACTERS = 200
EXCERPT_MATCH_CHARACTERS = 1500  # a longer match is shown up to here
# Examples illustrate: in a document of endless repetition only so many matches compete to be one.
MAX_HITS_FOR_EXAMPLES = 10_000
MAX_STRETCHES = 500_000  # our choice: so many are in memory, 24 MB, before all but the longest of each item are forgotten


@dataclass(frozen=True)
class Example:
    """A stretch of a document that occurs in a benchmark item.

    ``start``, ``end``: the stretch in the document, characters. ``excerpt``: the document around it;
    the stretch begins at ``offset`` there. ``words``: words of the stretch. ``ngram_words``: n of the
    n-grams that found it.
    """

    item: int
    words: int
    document: str
    start: int
    end: int
    ngram_words: int
    url: str = ""
    date: str = ""
    excerpt: str = ""
    offset: int = 0

    @property
    def rank(self) -> tuple[int, int, str, int]:
        """Order of preference, smallest first: the longest stretch; ties do not depend on the order of shards."""
        return (-self.words, self.item, self.document, self.start)


def best_examples(examples: list[Example], index: OverlapIndex, max_examples: int) -> list[Example]:
    """For each benchmark the items with the longest stretches, the longest stretch of each.

    The best of a union are among the bests of its parts, so that shards may be pruned one by one.
    """
    kept: list[Example] = []
    seen: set[int] = set()
    taken = [0] * len(index.labels)
    for example in sorted(examples, key=lambda example: example.rank):
        benchmark = index.benchmark_of_item[example.item]
        if example.item not in seen and taken[benchmark] < max_examples:
            seen.add(example.item)
            taken[benchmark] += 1
            kept.append(example)
    return kept


class _Stretches(NamedTuple):
    """Stretches of documents, one in each place of all arrays; ``row``: of the document. The others are as in ``Example``."""

    item: IntArray
    words: IntArray
    row: IntArray
    start: IntArray
    end: IntArray
    ngram_words: IntArray

    def take(self, places: IntArray | BoolArray) -> _Stretches:
        return _Stretches(*(values[places] for values in self))


class LongestStretches:
    """Of every benchmark item the longest stretch in some documents (with the columns id, url, date and text)."""

    def __init__(self, documents: pl.DataFrame) -> None:
        self._documents = documents
        self._place_of_row = np.argsort(documents["id"].arg_sort().to_numpy())  # of the document in the order of ids
        self._parts: list[_Stretches] = []
        self._count = 0

    def add(self, row: int, hits: Hits) -> None:
        """Every stretch of the document in that row which n-grams of one item cover, for each item."""
        words, table = hits.words, hits.table
        places, items = table.expand(hits.ngrams[:MAX_HITS_FOR_EXAMPLES])
        positions = hits.positions[places]
        order = np.lexsort((positions, items))
        positions, items = positions[order], items[order]
        first, last = stretches(positions, table.words, items)
        begins, ends = positions[first], positions[last] + table.words
        rows, ngram_words = np.full(len(first), row), np.full(len(first), table.words)
        self._parts.append(_Stretches(items[first], ends - begins, rows, words.starts[begins], words.ends[ends - 1], ngram_words))
        self._count += len(first)
        if self._count > MAX_STRETCHES:
            self._parts = [self._longest()]
            self._count = len(self._parts[0].item)

    def _longest(self) -> _Stretches:
        """The stretch of each item that comes first in the order of ``Example.rank``, in the order of items."""
        found = _Stretches(*(np.concatenate(values) for values in zip(*self._parts, strict=True)))
        order = np.lexsort((found.start, self._place_of_row[found.row], -found.words, found.item))
        found = found.take(order)
        return found.take(np.flatnonzero(np.diff(found.item, prepend=-1)))

    def examples(self, index: OverlapIndex, max_examples: int) -> list[Example]:
        """For each benchmark the items with the longest stretches."""
        if not self._parts:
            return []
        found = self._longest()
        benchmark = index.benchmark_of_item[found.item]
        order = np.lexsort((found.item, -found.words, benchmark))
        within = np.arange(len(order)) - np.searchsorted(benchmark[order], benchmark[order])
        chosen = found.take(order[within < max_examples])
        examples = [self._example(*values) for values in zip(*(values.tolist() for values in chosen), strict=True)]
        return sorted(examples, key=lambda example: example.rank)

    def _example(self, item: int, words: int, row: int, start: int, end: int, ngram_words: int) -> Example:
        document = self._documents.row(row, named=True)
        text = document["text"]
        low = max(0, start - EXCERPT_CONTEXT_CHARACTERS)
        high = min(end, start + EXCERPT_MATCH_CHARACTERS) + EXCERPT_CONTEXT_CHARACTERS
        place = {"url": document["url"] or "", "date": document["date"] or ""}
        return Example(item, words, document["id"], start, end, ngram_words, **place, excerpt=text[low:high], offset=start - low)
