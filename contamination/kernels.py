"""Compiled loops over code points and word hashes; importing this module loads numba.

All arithmetic is on unsigned 64-bit integers that wrap around, so that every machine gives the
same numbers. Nothing here knows what a benchmark is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from contamination.arrays import IntArray, KeyArray

# FNV-1a, 64 bit (Fowler, Noll, Vo), fed with whole code points instead of bytes.
FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
# The finaliser of MurmurHash3 (fmix64): every bit of the input reaches every bit of the output.
MIX_SHIFT = np.uint64(33)
MIX_FIRST = np.uint64(0xFF51AFD7ED558CCD)
MIX_SECOND = np.uint64(0xC4CEB9FE1A85EC53)
# Odd multiplier of the n-gram polynomial: 2^64 divided by the golden ratio (Knuth, vol. 3, 6.4).
BASE = np.uint64(0x9E3779B97F4A7C15)

FIRST_CAPACITY = 16
WORD_BITS = np.uint64(6)  # a filter word has 2^6 bits
BIT_MASK = np.uint64(63)
ONE = np.uint64(1)


@njit(cache=True, nogil=True, inline="always")
def _mix(value: np.uint64) -> np.uint64:
    value ^= value >> MIX_SHIFT
    value *= MIX_FIRST
    value ^= value >> MIX_SHIFT
    value *= MIX_SECOND
    return value ^ (value >> MIX_SHIFT)


@njit(cache=True, nogil=True)
def find_words(code_points: KeyArray, folded: KeyArray) -> tuple[IntArray, IntArray, KeyArray]:
    """Starts, ends (exclusive) and 64-bit hashes of the words of a text.

    ``code_points``: uint32, one per character. ``folded``: uint32 table over all code points, the
    lower-case form of a letter or digit, 0 for anything else. A word is a run of non-zero entries.
    """
    count = 0
    inside = False
    for code_point in code_points:
        is_word = folded[code_point] != 0
        if is_word and not inside:
            count += 1
        inside = is_word

    starts = np.empty(count, np.int64)
    ends = np.empty(count, np.int64)
    hashes = np.empty(count, np.uint64)
    word = -1
    inside = False
    value = FNV_OFFSET
    for position in range(len(code_points)):
        letter = folded[code_points[position]]
        if letter != 0:
            if not inside:
                word += 1
                starts[word] = position
                value = FNV_OFFSET
                inside = True
            value = (value ^ np.uint64(letter)) * FNV_PRIME
        elif inside:
            ends[word] = position
            hashes[word] = _mix(value)
            inside = False
    if inside:
        ends[word] = len(code_points)
        hashes[word] = _mix(value)
    return starts, ends, hashes


@njit(cache=True, nogil=True)
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
    keys[0] = _mix(value)
    for position in range(1, count):
        value = value * BASE + word_hashes[position + words - 1] - word_hashes[position - 1] * leading
        keys[position] = _mix(value)
    return keys


@njit(cache=True, nogil=True)
def build_filter(keys: KeyArray, shift: int) -> KeyArray:
    """Bitmap (uint64 words) in which bit ``key >> shift`` is set for every key."""
    bits = np.zeros(1 << (64 - shift - 6), np.uint64)
    for key in keys:
        bit = key >> np.uint64(shift)
        bits[bit >> WORD_BITS] |= ONE << (bit & BIT_MASK)
    return bits


@njit(cache=True, nogil=True)
def find_keys(word_hashes: KeyArray, words: int, sorted_keys: KeyArray, bits: KeyArray, shift: int) -> tuple[IntArray, IntArray]:
    """Where n-grams of a text occur in a sorted key table: (positions of first words, indices of keys).

    One pass: the rolling key of each n-gram is looked up in the bitmap, and only what passes it is
    searched for in the table. Positions ascend.
    """
    positions = np.empty(FIRST_CAPACITY, np.int64)
    indices = np.empty(FIRST_CAPACITY, np.int64)
    found = 0
    if len(word_hashes) < words or len(sorted_keys) == 0:
        return positions[:0], indices[:0]
    leading = ONE
    value = np.uint64(0)
    for position in range(words - 1):
        leading *= BASE
        value = value * BASE + word_hashes[position]
    for position in range(len(word_hashes) - words + 1):
        value = value * BASE + word_hashes[position + words - 1]
        key = _mix(value)
        value -= word_hashes[position] * leading
        bit = key >> np.uint64(shift)
        if (bits[bit >> WORD_BITS] >> (bit & BIT_MASK)) & ONE == 0:
            continue
        index = np.searchsorted(sorted_keys, key)
        if index == len(sorted_keys) or sorted_keys[index] != key:
            continue
        if found == len(positions):
            positions = np.concatenate((positions, np.empty(found, np.int64)))
            indices = np.concatenate((indices, np.empty(found, np.int64)))
        positions[found] = position
        indices[found] = index
        found += 1
    return positions[:found], indices[:found]
