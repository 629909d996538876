"""The n-grams of all benchmarks as sorted arrays, and which items they come from.

The index holds the benchmarks, never the corpus. Removal looks for n-grams of one length in all of
them; the report uses a length of its own for each benchmark (GPT-3, appendix C).
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from contamination.arrays import BoolArray, IntArray, KeyArray
from contamination.benchmarks import Benchmark
from contamination.words import Words, find_words, ngram_keys
from curation.errors import IntegrityError

LENGTH_PERCENTILE = 5  # GPT-3, appendix C: "the 5th percentile example length in words"
SYNTHETIC_MIN_WORDS = 2  # GPT-3, table C.1: the smallest N, of anagrams and other word tasks
FILTER_BITS_PER_KEY = 32  # 1 of 32 foreign n-grams gets past the bitmap to the search; 16 MiB for 4 million keys
MIN_FILTER_LOG2_BITS = 6  # one 64-bit word

# For each length in words: keys, and the items that they come from.
_Pairs = dict[int, list[tuple[KeyArray, IntArray]]]


@dataclass(frozen=True)
class NgramTable:
    """All n-grams of one length and the items that they occur in.

    ``keys``: uint64 [n-grams], ascending, unique. ``offsets``: int64 [n-grams + 1]; the items of
    n-gram k are ``items[offsets[k]:offsets[k + 1]]``, int32 numbers in the index, ascending.
    """

    words: int
    keys: KeyArray
    offsets: IntArray
    items: IntArray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def filter_shift(self) -> int:
        """How far a key is shifted to the right to become a bit number of the bitmap."""
        log2_bits = max(MIN_FILTER_LOG2_BITS, (FILTER_BITS_PER_KEY * len(self.keys)).bit_length())
        return 64 - log2_bits

    @functools.cached_property
    def filter_bits(self) -> KeyArray:
        """Bitmap that tells most foreign n-grams apart without a search."""
        from contamination import kernels

        return np.asarray(kernels.build_filter(self.keys, self.filter_shift))

    def find(self, words: Words) -> tuple[IntArray, IntArray]:
        """Where n-grams of the table occur in a text: (numbers of their first words, ascending; n-grams)."""
        from contamination import kernels

        places, ngrams = kernels.find_keys(words.hashes, self.words, self.keys, self.filter_bits, self.filter_shift)
        return places, ngrams

    def expand(self, ngrams: IntArray) -> tuple[IntArray, IntArray]:
        """All pairs (place in ``ngrams``, item) of the given n-grams."""
        counts = self.offsets[ngrams + 1] - self.offsets[ngrams]
        places = np.repeat(np.arange(len(ngrams)), counts)
        within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        return places, self.items[self.offsets[ngrams][places] + within]

    def without(self, dropped: BoolArray) -> NgramTable:
        """The table without the n-grams that are marked."""
        kept = np.flatnonzero(~dropped)
        counts = self.offsets[kept + 1] - self.offsets[kept]
        return NgramTable(self.words, self.keys[kept], np.concatenate(([0], np.cumsum(counts))), self.expand(kept)[1])


@dataclass(frozen=True)
class OverlapIndex:
    """What is looked for in the corpus.

    ``labels``: the benchmarks. ``report_words``: N of each. ``benchmark_of_item``, ``row_of_item``:
    int32 for each item of all benchmarks, numbered through. ``too_short``: items with too few words
    to be looked for in the report. ``removal``: n-grams of all items, whose overlap is cut out; behind the
    first, long table, short items as a whole where they are wanted. ``report``: for each length, the n-grams
    that make an item dirty.
    """

    labels: list[str]
    report_words: list[int]
    benchmark_of_item: IntArray
    row_of_item: IntArray
    too_short: BoolArray
    removal: list[NgramTable]
    report: list[NgramTable]

    def item_label(self, item: int) -> str:
        """Benchmark and row of an item, such as ``HellaSwag/validation#17``."""
        return f"{self.labels[self.benchmark_of_item[item]]}#{self.row_of_item[item]}"


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
    report_words, too_short, first_item = [], [], 0
    for benchmark in benchmarks:
        passages = _Passages(benchmark)
        n = benchmark.spec.report_words
        if report_min_words == report_max_words:
            n = report_max_words
        elif n is None:
            n = report_ngram_words(passages.item_lengths(), benchmark.spec.synthetic, report_min_words, report_max_words)
        report_words.append(n)
        passages.add_ngrams(removal, removal_words, short_item_min_words or removal_words, first_item)
        shortest = min(n, SYNTHETIC_MIN_WORDS if benchmark.spec.synthetic else report_min_words)
        passages.add_ngrams(report, n, shortest, first_item)
        too_short.append(passages.max_lengths() < shortest)
        first_item += len(benchmark.items)
    return OverlapIndex(
        labels=[benchmark.spec.label for benchmark in benchmarks],
        report_words=report_words,
        benchmark_of_item=np.repeat(np.arange(len(benchmarks)), [len(benchmark.items) for benchmark in benchmarks]),
        row_of_item=np.array([item.row for benchmark in benchmarks for item in benchmark.items], np.int64),
        too_short=np.concatenate([np.zeros(0, np.bool_), *too_short]),
        removal=[make_table(words, removal[words]) for words in sorted(removal, reverse=True)],
        report=[make_table(words, report[words]) for words in sorted(report)],
    )


def make_table(words: int, parts: Iterable[tuple[KeyArray, IntArray]]) -> NgramTable:
    """Table of (key, item) pairs, which may repeat."""
    pairs = list(parts)
    keys = np.concatenate([np.zeros(0, np.uint64), *(part for part, _ in pairs)])
    items = np.concatenate([np.zeros(0, np.int64), *(part for _, part in pairs)]).astype(np.int32)
    order = np.lexsort((items, keys))
    keys, items = keys[order], items[order]
    changes = np.ones(len(keys), np.bool_)
    changes[1:] = (keys[1:] != keys[:-1]) | (items[1:] != items[:-1])
    keys, items = keys[changes], items[changes]
    unique, first = np.unique(keys, return_index=True)
    return NgramTable(words, unique, np.append(first, len(keys)).astype(np.int64), items)


class _Passages:
    """The words of all passages of a benchmark in one run of words, with the bounds of each passage."""

    def __init__(self, benchmark: Benchmark) -> None:
        texts = [item.passages for item in benchmark.items]
        flat = [text for passages in texts for text in passages]
        sizes = np.array([len(text) + 1 for text in flat])  # with the newline that keeps passages apart
        self.benchmark = benchmark
        self.words = find_words("\n".join(flat))
        self.bounds = np.searchsorted(self.words.starts, np.concatenate(([0], np.cumsum(sizes))))
        self.lengths = np.diff(self.bounds)  # words of each passage
        self.counts = np.array([len(passages) for passages in texts])  # passages of each item
        self.item_of_passage = np.repeat(np.arange(len(texts)), self.counts)
        self.first_passages = np.cumsum(self.counts) - self.counts

    def item_lengths(self) -> IntArray:
        """Words of each item as an example of the task: one reading, the right answer, the prompt's words."""
        spec = self.benchmark.spec
        answers = np.array([len(find_words(item.answer)) if item.answer else 0 for item in self.benchmark.items])
        return np.asarray(self.lengths[self.first_passages] + answers + spec.prompt_words)

    def max_lengths(self) -> IntArray:
        """Words of the longest passage of each item."""
        return np.asarray(np.maximum.reduceat(self.lengths, self.first_passages))

    def add_ngrams(self, pairs: _Pairs, words: int, shortest: int, first_item: int) -> None:
        """Add every n-gram of ``words`` words, and of items that have none the whole passages of ``shortest`` words or more."""
        keys, items = self.ngrams(words)
        pairs.setdefault(words, []).append((keys, items + first_item))
        found = np.zeros(len(self.counts), np.bool_)
        found[items] = True
        for length in range(shortest, words):
            keys, items = self.whole(length, ~found)
            if len(keys):
                pairs.setdefault(length, []).append((keys, items + first_item))

    def ngrams(self, words: int) -> tuple[KeyArray, IntArray]:
        """(key, item) of every n-gram that lies within one passage."""
        keys = ngram_keys(self.words, words)
        passage = np.repeat(np.arange(len(self.lengths)), self.lengths)[: len(keys)]
        inside = np.arange(len(keys)) + words <= self.bounds[passage + 1]
        return keys[inside], self.item_of_passage[passage[inside]]

    def whole(self, words: int, wanted: BoolArray) -> tuple[KeyArray, IntArray]:
        """(key, item) of the passages of exactly that many words, of the wanted items."""
        chosen = np.flatnonzero((self.lengths == words) & wanted[self.item_of_passage])
        return ngram_keys(self.words, words)[self.bounds[chosen]], self.item_of_passage[chosen]


def index_to_bytes(index: OverlapIndex) -> bytes:
    """The index as an uncompressed .npz file; equal indexes give equal bytes."""
    arrays: dict[str, np.ndarray] = {
        "header": np.frombuffer(
            json.dumps(
                {
                    "labels": index.labels,
                    "report_words": index.report_words,
                    "removal": [table.words for table in index.removal],
                    "report": [table.words for table in index.report],
                }
            ).encode(),
            np.uint8,
        ),
        "benchmark_of_item": index.benchmark_of_item,
        "row_of_item": index.row_of_item,
        "too_short": index.too_short,
    }
    for kind, tables in (("removal", index.removal), ("report", index.report)):
        for table in tables:
            name = f"{kind}{table.words}"
            arrays |= {f"{name}.keys": table.keys, f"{name}.offsets": table.offsets, f"{name}.items": table.items}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def index_from_bytes(content: bytes, path: str) -> OverlapIndex:
    """Inverse of ``index_to_bytes``.

    Raises:
        IntegrityError: the file is no index.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())

            def tables(kind: str) -> list[NgramTable]:
                names = [(words, f"{kind}{words}") for words in header[kind]]
                return [NgramTable(words, *(arrays[f"{name}.{part}"] for part in ("keys", "offsets", "items"))) for words, name in names]

            return OverlapIndex(
                labels=header["labels"],
                report_words=header["report_words"],
                benchmark_of_item=arrays["benchmark_of_item"],
                row_of_item=arrays["row_of_item"],
                too_short=arrays["too_short"],
                removal=tables("removal"),
                report=tables("report"),
            )
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{path} is no index of benchmark n-grams ({error}); delete it and run decontaminate again") from error
