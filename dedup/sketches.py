"""Sketches: what is remembered of each document of a shard while its duplicates are sought, in files of one folder.

``sketch_shard`` makes one from the texts of a shard; a part of an index is one that was kept. Keys
are stored twice: by document, and sorted, so that one range of keys can be read out of every sketch
without the rest of it. Memory is that of one shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.shards import Shard, read_shard
from curation.sources.urls import canonical_key

if TYPE_CHECKING:
    from dedup.words import Words

ADDRESS_DIGEST_BYTES = 16  # 128 bits: no chance collision among 10^12 addresses
SLICE_ROWS = 500  # documents whose words are in memory at a time
EXCERPT_CHARACTERS = 160  # of a text, to show what a cluster is about
TEXT, ADDRESS = "text", "address"  # keys of one column; the bands are the third
MEMBER_COLUMNS = ["id", "source", "quality_score", "characters", "date", "excerpt"]


@dataclass(frozen=True)
class Sketching:
    """How documents are sketched; the same for every shard of a run, and for an index. ``addresses``: by their URLs, too.

    ``factors``, ``addends``: of the permutations, drawn by ``dedup.permutations``.
    """

    ngram_words: int
    factors: npt.NDArray[np.uint32]
    addends: npt.NDArray[np.uint32]
    bands: int
    rows: int
    estimated: bool
    addresses: bool


@dataclass(frozen=True)
class Sketch:
    """Where the sketch of a shard, or of a part of an index, lies, and the number of its first document in the corpus."""

    folder: str
    first: int
    documents: int
    indexed: bool = False

    def array(self, name: str) -> Any:
        """One of the arrays of ``write_sketch``, mapped."""
        return np.load(Path(self.folder) / f"{name}.npy", mmap_mode="r")

    def has(self, name: str) -> bool:
        """Whether the sketch has that array."""
        return (Path(self.folder) / f"{name}.npy").exists()

    def members(self, rows: npt.NDArray[np.int64]) -> pl.DataFrame:
        """``MEMBER_COLUMNS`` of some documents."""
        return pl.read_ipc(Path(self.folder) / "members.arrow")[rows]


@dataclass(frozen=True)
class ShardWork:
    """One shard of the corpus and its sketch."""

    shard: Shard
    sketch: Sketch


@dataclass(frozen=True)
class Content:
    """What a sketch holds of each document; one row a document in every field.

    ``counts``: words. ``digests``: of text, (documents, 2). ``keys``: of bands, (documents, bands). ``low``: lowest byte of
    each row of the signature, (documents, permutations). ``addresses``: digests of canonical URLs, (documents, 2), zero
    where there is none; None where they are not asked for. ``shingled``: whether the document has shingles.
    """

    members: pl.DataFrame
    counts: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint64]
    keys: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint8]
    addresses: npt.NDArray[np.uint64] | None
    shingled: npt.NDArray[np.bool_]


def sketch_shard(sketching: Sketching, work: ShardWork) -> int:
    """Write the sketch of a shard; returns how many of its documents have shingles."""
    from dedup.keys import band_keys
    from dedup.shingles import signatures
    from dedup.words import text_digests

    columns = ["id", "source", "quality_score", "date", "text", *(["url"] if sketching.addresses else [])]
    frame = read_shard(work.shard, columns)
    counts, digests, keys, low = [], [], [], []
    for words in _words(frame["text"]):
        counts.append(words.counts)
        digests.append(text_digests(words))
        signature = signatures(words, sketching.ngram_words, sketching.factors, sketching.addends)
        keys.append(band_keys(signature, sketching.bands, sketching.rows))
        low.append(signature.astype(np.uint8))
    count = np.concatenate([np.empty(0, np.int64), *counts])
    content = Content(
        frame.select(
            "id",
            "source",
            "quality_score",
            pl.col("text").str.len_chars().cast(pl.Int64).alias("characters"),
            "date",
            pl.col("text").str.slice(0, EXCERPT_CHARACTERS).alias("excerpt"),
        ),
        count,
        np.concatenate([np.empty((0, 2), np.uint64), *digests]),
        np.concatenate([np.empty((0, sketching.bands), np.uint64), *keys]),
        np.concatenate([np.empty((0, len(sketching.factors)), np.uint8), *low]),
        address_digests(frame["url"].to_list()) if sketching.addresses else None,
        count >= sketching.ngram_words,
    )
    write_sketch(Path(work.sketch.folder), content)
    return int(content.shingled.sum())


def address_digests(urls: Sequence[str | None]) -> npt.NDArray[np.uint64]:
    """128-bit BLAKE2b of each canonical URL: (documents, 2); zero where there is no web address."""
    keys = [canonical_key(url) if url else None for url in urls]
    digests = [
        hashlib.blake2b(key.encode(), digest_size=ADDRESS_DIGEST_BYTES).digest() if key else bytes(ADDRESS_DIGEST_BYTES) for key in keys
    ]
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, 2)


def write_sketch(folder: Path, content: Content) -> None:
    """Write the files of a sketch: a table, arrays by document, and sorted keys with their rows."""
    folder.mkdir(parents=True, exist_ok=True)  # there already if the work is repeated after a crash
    content.members.write_ipc(folder / "members.arrow")
    for name in ("counts", "digests", "keys", "low"):
        np.save(folder / f"{name}.npy", getattr(content, name))
    # A document without words equals no other; one without shingles resembles no other.
    _save_sorted(folder, TEXT, content.digests, np.flatnonzero(content.counts > 0))
    if content.addresses is not None:
        np.save(folder / "addresses.npy", content.addresses)
        _save_sorted(folder, ADDRESS, content.addresses, np.flatnonzero(content.addresses.any(axis=1)))
    shingled = np.flatnonzero(content.shingled)
    order = shingled[np.argsort(content.keys[shingled], axis=0, kind="stable")].T
    np.save(folder / "bands.rows.npy", np.ascontiguousarray(order, np.uint32))
    np.save(folder / "bands.keys.npy", np.take_along_axis(content.keys.T, order, axis=1))


def sets_of(texts: pl.Series, sketching: Sketching) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]:
    """What the similarity of documents is computed from, slice by slice: values one after the other, and how many each text has.

    The shingle set of each text; whole signatures where the similarity is estimated.
    """
    from dedup.shingles import shingle_sets, signatures

    for words in _words(texts):
        if sketching.estimated:
            signature = signatures(words, sketching.ngram_words, sketching.factors, sketching.addends)
            shingled = words.counts >= sketching.ngram_words
            yield signature[shingled].astype(np.uint64).reshape(-1), shingled * np.int64(len(sketching.factors))
        else:
            sets, bounds = shingle_sets(words, sketching.ngram_words)
            yield sets, np.diff(bounds)


def read_range(sketches: Sequence[Sketch], name: str, band: int | None, part: int, parts: int, keep: str | None) -> tuple[Any, Any]:
    """Keys of one part of the 64-bit range in all sketches, (keys, columns of a key), and the numbers of their documents.

    ``keep``: file of a mask over all documents; those that it leaves out are left out.
    """
    mask = np.load(keep, mmap_mode="r") if keep else None
    keys: list[npt.NDArray[np.uint64]] = []
    numbers: list[npt.NDArray[np.uint32]] = []
    for sketch in sketches:
        if not sketch.has(f"{name}.keys"):
            continue  # an index that was made without addresses
        sorted_keys, rows = sketch.array(f"{name}.keys"), sketch.array(f"{name}.rows")
        if band is not None:
            sorted_keys, rows = sorted_keys[band][:, None], rows[band]
        start, stop = (_first_of_part(sorted_keys[:, 0], number, parts) for number in (part, part + 1))
        number = (sketch.first + rows[start:stop].astype(np.int64)).astype(np.uint32)
        selected = slice(None) if mask is None else mask[number]
        keys.append(sorted_keys[start:stop][selected])
        numbers.append(number[selected])
    return np.concatenate(keys), np.concatenate(numbers)


def rows_of(sketches: Sequence[Sketch], numbers: npt.NDArray[np.uint32]) -> Iterator[tuple[Sketch, npt.NDArray[np.int64], Any]]:
    """For each sketch that holds some of the documents: their rows in it, ascending, and their places in ``numbers``."""
    order = np.argsort(numbers, kind="stable")
    cuts = np.searchsorted(numbers[order], [sketch.first for sketch in sketches] + [np.iinfo(np.int64).max])
    for sketch, start, stop in zip(sketches, cuts[:-1], cuts[1:], strict=True):
        if start < stop:
            places = order[start:stop]
            yield sketch, numbers[places].astype(np.int64) - sketch.first, places


def _words(texts: pl.Series) -> Iterator[Words]:
    from dedup.words import split_encoded

    for start in range(0, len(texts), SLICE_ROWS):
        yield split_encoded([text or b"" for text in texts[start : start + SLICE_ROWS].cast(pl.Binary)])


def _save_sorted(folder: Path, name: str, keys: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]) -> None:
    order = rows[np.argsort(keys[rows, 0], kind="stable")]
    np.save(folder / f"{name}.keys.npy", keys[order])
    np.save(folder / f"{name}.rows.npy", order.astype(np.uint32))


def _first_of_part(sorted_keys: Any, part: int, parts: int) -> int:
    """Place of the first key that belongs to a part or a later one; parts divide the 64-bit range evenly."""
    if part >= parts:
        return len(sorted_keys)
    return int(np.searchsorted(sorted_keys, np.uint64(part * (1 << 64) // parts)))
