"""The n-grams of all benchmarks as sorted arrays, and which items they come from.

The index holds the benchmarks, never the corpus. Removal looks for n-grams of one length in all of
them; the report uses a length of its own for each benchmark (GPT-3, appendix C).
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from contamination.arrays import BoolArray, IntArray, KeyArray
from contamination.words import Words
from curation import storage
from curation.errors import IntegrityError

FILTER_KEYS_PER_WORD = 4  # most, and half of it at least: 1 of 126 to 576 foreign n-grams gets past the filter to the search


@dataclass(frozen=True)
class KeyTable:
    """N-grams of one length. ``keys``: uint64 [n-grams], ascending, unique."""

    words: int
    keys: KeyArray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def filter_shift(self) -> int:
        """How far a key is shifted to the right to become the number of a filter word."""
        return 64 - max(1, (len(self.keys) // FILTER_KEYS_PER_WORD).bit_length())

    @functools.cached_property
    def filter_words(self) -> KeyArray:
        """Filter that tells most foreign n-grams apart without a search."""
        from contamination import kernels

        return np.asarray(kernels.build_filter(self.keys, self.filter_shift))

    def find(self, words: Words) -> tuple[IntArray, IntArray]:
        """Where n-grams of the table occur in a text: (numbers of their first words, ascending; n-grams)."""
        from contamination import kernels

        places, ngrams = kernels.find_keys(words.hashes, self.words, self.keys, self.filter_words, self.filter_shift)
        return places, ngrams

    def find_at(self, words: Words, positions: IntArray) -> tuple[IntArray, IntArray]:
        """The same as ``find``, of n-grams that begin at some of the words alone; ``positions`` ascend."""
        from contamination import kernels

        if len(positions) == 0 or len(self.keys) == 0:  # of most texts, no n-gram begins anywhere
            return positions[:0], positions[:0]
        positions = positions[positions <= len(words) - self.words]
        keys = kernels.keys_at(words.hashes, positions, self.words)
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        own = self.keys[found] == keys
        return positions[own], found[own]


@dataclass(frozen=True)
class NgramTable(KeyTable):
    """All n-grams of one length and the items that they occur in.

    ``offsets``: int64 [n-grams + 1]; the items of n-gram k are ``items[offsets[k]:offsets[k + 1]]``,
    int32 numbers in the index, ascending.
    """

    offsets: IntArray
    items: IntArray

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
    that make an item dirty. ``beginnings``: the first words of all n-grams that have so many, whatever their length, so
    that a text is scanned for them once and not for each length.
    """

    labels: list[str]
    report_words: list[int]
    benchmark_of_item: IntArray
    row_of_item: IntArray
    too_short: BoolArray
    removal: list[NgramTable]
    report: list[NgramTable]
    beginnings: KeyTable

    def find(self, words: Words) -> Iterator[tuple[NgramTable, IntArray, IntArray]]:
        """For each table, those of removal first, what ``KeyTable.find`` gives."""
        begun = self.beginnings.find(words)[0]
        for table in (*self.removal, *self.report):
            yield table, *(table.find_at(words, begun) if table.words >= self.beginnings.words else table.find(words))

    def for_removal(self, ignored: Sequence[BoolArray]) -> OverlapIndex:
        """What it takes to cut: the tables of removal without the n-grams that are marked in each."""
        removal = [table.without(dropped) for table, dropped in zip(self.removal, ignored, strict=True)]
        return replace(self, removal=removal, report=[], beginnings=KeyTable(self.beginnings.words, self.beginnings.keys[:0]))

    def item_label(self, item: int) -> str:
        """Benchmark and row of an item, such as ``HellaSwag/validation#17``."""
        return f"{self.labels[self.benchmark_of_item[item]]}#{self.row_of_item[item]}"


def index_to_bytes(index: OverlapIndex) -> bytes:
    """What ``write_index`` writes."""
    stream = io.BytesIO()
    write_index(index, stream)
    return stream.getvalue()


def write_index(index: OverlapIndex, stream: IO[bytes]) -> None:
    """The index as an uncompressed .npz file; equal indexes give equal bytes."""
    arrays: dict[str, np.ndarray] = {
        "header": np.frombuffer(
            json.dumps(
                {
                    "labels": index.labels,
                    "report_words": index.report_words,
                    "removal": [table.words for table in index.removal],
                    "report": [table.words for table in index.report],
                    "beginnings": index.beginnings.words,
                }
            ).encode(),
            np.uint8,
        ),
        "benchmark_of_item": index.benchmark_of_item,
        "row_of_item": index.row_of_item,
        "too_short": index.too_short,
        "beginnings.keys": index.beginnings.keys,
    }
    for kind, tables in (("removal", index.removal), ("report", index.report)):
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
                beginnings=KeyTable(header["beginnings"], arrays["beginnings.keys"]),
            )
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{path} is no index of benchmark n-grams ({error}); delete it and run decontaminate again") from error
