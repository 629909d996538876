"""From benchmarks to the index: n of each report, and the n-grams of every item.

The words of a benchmark take some forty times the memory of its text, so that they are made for a few megabytes at a time;
what stays are the n-grams, each with its items once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from contamination.arrays import BoolArray, IntArray, KeyArray
from contamination.benchmarks import Benchmark, Item
from contamination.index import RUN_WORDS, RUNS_PER_WORD, NgramTable, OverlapIndex
from contamination.key_filter import KeyFilter
from contamination.words import Words, find_words, ngram_keys

LENGTH_PERCENTILE = 5  # GPT-3, appendix C: "the 5th percentile example length in words"
SYNTHETIC_MIN_WORDS = 2  # GPT-3, table C.1: the smallest N, of anagrams and other word tasks
CHUNK_CHARACTERS = 1 << 20  # our choice: text whose words are in memory at the same time
# Stands between texts that are read in one go: no word and no HTML tag goes across it, and none begins with it.
SEPARATOR = "<\n"

# For each length in words: n-grams as pairs of key and item.
_Pairs = dict[int, list[tuple[KeyArray, IntArray]]]
_Runs = dict[int, list[KeyArray]]  # for each length of runs in words: keys


def report_ngram_words(lengths: Sequence[int] | IntArray, synthetic: bool, min_words: int, max_words: int) -> int:
    """N of a benchmark's report: the 5th percentile of its item lengths within the limits (GPT-3, appendix C).

    The percentile interpolates linearly and is rounded down, so that at most 5 % of the items have
    fewer than N words. Synthetic benchmarks keep a smaller N.
    """
    percentile = int(np.floor(np.percentile(np.asarray(lengths), LENGTH_PERCENTILE)))
    return min(max(percentile, SYNTHETIC_MIN_WORDS if synthetic else min_words), max_words)


def build_index(
    benchmarks: Sequence[Benchmark],
    removal_words: int,
    report_min_words: int,
    report_max_words: int,
    short_item_min_words: int | None = None,
) -> OverlapIndex:
    """Index of all n-grams that removal and report look for.

    ``short_item_min_words``: from so many words on, removal looks for the whole of items without ``removal_words`` words.
    An item without a passage of N words is looked for whole if it has at least ``report_min_words``
    words ("or that overlap with the whole example when it is shorter", GPT-3, section 4).
    """
    removal: _Pairs = {removal_words: []}
    report: _Pairs = {}
    report_words, too_short, first_item = [], [np.zeros(0, np.bool_)], 0
    runs: _Runs = {}
    for benchmark in benchmarks:
        n = _report_words(benchmark, report_min_words, report_max_words)
        report_words.append(n)
        shortest = min(n, SYNTHETIC_MIN_WORDS if benchmark.spec.synthetic else report_min_words)
        for items in _chunks(benchmark.items):
            passages = _Passages(items, first_item)
            passages.add_ngrams(removal, removal_words, short_item_min_words or removal_words)
            passages.add_ngrams(report, n, shortest)
            too_short.append(passages.max_lengths() < shortest)
            passages.add_runs(runs)
            first_item += len(items)
    filters = {words: _make_filter(runs.pop(words, [])) for words in sorted({min(words, RUN_WORDS) for words in (*removal, *report)})}
    shared = [words for words, parts in report.items() if _are_same(parts, removal.get(words, []))]
    for words in shared:  # before tables are made, so that no second list keeps the parts in memory
        del report[words]
    removal_tables = [make_table(words, removal.pop(words)) for words in sorted(removal, reverse=True)]
    report_tables = [table for table in removal_tables if table.words in shared]
    report_tables += [make_table(words, report.pop(words)) for words in sorted(report)]
    return OverlapIndex(
        labels=[benchmark.spec.label for benchmark in benchmarks],
        report_words=report_words,
        benchmark_of_item=np.repeat(np.arange(len(benchmarks)), [len(benchmark.items) for benchmark in benchmarks]),
        row_of_item=np.array([item.row for benchmark in benchmarks for item in benchmark.items], np.int64),
        too_short=np.concatenate(too_short),
        removal=removal_tables,
        report=sorted(report_tables, key=lambda table: table.words),
        runs=filters,
    )


def _are_same(some: list[tuple[KeyArray, IntArray]], others: list[tuple[KeyArray, IntArray]]) -> bool:
    """Whether two lists hold the very same pairs, as where removal and report look for the same n-grams of all benchmarks."""
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def make_table(words: int, parts: list[tuple[KeyArray, IntArray]]) -> NgramTable:
    """Table of (key, item) pairs, which may repeat; ``parts`` is emptied, so that memory does not hold them twice."""
    keys = np.concatenate([np.zeros(0, np.uint64), *(part for part, _ in parts)])
    items = np.concatenate([np.zeros(0, np.int32), *(part for _, part in parts)])
    parts.clear()
    keys, items = _unique_pairs(keys, items)
    first = np.flatnonzero(_changes(keys))
    return NgramTable(words, keys[first], np.append(first, len(keys)), items)


def _make_filter(parts: list[KeyArray]) -> KeyFilter:
    """Filter of the keys of runs, which may repeat; ``parts`` is emptied."""
    keys = np.concatenate([np.zeros(0, np.uint64), *parts])
    parts.clear()
    keys.sort()  # in place: np.unique would take several times the memory
    return KeyFilter.of(keys, RUNS_PER_WORD)


def _report_words(benchmark: Benchmark, min_words: int, max_words: int) -> int:
    """N of a benchmark's report: one for all, the spec's, or by the lengths of the items."""
    spec = benchmark.spec
    if min_words == max_words:
        return max_words
    if spec.report_words is not None:
        return spec.report_words
    return report_ngram_words(_item_lengths(benchmark), spec.synthetic, min_words, max_words)


def _item_lengths(benchmark: Benchmark) -> IntArray:
    """Words of each item as an example of the task: one reading, the right answer, the prompt's words."""
    lengths = []
    for items in _chunks(benchmark.items):
        _, readings = _words_of([item.passages[0] for item in items])
        _, answers = _words_of([item.answer for item in items])
        lengths.append(np.diff(readings) + np.diff(answers) + benchmark.spec.prompt_words)
    return np.concatenate(lengths)


def _chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    """The items in order, about ``CHUNK_CHARACTERS`` of their text at a time and at least one."""
    chunk: list[Item] = []
    characters = 0
    for item in items:
        chunk.append(item)
        characters += sum(map(len, item.passages))
        if characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _words_of(texts: Sequence[str]) -> tuple[Words, IntArray]:
    """The words of all texts, one behind the other, and where those of each text begin there; last, where they end."""
    sizes = [len(text) + len(SEPARATOR) for text in texts]
    words = find_words(SEPARATOR.join(texts))
    return words, np.searchsorted(words.starts, np.concatenate(([0], np.cumsum(sizes))))


class _Passages:
    """The words of all passages of some items, one behind the other; ``first_item``: number of the first item in the index."""

    def __init__(self, items: Sequence[Item], first_item: int) -> None:
        texts = [item.passages for item in items]
        self.words, self.bounds = _words_of([text for passages in texts for text in passages])
        self.lengths = np.diff(self.bounds)  # words of each passage
        self.counts = np.array([len(passages) for passages in texts])  # passages of each item
        self.first_item = first_item
        self.item_of_passage = np.repeat(np.arange(first_item, first_item + len(texts), dtype=np.int32), self.counts)
        self._found: dict[int, tuple[KeyArray, IntArray]] = {}  # removal and report often look for the same
        self._run_begins: dict[int, BoolArray] = {}  # for each length of runs: whether one within an added n-gram begins at each word

    def max_lengths(self) -> IntArray:
        """Words of the longest passage of each item."""
        return np.asarray(np.maximum.reduceat(self.lengths, np.cumsum(self.counts) - self.counts))

    def add_ngrams(self, pairs: _Pairs, words: int, shortest: int) -> None:
        """Add every n-gram of ``words`` words, and of items that have none the whole passages of ``shortest`` words or more."""
        ngrams = self._ngrams(words)
        pairs.setdefault(words, []).append(ngrams)
        without = np.ones(len(self.counts), np.bool_)
        without[ngrams[1] - self.first_item] = False
        for length in range(shortest, words):
            keys, items = self._whole(length, np.repeat(without, self.counts))
            if len(keys):
                pairs.setdefault(length, []).append((keys, items))

    def _ngrams(self, words: int) -> tuple[KeyArray, IntArray]:
        """(key, item) of every n-gram that lies within one passage, each pair once."""
        if words not in self._found:
            keys = ngram_keys(self.words, words)
            passage = np.repeat(np.arange(len(self.lengths)), self.lengths)[: len(keys)]
            inside = np.arange(len(keys)) + words <= self.bounds[passage + 1]
            self._found[words] = _unique_pairs(keys[inside], self.item_of_passage[passage[inside]])
            self._note_runs(np.flatnonzero(inside), words)
        return self._found[words]

    def _whole(self, words: int, wanted: BoolArray) -> tuple[KeyArray, IntArray]:
        """(key, item) of the wanted passages of exactly that many words."""
        chosen = np.flatnonzero((self.lengths == words) & wanted)
        self._note_runs(self.bounds[chosen], words)
        return ngram_keys(self.words, words)[self.bounds[chosen]], self.item_of_passage[chosen]

    def _note_runs(self, positions: IntArray, words: int) -> None:
        """The n-grams that begin at these words have been added."""
        run_words = min(words, RUN_WORDS)
        begins = self._run_begins.setdefault(run_words, np.zeros(len(self.words), np.bool_))
        for place in range(words - run_words + 1):
            begins[positions + place] = True

    def add_runs(self, runs: _Runs) -> None:
        """Add the runs of words within all n-grams that were added."""
        for run_words, begins in self._run_begins.items():
            keys = ngram_keys(self.words, run_words)
            runs.setdefault(run_words, []).append(np.unique(keys[begins[: len(keys)]]))


def _unique_pairs(keys: KeyArray, items: IntArray) -> tuple[KeyArray, IntArray]:
    """The pairs sorted by key, then item, each once."""
    order = np.lexsort((items, keys))
    keys, items = keys[order], items[order]
    del order  # as large as the keys
    first = _changes(keys) | _changes(items)
    return keys[first], items[first]


def _changes(values: KeyArray | IntArray) -> BoolArray:
    """Where a value differs from the one before it; the first does."""
    changes = np.ones(len(values), np.bool_)
    changes[1:] = values[1:] != values[:-1]
    return changes
