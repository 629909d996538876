"""Signatures to and from the objects of datasketch, so that its indexes and ours speak of the same documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curation.errors import InputError

if TYPE_CHECKING:
    from datasketch import MinHash

SCHEME = "affine32"  # datasketch's name of our permutations


def signatures_of(texts: Sequence[str], ngram_words: int = 5, permutations: int = 128, seed: int = 0) -> npt.NDArray[np.uint32]:
    """MinHash signatures as the dedup stage makes them: (texts, permutations)."""
    from dedup.permutations import draw_permutations
    from dedup.shingles import signatures
    from dedup.words import split_words

    return signatures(split_words(texts), ngram_words, *draw_permutations(permutations, seed))


def hash_shingle(shingle: bytes) -> int:
    """MurmurHash3 of a shingle, its words joined with one space: datasketch's ``hashfunc``."""
    from curation.murmur3 import murmur3

    return int(murmur3(np.frombuffer(shingle, np.uint8), 0, len(shingle), 0))


def to_minhash(signature: npt.NDArray[np.uint32], seed: int = 0) -> MinHash:
    """datasketch's object of one signature: takes further shingles, merges, and goes into its indexes."""
    from datasketch import MinHash

    return MinHash(num_perm=len(signature), seed=seed & 0xFFFFFFFF, hashfunc=hash_shingle, hashvalues=signature, scheme=SCHEME)


def from_minhash(minhash: MinHash) -> npt.NDArray[np.uint32]:
    """Signature of datasketch's object.

    Raises:
        InputError: it was made with other permutations than ours.
    """
    if minhash.scheme != SCHEME:
        raise InputError(f"the MinHash has scheme {minhash.scheme}, not {SCHEME}; make it with datasketch.MinHash(scheme='{SCHEME}')")
    return np.asarray(minhash.digest(), np.uint32)
