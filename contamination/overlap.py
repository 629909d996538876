"""How the whole corpus overlaps with the benchmarks: counted shard by shard, added up in any order.

Only n-grams that occur in a benchmark are counted, so that memory grows with the benchmarks and not
with the corpus.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from contamination.arrays import BoolArray, IntArray
from contamination.examples import Example, LongestStretches, best_examples
from contamination.index import OverlapIndex, read_index
from contamination.scan import Scan
from curation.shards import Shard, read_shard

COLUMNS = ["id", "source", "url", "date", "text"]  # of documents that are compared


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


@functools.lru_cache(maxsize=1)
def load_index(path: str, version: str) -> OverlapIndex:
    """The index in a file, read once per worker; ``version`` is what tells two states of the file apart."""
    return read_index(path)


def measure_shard(shard: Shard, index_path: str, index_version: str, max_examples: int) -> ShardOverlap:
    """Count the documents of one shard in which n-grams of the index occur."""
    return measure_documents(read_shard(shard, COLUMNS), load_index(index_path, index_version), max_examples)


def measure_documents(documents: pl.DataFrame, index: OverlapIndex, max_examples: int) -> ShardOverlap:
    """What documents (with the columns of ``COLUMNS``) contribute to the overlap of the corpus."""
    scan = Scan(index, [*index.removal, *index.report])
    found: list[list[IntArray]] = [[] for _ in (*index.removal, *index.report)]  # n-grams of each document with any, by table
    documents_hit: dict[str, IntArray] = {}
    longest = LongestStretches(documents)
    for row, (source, text) in enumerate(documents.select("source", "text").iter_rows()):
        hit: set[int] = set()
        for hits in scan.find(text or ""):
            unique = np.unique(hits.ngrams)
            found[hits.number].append(unique)
            if hits.number < len(index.removal):
                continue  # who is hit, the report says by lengths of its own
            hit.update(np.unique(index.benchmark_of_item[hits.table.expand(unique)[1]]).tolist())
            longest.add(row, hits)
        if hit:
            documents_hit.setdefault(source or "", np.zeros(len(index.labels), np.int64))[list(hit)] += 1
    return ShardOverlap(
        [NgramCounts.of_documents(own) for own in found[: len(index.removal)]],
        [NgramCounts.of_documents(own) for own in found[len(index.removal) :]],
        documents_hit,
        longest.examples(index, max_examples),
    )
