"""From words to shingles: hashed word n-grams, MinHash signatures, and the sets for exact Jaccard similarity.

A shingle is the MurmurHash3 of n words joined with one space. Signatures equal, bit for bit, those
of ``datasketch.MinHash(scheme="affine32", hashfunc=mmh3)``. Documents with fewer than n words have
no shingles. Imports numba: import this module where it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
from curation.murmur3 import finalise, murmur3_padded
from dedup.words import Words

EMPTY_ROW = 0xFFFFFFFF  # minimum over no shingle, as in datasketch
SET_SEED = 1  # second hash of the shingle sets; any value but the signatures' 0


def signatures(words: Words, ngram_words: int, factors: npt.NDArray[np.uint32], addends: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """MinHash signatures: (documents, permutations) uint32; ``EMPTY_ROW`` throughout where there is no shingle."""
    return _signatures(words.content, words.starts, words.bounds, ngram_words, factors, addends)  # type: ignore[no-any-return]


def shingle_sets(words: Words, ngram_words: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The set of shingles of each document, sorted, each once; and their bounds: set d is ``sets[bounds[d] : bounds[d + 1]]``.

    64 bits a shingle: among 10^7 of them a chance collision is a matter of one in 10^5, so the
    Jaccard similarity of two sets is that of the word n-grams themselves.
    """
    return _shingles(words.content, words.starts, words.bounds, ngram_words)  # type: ignore[no-any-return]


@kernel
def _shingle(content: Any, starts: Any, word: Any, ngram_words: Any) -> Any:
    """Hash of the words from one on; datasketch mixes it once more before it permutes it."""
    return finalise(murmur3_padded(content, starts[word], starts[word + ngram_words] - 1, 0))


@kernel
def _signatures(content: Any, starts: Any, bounds: Any, ngram_words: Any, factors: Any, addends: Any) -> Any:
    documents, count = len(bounds) - 1, len(factors)
    rows = np.full((documents, count), np.uint32(EMPTY_ROW), np.uint32)
    for document in range(documents):
        row = rows[document]
        word, end = bounds[document], bounds[document + 1] - ngram_words
        while word + 4 <= end:  # four shingles for each time that the row is read and written
            one, two = _shingle(content, starts, word, ngram_words), _shingle(content, starts, word + 1, ngram_words)
            three, four = _shingle(content, starts, word + 2, ngram_words), _shingle(content, starts, word + 3, ngram_words)
            for k in range(count):
                factor, addend = factors[k], addends[k]
                first = min(np.uint32(factor * one + addend), np.uint32(factor * two + addend))
                second = min(np.uint32(factor * three + addend), np.uint32(factor * four + addend))
                row[k] = min(row[k], min(first, second))
            word += 4
        while word < end:
            shingle = _shingle(content, starts, word, ngram_words)
            for k in range(count):
                row[k] = min(row[k], np.uint32(factors[k] * shingle + addends[k]))
            word += 1
    return rows


@kernel
def _shingles(content: Any, starts: Any, bounds: Any, ngram_words: Any) -> Any:
    hashes = np.empty(len(starts), np.uint64)
    set_bounds = np.zeros(len(bounds), np.int64)
    written = 0
    for document in range(len(bounds) - 1):
        begin, end_of_document = written, max(bounds[document], bounds[document + 1] - ngram_words)
        for word in range(bounds[document], end_of_document):
            first, end = starts[word], starts[word + ngram_words] - 1
            high, low = murmur3_padded(content, first, end, 0), murmur3_padded(content, first, end, SET_SEED)
            hashes[written] = np.uint64(high) << 32 | np.uint64(low)
            written += 1
        found = np.sort(hashes[begin:written])
        written = begin
        for place in range(len(found)):
            if place == 0 or found[place] != found[place - 1]:
                hashes[written] = found[place]
                written += 1
        set_bounds[document + 1] = written
    return hashes[:written].copy(), set_bounds
