"""The n-grams of all benchmarks as sorted arrays, and which items they come from.

The index holds the benchmarks, never the corpus. Removal looks for n-grams of one length in all of
them; the report uses a length of its own for each benchmark (GPT-3, appendix C).
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from contamination.arrays import BoolArray, IntArray, KeyArray
from contamination.key_filter import KeyFilter
from contamination.words import Words
from curation import storage
from curation.errors import IntegrityError

FILTER_KEYS_PER_WORD = 4  # most, and half of it at least: 1 of 126 to 576 foreign n-grams passes
# Most words of a run. Measured on OpenWebText with 36 benchmarks: 64 % of runs of 2 words are in an item, 23, 6.0, 1.9 and 1.1 %
# of 3, 4, 5 and 6; a longer run is rarer, but rules out fewer n-grams.
RUN_WORDS = 5
RUNS_PER_WORD = 8  # of the filter of runs: 1 of 30 to 170 foreign runs passes


@dataclass(frozen=True)
class NgramTable:
    """All n-grams of one length and the items that they occur in.

    ``keys``: uint64 [n-grams], ascending, unique. ``offsets``: int64 [n-grams + 1]; the items of n-gram k are
    ``items[offsets[k]:offsets[k + 1]]``, int32 numbers in the index, ascending.
    """

    words: int
    keys: KeyArray
    offsets: IntArray
    items: IntArray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def run_words(self) -> int:
        """Words of the runs by which its n-grams are looked for."""
        return min(self.words, RUN_WORDS)

    @functools.cached_property
    def key_filter(self) -> KeyFilter:
        """Filter that tells most foreign n-grams apart at one look."""
        return KeyFilter.of(self.keys, FILTER_KEYS_PER_WORD)

    @functools.cached_property
    def _key_starts(self) -> IntArray:
        """Where the keys of each word of the filter begin, int32; last, where they end. They are few, so that no search is needed."""
        words = len(self.key_filter.bits)
        counts = np.bincount((self.keys >> np.uint64(self.key_filter.shift)).astype(np.int64), minlength=words)
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)

    def find_at(self, words: Words, positions: IntArray) -> tuple[IntArray, IntArray]:
        """Which n-grams of the table begin at some words of a text, ascending: (numbers of these words; n-grams)."""
        from contamination.ngram_kernels import find_keys

        table = (self.keys, self._key_starts, self.key_filter.bits, self.key_filter.shift)
        places, ngrams = find_keys(words.hashes, positions, self.words, *table)
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
    that make an item dirty. ``runs``: for each length of runs, those within the n-grams of the tables that are
    looked for by them.
    """

    labels: list[str]
    report_words: list[int]
    benchmark_of_item: IntArray
    row_of_item: IntArray
    too_short: BoolArray
    removal: list[NgramTable]
    report: list[NgramTable]
    runs: dict[int, KeyFilter]

    def for_removal(self, ignored: Sequence[BoolArray]) -> OverlapIndex:
        """What it takes to cut: the tables of removal without the n-grams that are marked in each."""
        removal = [table.without(dropped) for table, dropped in zip(self.removal, ignored, strict=True)]
        runs = {table.run_words: self.runs[table.run_words] for table in removal}
        return replace(self, removal=removal, report=[], runs=runs)

    def item_label(self, item: int) -> str:
        """Benchmark and row of an item, such as ``HellaSwag/validation#17``."""
        return f"{self.labels[self.benchmark_of_item[item]]}#{self.row_of_item[item]}"


def index_to_bytes(index: OverlapIndex) -> bytes:
    """What ``write_index`` writes."""
    stream = io.BytesIO()
    write_index(index, stream)
    return stream.getvalue()


def write_index(index: OverlapIndex, stream: IO[bytes]) -> None:
    """The index as an uncompressed .npz file; equal indexes give equal bytes. A table that removal and report share is there once."""
    own = [table for table in index.report if all(table is not other for other in index.removal)]
    arrays: dict[str, np.ndarray] = {
        "header": np.frombuffer(
            json.dumps(
                {
                    "labels": index.labels,
                    "report_words": index.report_words,
                    "removal": [table.words for table in index.removal],
                    "report": [table.words for table in index.report],
                    "own": [table.words for table in own],
                    "runs": list(index.runs),
                }
            ).encode(),
            np.uint8,
        ),
        "benchmark_of_item": index.benchmark_of_item,
        "row_of_item": index.row_of_item,
        "too_short": index.too_short,
        **{f"runs{words}": runs.bits for words, runs in index.runs.items()},
    }
    for kind, tables in (("removal", index.removal), ("report", own)):
        for table in tables:
            name = f"{kind}{table.words}"
            arrays |= {f"{name}.keys": table.keys, f"{name}.offsets": table.offsets, f"{name}.items": table.items}
    np.savez(stream, allow_pickle=False, **arrays)


def read_index(path: str) -> OverlapIndex:
    """The index in a file of ``write_index``; array by array, so that memory holds it once.

    Raises:
        InputError: there is no such file.
        IntegrityError: the file is no index.
    """
    try:
        with storage.open_binary(path) as stream, np.load(stream, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())

            def table(kind: str, words: int) -> NgramTable:
                return NgramTable(words, *(arrays[f"{kind}{words}.{part}"] for part in ("keys", "offsets", "items")))

            removal = [table("removal", words) for words in header["removal"]]
            shared = {each.words: each for each in removal if each.words not in header["own"]}
            return OverlapIndex(
                labels=header["labels"],
                report_words=header["report_words"],
                benchmark_of_item=arrays["benchmark_of_item"],
                row_of_item=arrays["row_of_item"],
                too_short=arrays["too_short"],
                removal=removal,
                report=[shared[words] if words in shared else table("report", words) for words in header["report"]],
                runs={words: KeyFilter(arrays[f"runs{words}"]) for words in header["runs"]},
            )
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{path} is no index of benchmark n-grams ({error}); delete it and run decontaminate again") from error
