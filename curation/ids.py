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


def repeated_hashes(id_hashes: Iterable[NDArray[np.uint64]]) -> frozenset[int]:
    """Hashes of the ids that occur more than once in all inputs; takes 8 bytes a document."""
    hashes = np.sort(np.concatenate(list(id_hashes)))
    return frozenset(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]).tolist())
