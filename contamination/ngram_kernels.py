"""Compiled loops over the word hashes of a text: keys of its n-grams, and which of them are in a table. Importing this loads numba.

All arithmetic is on unsigned 64-bit integers that wrap around, so that every machine gives the
same numbers. Nothing here knows what a benchmark is.
"""

from __future__ import annotations

import numpy as np

from contamination.arrays import IntArray, KeyArray
from curation.kernels import kernel
from curation.murmur3 import finalise64

# Odd multiplier of the n-gram polynomial: 2^64 divided by the golden ratio (Knuth, vol. 3, 6.4).
BASE = np.uint64(0x9E3779B97F4A7C15)

FIRST_CAPACITY = 16
ONE = np.uint64(1)
BIT_MASK = np.uint64(63)  # a filter word has 2^6 bits
SECOND_BIT, THIRD_BIT = np.uint64(6), np.uint64(12)  # how far a key is shifted to choose its bits of a filter word


@kernel
def ngram_keys(word_hashes: KeyArray, words: int) -> KeyArray:
    """Key of the n-gram that begins at each word: uint64, ``max(0, len(word_hashes) - words + 1)`` of them."""
    count = max(0, len(word_hashes) - words + 1)
    keys = np.empty(count, np.uint64)
    if count == 0:
        return keys
    leading = ONE  # BASE ** words
    value = np.uint64(0)
    for position in range(words):
        leading *= BASE
        value = value * BASE + word_hashes[position]
    keys[0] = finalise64(value)
    for position in range(1, count):
        value = value * BASE + word_hashes[position + words - 1] - word_hashes[position - 1] * leading
        keys[position] = finalise64(value)
    return keys


@kernel
def _key_at(word_hashes: KeyArray, position: int, words: int) -> np.uint64:
    """What ``ngram_keys`` has at the position."""
    value = np.uint64(0)
    for place in range(position, position + words):
        value = value * BASE + word_hashes[place]
    key: np.uint64 = finalise64(value)
    return key


@kernel
def _filter_bits(key: np.uint64) -> np.uint64:
    return (ONE << (key & BIT_MASK)) | (ONE << ((key >> SECOND_BIT) & BIT_MASK)) | (ONE << ((key >> THIRD_BIT) & BIT_MASK))


@kernel
def add_to_filter(keys: KeyArray, filter_words: KeyArray, shift: int) -> None:
    """Put keys into a blocked Bloom filter (Putze, Sanders, Singler, 2007): for each, three bits of the 64-bit word ``key >> shift``."""
    for key in keys:
        filter_words[key >> np.uint64(shift)] |= _filter_bits(key)


@kernel
def _may_hold(filter_words: KeyArray, shift: int, key: np.uint64) -> bool:
    bits = _filter_bits(key)
    return bool(filter_words[key >> np.uint64(shift)] & bits == bits)


@kernel
def find_candidates(word_hashes: KeyArray, words: int, run_words: int, filter_words: KeyArray, shift: int) -> IntArray:
    """Positions of the n-grams of which every run of ``run_words`` words passes the filter, ascending.

    The runs of an n-gram are looked up from its last one backwards. One that does not pass rules out every n-gram
    that holds it, so that the search goes on behind it, as in Wu and Manber (1994), "A fast algorithm for
    multi-pattern searching". No run is looked up twice.
    """
    candidates = np.empty(FIRST_CAPACITY, np.int64)
    found = 0
    position = 0
    passed = 0  # runs from ``position`` up to this one, exclusive, have passed
    while position + words <= len(word_hashes):
        end = position + words - run_words + 1
        run = end - 1
        while run >= passed and _may_hold(filter_words, shift, _key_at(word_hashes, run, run_words)):
            run -= 1
        if run >= passed:
            position = run + 1
        else:
            if found == len(candidates):
                candidates = np.concatenate((candidates, np.empty(found, np.int64)))
            candidates[found] = position
            found += 1
            position += 1
        passed = end
    return candidates[:found]


@kernel
def find_keys(
    word_hashes: KeyArray, positions: IntArray, words: int, sorted_keys: KeyArray, starts: IntArray, filter_words: KeyArray, shift: int
) -> tuple[IntArray, IntArray]:
    """Which n-grams that begin at some words occur in a sorted key table: (their positions, indices of their keys).

    ``positions`` ascend. ``filter_words``: of the table; ``starts``: where the keys of each filter word begin in the table,
    and last, where they end.
    """
    places = np.empty(len(positions), np.int64)
    indices = np.empty(len(positions), np.int64)
    found = 0
    for position in positions:
        if position + words > len(word_hashes):
            break
        key = _key_at(word_hashes, position, words)
        if _may_hold(filter_words, shift, key):
            own = key >> np.uint64(shift)
            for index in range(starts[own], starts[own + ONE]):
                if sorted_keys[index] == key:
                    places[found] = position
                    indices[found] = index
                    found += 1
    return places[:found], indices[:found]
