"""The report of benchmark overlap: a row for each benchmark, as JSON and CSV (GPT-3, table C.1)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from contamination.arrays import IntArray
from contamination.benchmarks import Benchmark, Item
from contamination.index import NgramTable, OverlapIndex
from contamination.overlap import CorpusOverlap
from contamination.words import find_words, ngram_keys, normalise
from curation.shards import canonical_json

TOP_NGRAMS = 5  # our choice: shows at a glance whether the overlap is boilerplate

# column: what it holds
COLUMNS = {
    "name": "benchmark",
    "split": "its split",
    "n": "words of the n-grams that make an item dirty: 5th percentile of the item length within the limits",
    "items": "examples of the benchmark",
    "too_short": "items with too few words to be looked for; counted as clean",
    "dirty": "items with an n-gram in any document of the corpus, common n-grams included, before removal",
    "clean": "items without",
    "clean_percent": "clean items of all, percent",
    "dirty_passage": "items whose passage to read holds a matched n-gram; empty where there is none",
    "dirty_question": "items whose question and answers hold one; empty where there is no passage to read",
    "documents_hit": "documents that make an item dirty",
    "sources_hit": "these documents by source",
    "ngrams": "different n-grams of the benchmark",
    "ngrams_matched": "those that are in the corpus",
    "ngrams_matched_percent": "their share, percent (GPT-2, table 6)",
    "ngrams_ignored_as_common": "n-grams that removal looks for but leaves in, because they are in too many documents",
    "top_ngrams": "matched n-grams in the most documents",
    "top_common_ngrams": "of those ignored as common the ones in the most documents",
}

TOP_COLUMNS = ("top_ngrams", "top_common_ngrams")

_Top = list[tuple[int, str]]  # documents and text of n-grams, most documents first


@dataclass(frozen=True)
class Report:
    """``rows``: one for each benchmark, with the keys of ``COLUMNS``. ``dirty_rows``: numbers of its dirty items, by benchmark."""

    rows: list[dict[str, Any]]
    dirty_rows: dict[str, list[int]]


def build_report(benchmarks: Sequence[Benchmark], overlap: CorpusOverlap, max_documents_per_ngram: int) -> Report:
    """The report from the counts of the whole corpus."""
    index = overlap.index
    dirty = overlap.dirty_items()
    items = [item for benchmark in benchmarks for item in benchmark.items]
    ignored = np.zeros(len(benchmarks), np.int64)
    top_common: list[_Top] = [[] for _ in benchmarks]
    for table, documents in zip(index.removal, overlap.removal, strict=True):
        common = np.flatnonzero(documents > max_documents_per_ngram)
        ignored += _count_by_benchmark(index, table, common)
        _add_top(top_common, index, table, common, documents, items)
    ngrams, matched = np.zeros(len(benchmarks), np.int64), np.zeros(len(benchmarks), np.int64)
    top: list[_Top] = [[] for _ in benchmarks]
    for table, documents in zip(index.report, overlap.report, strict=True):
        found = np.flatnonzero(documents)
        ngrams += _count_by_benchmark(index, table, np.arange(len(table)))
        matched += _count_by_benchmark(index, table, found)
        _add_top(top, index, table, found, documents, items)

    rows, dirty_rows = [], {}
    for number, benchmark in enumerate(benchmarks):
        spec, own = benchmark.spec, index.benchmark_of_item == number
        count, dirty_count = len(benchmark.items), int(dirty[own].sum())
        sources = {source: int(documents[number]) for source, documents in sorted(overlap.documents_hit.items()) if documents[number]}
        passage, question = _dirty_parts(benchmark, index.report_words[number], overlap)
        rows.append(
            {
                "name": spec.name,
                "split": spec.split,
                "n": index.report_words[number],
                "items": count,
                "too_short": int(index.too_short[own].sum()),
                "dirty": dirty_count,
                "clean": count - dirty_count,
                "clean_percent": round(100 * (count - dirty_count) / count, 2),
                "dirty_passage": passage,
                "dirty_question": question,
                "documents_hit": sum(sources.values()),
                "sources_hit": sources,
                "ngrams": int(ngrams[number]),
                "ngrams_matched": int(matched[number]),
                "ngrams_matched_percent": round(100 * int(matched[number]) / max(1, int(ngrams[number])), 4),
                "ngrams_ignored_as_common": int(ignored[number]),
                "top_ngrams": [{"ngram": text, "documents": documents} for documents, text in top[number]],
                "top_common_ngrams": [{"ngram": text, "documents": documents} for documents, text in top_common[number]],
            }
        )
        dirty_rows[spec.label] = index.row_of_item[own & dirty].tolist()
    return Report(rows, dirty_rows)


def _dirty_parts(benchmark: Benchmark, words: int, overlap: CorpusOverlap) -> tuple[int | None, int | None]:
    """How many items have a matched n-gram within the passage to read, and within the rest; None for both without a passage."""
    first = benchmark.spec.passage_fields
    if first == 0:
        return None, None
    found = [
        table.keys[documents > 0] for table, documents in zip(overlap.index.report, overlap.report, strict=True) if table.words == words
    ]
    matched = np.concatenate(found) if found else np.zeros(0, np.uint64)

    def count(texts: list[str]) -> int:
        return sum(bool(np.isin(ngram_keys(find_words(text), words), matched).any()) for text in texts)

    passages = ["\n".join(text for slot in item.slots[:first] for text in slot) for item in benchmark.items]
    questions = ["\n".join(text for slot in item.slots[first:] for text in slot) for item in benchmark.items]
    return count(passages), count(questions)


def rows_to_json(rows: list[dict[str, Any]]) -> bytes:
    """The rows as a JSON list."""
    return canonical_json(rows)


def rows_to_csv(rows: list[dict[str, Any]]) -> bytes:
    """The rows as CSV with a header; sources and top n-grams as ``name (documents)``, separated by ``|``."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        sources = " | ".join(f"{source} ({documents})" for source, documents in row["sources_hit"].items())
        tops = {column: " | ".join(f"{entry['ngram']} ({entry['documents']})" for entry in row[column]) for column in TOP_COLUMNS}
        writer.writerow({**row, **tops, "sources_hit": sources})
    return stream.getvalue().encode()


def _pairs(index: OverlapIndex, table: NgramTable, ngrams: IntArray) -> tuple[IntArray, IntArray]:
    """All different pairs (benchmark, n-gram) of the given n-grams, in the order of the n-grams."""
    places, items = table.expand(ngrams)
    # Items of an n-gram ascend, and so do their benchmarks: equal pairs stand side by side.
    benchmarks = index.benchmark_of_item[items]
    first = np.ones(len(places), np.bool_)
    first[1:] = (places[1:] != places[:-1]) | (benchmarks[1:] != benchmarks[:-1])
    return benchmarks[first], ngrams[places[first]]


def _count_by_benchmark(index: OverlapIndex, table: NgramTable, ngrams: IntArray) -> IntArray:
    return np.bincount(_pairs(index, table, ngrams)[0], minlength=len(index.labels))


def _top_by_benchmark(index: OverlapIndex, table: NgramTable, ngrams: IntArray, documents: IntArray) -> dict[int, list[int]]:
    """For each benchmark its n-grams in the most documents, ties by key."""
    benchmarks, numbers = _pairs(index, table, ngrams)
    order = np.lexsort((numbers, -documents[numbers], benchmarks))
    top: dict[int, list[int]] = {}
    for benchmark in np.unique(benchmarks).tolist():
        own = order[np.searchsorted(benchmarks[order], benchmark) :][:TOP_NGRAMS]
        top[benchmark] = [int(numbers[place]) for place in own if benchmarks[place] == benchmark]
    return top


def _add_top(top: list[_Top], index: OverlapIndex, table: NgramTable, ngrams: IntArray, documents: IntArray, items: list[Item]) -> None:
    """Take n-grams of one more table into the lists of each benchmark's most frequent ones."""
    for number, most in _top_by_benchmark(index, table, ngrams, documents).items():
        texts = [(int(documents[ngram]), _text_of(table, ngram, items)) for ngram in most]
        top[number] = sorted([*top[number], *texts], key=lambda entry: (-entry[0], entry[1]))[:TOP_NGRAMS]


def _text_of(table: NgramTable, ngram: int, items: list[Item]) -> str:
    """The words of an n-gram, found again in the first item that has it."""
    item = items[table.items[table.offsets[ngram]]]
    for passage in item.passages:
        words = find_words(passage)
        places = np.flatnonzero(ngram_keys(words, table.words) == table.keys[ngram])
        if len(places):
            return normalise(passage, words, int(places[0]), table.words)
    raise LookupError(f"item {item.row} does not hold the n-gram that the index ascribes to it")
