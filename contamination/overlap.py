"""How the whole corpus overlaps with the benchmarks: counted shard by shard, added up in any order.

Only n-grams that occur in a benchmark are counted, so that memory grows with the benchmarks and not
with the corpus.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from contamination.arrays import BoolArray, IntArray
from contamination.index import NgramTable, OverlapIndex, read_index
from contamination.scan import stretches
from contamination.words import Words, find_all_words
from curation.shards import Shard, read_shard

COLUMNS = ["id", "source", "url", "date", "text"]  # of documents that are compared
EXCERPT_CONTEXT_CHARACTERS = 200
EXCERPT_MATCH_CHARACTERS = 1500  # a longer match is shown up to here
# Examples illustrate: in a document of endless repetition only so many matches compete to be one.
MAX_HITS_FOR_EXAMPLES = 10_000


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


@dataclass(frozen=True)
class NgramCounts:
    """In how many documents n-grams of one table occur: numbers of the n-grams, and the counts."""

    ngrams: IntArray
    documents: IntArray

    @classmethod
    def of_documents(cls, ngrams_of_documents: list[IntArray]) -> NgramCounts:
        """The counts of documents that hold the given n-grams, each of them once."""
        ngrams, documents = np.unique(np.concatenate([np.zeros(0, np.int64), *ngrams_of_documents]), return_counts=True)
        return cls(ngrams.astype(np.int32), documents)


@dataclass(frozen=True)
class ShardOverlap:
    """What one shard contributes; its size is bounded by the benchmarks. ``documents_hit``: by source, for each benchmark."""

    removal: list[NgramCounts]
    report: list[NgramCounts]
    documents_hit: dict[str, IntArray]
    examples: list[Example]


@dataclass
class CorpusOverlap:
    """The sum over shards.

    ``max_examples``: how many are kept of each benchmark. ``removal``, ``report``: documents for each n-gram of
    each table of the index. ``documents_hit``: documents that overlap with each benchmark, by source.
    ``examples``: best first within each benchmark.
    """

    index: OverlapIndex
    max_examples: int
    removal: list[IntArray] = field(init=False)
    report: list[IntArray] = field(init=False)
    documents_hit: dict[str, IntArray] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.removal = [np.zeros(len(table), np.int64) for table in self.index.removal]
        self.report = [np.zeros(len(table), np.int64) for table in self.index.report]

    def add(self, shard: ShardOverlap) -> None:
        """Add what another shard contributes; the order of shards does not matter."""
        for counts, added in zip([*self.removal, *self.report], [*shard.removal, *shard.report], strict=True):
            counts[added.ngrams] += added.documents
        for source, documents in shard.documents_hit.items():
            self.documents_hit[source] = self.documents_hit.get(source, 0) + documents
        self.examples = best_examples([*self.examples, *shard.examples], self.index, self.max_examples)

    def dirty_items(self) -> BoolArray:
        """Which items have an n-gram, or are as a whole, in any document of the corpus."""
        dirty = np.zeros(len(self.index.benchmark_of_item), np.bool_)
        for table, counts in zip(self.index.report, self.report, strict=True):
            dirty[table.expand(np.flatnonzero(counts))[1]] = True
        return dirty


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


@functools.lru_cache(maxsize=1)
def load_index(path: str, version: str) -> OverlapIndex:
    """The index in a file, read once per worker; ``version`` is what tells two states of the file apart."""
    return read_index(path)


def measure_shard(shard: Shard, index_path: str, index_version: str, max_examples: int) -> ShardOverlap:
    """Count the documents of one shard in which n-grams of the index occur."""
    return measure_documents(read_shard(shard, COLUMNS), load_index(index_path, index_version), max_examples)


def measure_documents(documents: pl.DataFrame, index: OverlapIndex, max_examples: int) -> ShardOverlap:
    """What documents (with the columns of ``COLUMNS``) contribute to the overlap of the corpus."""
    found: list[list[IntArray]] = [[] for _ in (*index.removal, *index.report)]  # n-grams of each document with any, by table
    documents_hit: dict[str, IntArray] = {}
    best: dict[int, Example] = {}
    for document, source, text in documents.select("id", "source", "text").iter_rows():
        words = find_all_words(text or "")
        hit: set[int] = set()
        for number, (table, positions, ngrams) in enumerate(index.find(words)):
            if len(ngrams) == 0:
                continue
            unique = np.unique(ngrams)
            found[number].append(unique)
            if number < len(index.removal):
                continue  # who is hit, the report says by lengths of its own
            hit.update(np.unique(index.benchmark_of_item[table.expand(unique)[1]]).tolist())
            for example in _examples_of(document, words, table, positions, ngrams):
                if example.item not in best or example.rank < best[example.item].rank:
                    best[example.item] = example
        if hit:
            documents_hit.setdefault(source or "", np.zeros(len(index.labels), np.int64))[list(hit)] += 1
    examples = best_examples(list(best.values()), index, max_examples)
    return ShardOverlap(
        [NgramCounts.of_documents(own) for own in found[: len(index.removal)]],
        [NgramCounts.of_documents(own) for own in found[len(index.removal) :]],
        documents_hit,
        _with_excerpts(examples, documents),
    )


def _examples_of(document: str, words: Words, table: NgramTable, positions: IntArray, ngrams: IntArray) -> list[Example]:
    """Every stretch of the document that n-grams of one item cover, for each item."""
    places, items = table.expand(ngrams[:MAX_HITS_FOR_EXAMPLES])
    at = positions[places]
    order = np.lexsort((at, items))
    at, items = at[order], items[order]
    first, last = stretches(at, table.words, items)
    begins, ends = at[first], at[last] + table.words
    columns = (items[first], ends - begins, words.starts[begins], words.ends[ends - 1])
    return [
        Example(item, length, document, start, end, table.words)
        for item, length, start, end in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _with_excerpts(examples: list[Example], documents: pl.DataFrame) -> list[Example]:
    wanted = documents.filter(pl.col("id").is_in([example.document for example in examples]))
    rows = {document: rest for document, *rest in wanted.select("id", "url", "date", "text").iter_rows()}
    completed = []
    for example in examples:
        url, date, text = rows[example.document]
        low = max(0, example.start - EXCERPT_CONTEXT_CHARACTERS)
        high = min(example.end, example.start + EXCERPT_MATCH_CHARACTERS) + EXCERPT_CONTEXT_CHARACTERS
        completed.append(replace(example, url=url or "", date=date or "", excerpt=text[low:high], offset=example.start - low))
    return completed
