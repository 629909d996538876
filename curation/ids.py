"""Ids of documents: which stand twice in an input, and which are those of pieces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_PIECE_ID = re.compile(r"#\d+$")


def names_a_piece(document_id: str) -> bool:
    """Whether an id has the form ``parent#0`` that pieces get; a whole document must not, or it could meet a piece of that name."""
    return _PIECE_ID.search(document_id) is not None


def hash_id(document_id: str) -> int:
    """Stable 64-bit hash of an id."""
    return int.from_bytes(hashlib.blake2b(document_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def hash_ids(document_ids: Iterable[str]) -> NDArray[np.uint64]:
    """``hash_id`` of each."""
    digests = b"".join([hashlib.blake2b(given.encode("utf-8", "surrogatepass"), digest_size=8).digest() for given in document_ids])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


class SeenIds:
    """Hashes of all ids of the files so far; takes 8 bytes a document."""

    def __init__(self) -> None:
        self._sorted: list[NDArray[np.uint64]] = []  # each more than twice as long as the next, so that few are searched and merged

    def enter(self, id_hashes: NDArray[np.uint64]) -> frozenset[int]:
        """Take the hashes of the next file; returns those that stand in it twice, or in a file before it."""
        hashes, counts = np.unique(id_hashes, return_counts=True)
        repeated = counts > 1
        for earlier in self._sorted:
            places = np.searchsorted(earlier, hashes).clip(max=len(earlier) - 1)
            repeated |= earlier[places] == hashes
        self._sorted.append(hashes)
        while len(self._sorted) > 1 and len(self._sorted[-2]) <= 2 * len(self._sorted[-1]):
            last = self._sorted.pop()
            self._sorted[-1] = np.union1d(self._sorted[-1], last)
        self._sorted = [entry for entry in self._sorted if len(entry)]
        return frozenset(hashes[repeated].tolist())


def repeated_hashes(id_hashes: Iterable[NDArray[np.uint64]]) -> frozenset[int]:
    """Hashes of the ids that occur more than once in all inputs; takes 8 bytes a document."""
    hashes = np.sort(np.concatenate(list(id_hashes)))
    return frozenset(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]).tolist())
