"""The work of deduplication on one shard or one part of the corpus; files in, files out, run by the workers.

``sketch_shard`` writes a shard's digests and band keys, each column sorted, so that ``link_part`` can
read one range of keys out of every shard without reading the rest. ``gather_shard`` writes what
``decide_batch`` needs to know about the documents that share a key with another.
Imports numba: import this module where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.shards import Shard, read_shard
from dedup.bands import band_keys
from dedup.clusters import DECISIONS, MEMBERS, decide
from dedup.links import Numbers, star_links
from dedup.shingles import shingle_sets, signatures
from dedup.words import split_words, text_digests

SLICE_ROWS = 500  # documents whose words are in memory at a time
EXACT = -1  # number of the digests among the key columns; bands are 0, 1, 2, ...


@dataclass(frozen=True)
class Sketching:
    """How documents are sketched; the same for every shard."""

    ngram_words: int
    factors: npt.NDArray[np.uint32]  # of the permutations, see ``shingles.permutations``
    addends: npt.NDArray[np.uint32]
    bands: int
    rows: int


@dataclass(frozen=True)
class ShardWork:
    """One shard, the number of its first document in the corpus, and the scratch folder of its sketch."""

    shard: Shard
    first: int
    folder: str


@dataclass(frozen=True)
class LinkedRows:
    """The documents of a shard that share a key with another: their rows, the batch of each, and whether
    it is the one copy of its text that brings the shingles."""

    work: ShardWork
    rows: npt.NDArray[np.int64]
    batches: npt.NDArray[np.int64]
    representative: npt.NDArray[np.bool_]


def sketch_shard(sketching: Sketching, work: ShardWork) -> int:
    """Write digests, band keys and word counts of a shard; returns how many documents have shingles."""
    counts, digests, keys = [], [], []
    for texts in _texts(work.shard):
        words = split_words(texts)
        counts.append(words.counts)
        digests.append(text_digests(words))
        signature = signatures(words, sketching.ngram_words, sketching.factors, sketching.addends)
        keys.append(band_keys(signature, sketching.bands, sketching.rows))
    count = np.concatenate([np.empty(0, np.int64), *counts])
    digest = np.concatenate([np.empty((0, 2), np.uint64), *digests])
    key = np.concatenate([np.empty((0, sketching.bands), np.uint64), *keys])

    folder = Path(work.folder)
    folder.mkdir(parents=True, exist_ok=True)  # there already if the work is repeated after a crash
    np.save(folder / "counts.npy", count)
    np.save(folder / "digests.npy", digest)
    np.save(folder / "keys.npy", key)
    # A document without words equals no other; one without shingles resembles no other.
    _save_column(folder, EXACT, digest[:, 0], np.flatnonzero(count > 0))
    shingled = np.flatnonzero(count >= sketching.ngram_words)
    for band in range(sketching.bands):
        _save_column(folder, band, key[:, band], shingled)
    return len(shingled)


def link_part(works: list[ShardWork], parts: int, representatives: str | None, item: tuple[int, int]) -> tuple[Numbers, Numbers]:
    """Star links between the documents of all shards whose keys are equal, for one column and one part of its range.

    ``item``: the column (``EXACT`` or a band) and the part, 0 to ``parts`` - 1. ``representatives``: file of a
    mask; documents that it leaves out are not linked.
    """
    column, part = item
    mask = np.load(representatives, mmap_mode="r") if representatives else None
    keys, numbers = [], []
    for work in works:
        folder = Path(work.folder)
        column_keys = np.load(folder / f"column{column}.keys.npy", mmap_mode="r")
        start = _first_of_part(column_keys, part, parts)
        stop = _first_of_part(column_keys, part + 1, parts)
        rows = np.load(folder / f"column{column}.rows.npy", mmap_mode="r")[start:stop]
        selected = np.ones(len(rows), bool) if mask is None else mask[work.first + rows.astype(np.int64)]
        rows = rows[selected]
        numbers.append((work.first + rows.astype(np.int64)).astype(np.uint32))
        # Digests are twice as long as band keys; the second half is looked up by row.
        second = np.load(folder / "digests.npy", mmap_mode="r")[rows, 1] if column == EXACT else np.zeros(len(rows), np.uint64)
        keys.append(np.stack([column_keys[start:stop][selected], second]))
    joined = np.concatenate(keys, axis=1)
    return star_links([joined[0], joined[1]], np.concatenate(numbers))


def gather_shard(ngram_words: int, item: LinkedRows) -> list[int]:
    """Write, batch by batch, what deciding on the linked documents of a shard takes; returns their batches."""
    work = item.work
    order = np.argsort(item.batches, kind="stable")
    rows, batch, representative = item.rows[order], item.batches[order], item.representative[order]
    frame = read_shard(work.shard, ["id", "source", "quality_score", "date", "text"])[rows]
    digests = np.load(Path(work.folder) / "digests.npy", mmap_mode="r")[rows]
    members = frame.select(
        "id",
        "source",
        "quality_score",
        pl.col("text").str.len_chars().cast(pl.Int64).alias("characters"),
        "date",
        digest_high=pl.Series(digests[:, 0]),
        digest_low=pl.Series(digests[:, 1]),
    )
    sets = [np.empty(0, np.uint64)] * len(rows)
    bringing = np.flatnonzero(representative)
    for start in range(0, len(bringing), SLICE_ROWS):
        places = bringing[start : start + SLICE_ROWS]
        words = split_words(frame["text"][places].to_list())
        for place, shingles in zip(places, shingle_sets(words, ngram_words), strict=True):
            sets[place] = shingles
    keys = np.load(Path(work.folder) / "keys.npy", mmap_mode="r")[rows]
    present, starts = np.unique(batch, return_index=True)
    for number, start, stop in zip(present, starts, [*starts[1:], len(rows)], strict=True):
        prefix = f"{work.folder}/batch{number}"
        members[start:stop].write_ipc(f"{prefix}.members.arrow")
        np.save(f"{prefix}.keys.npy", keys[start:stop])
        np.save(f"{prefix}.shingles.npy", np.concatenate(sets[start:stop]))
        np.save(f"{prefix}.counts.npy", np.array([len(shingles) for shingles in sets[start:stop]]))
    return [int(number) for number in present]


def decide_batch(threshold: float, source_priority: list[str], item: tuple[int, list[str]]) -> pl.DataFrame:
    """The removed documents of one batch of components, as ``dedup.clusters.DECISIONS``.

    ``item``: the batch and the scratch folders of the shards that hold members of it.
    """
    batch, folders = item
    frames, keys, sets = [pl.DataFrame(schema=MEMBERS)], [], []
    for folder in folders:
        prefix = f"{folder}/batch{batch}"
        frames.append(pl.read_ipc(f"{prefix}.members.arrow"))
        keys.append(np.load(f"{prefix}.keys.npy"))
        counts = np.load(f"{prefix}.counts.npy")
        sets += np.split(np.load(f"{prefix}.shingles.npy"), np.cumsum(counts)[:-1])
    if not keys:
        return pl.DataFrame(schema=DECISIONS)
    return decide(pl.concat(frames), np.concatenate(keys), sets, threshold, source_priority)


def _texts(shard: Shard) -> Iterator[list[str]]:
    for frame in read_shard(shard, ["text"]).iter_slices(SLICE_ROWS):
        yield [text or "" for text in frame["text"]]


def _save_column(folder: Path, column: int, keys: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]) -> None:
    order = rows[np.argsort(keys[rows], kind="stable")]
    np.save(folder / f"column{column}.keys.npy", keys[order])
    np.save(folder / f"column{column}.rows.npy", order.astype(np.uint32))


def _first_of_part(sorted_keys: Any, part: int, parts: int) -> int:
    """Place of the first key that belongs to a part or a later one; parts divide the 64-bit range evenly."""
    if part >= parts:
        return len(sorted_keys)
    return int(np.searchsorted(sorted_keys, np.uint64(part * (1 << 64) // parts)))
