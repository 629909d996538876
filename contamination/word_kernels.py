"""Compiled loops over the code points of a text: where its words are, and their hashes. Importing this module loads numba.

All arithmetic is on unsigned 64-bit integers that wrap around, so that every machine gives the
same numbers.
"""

from __future__ import annotations

import numpy as np

from contamination.arrays import IntArray, KeyArray
from curation.kernels import kernel
from curation.murmur3 import finalise64

# FNV-1a, 64 bit (Fowler, Noll, Vo), fed with whole code points instead of bytes.
FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)

INVISIBLE = 0xFFFFFFFF  # in a folding table: part of a word, but no letter of it
AMPERSAND, NUMBER_SIGN, SEMICOLON, SLASH, LESS_THAN, GREATER_THAN = 0x26, 0x23, 0x3B, 0x2F, 0x3C, 0x3E
SPACE, NEWLINE, TAB = 0x20, 0x0A, 0x09
LETTER_A, LETTER_Z, DIGIT_0, DIGIT_9, LOWER_CASE_BIT = 0x61, 0x7A, 0x30, 0x39, 0x20
MAX_TAG_NAME = 12  # "blockquote" and "figcaption" have 10
MAX_TAG_CHARACTERS = 1000  # our choice: a longer run between < and > is no tag but a text about inequalities
MAX_REFERENCE_CHARACTERS = 8  # "thetasym" and "#1114111"; HTML 5 has longer ones that nobody writes
MIN_REFERENCE_CHARACTERS = 2


@kernel
def find_words(code_points: KeyArray, folded: KeyArray, tags: KeyArray) -> tuple[IntArray, IntArray, KeyArray]:
    """Starts, ends (exclusive) and 64-bit hashes of the words of a text.

    ``code_points``: uint32, one per character. ``folded``: uint32 table over all code points, the letter that a
    letter or digit stands for, ``INVISIBLE`` for what does not end a word, 0 for what does. ``tags``: sorted hashes
    of the names of HTML elements; their tags, and character references such as ``&nbsp;``, are no words.
    """
    size = len(code_points)
    starts = np.empty((size + 1) // 2, np.int64)
    ends = np.empty((size + 1) // 2, np.int64)
    hashes = np.empty((size + 1) // 2, np.uint64)
    count = 0
    position = 0
    while position < size:
        code_point = code_points[position]
        letter = folded[code_point]
        if letter == 0 or letter == INVISIBLE:
            if code_point == LESS_THAN:
                position = _tag_end(code_points, position, folded, tags)
            elif code_point == AMPERSAND:
                position = _reference_end(code_points, position)
            else:
                position += 1
            continue
        starts[count] = position
        value = FNV_OFFSET
        last_letter = position
        while letter != 0:
            if letter != INVISIBLE:
                value = (value ^ np.uint64(letter)) * FNV_PRIME
                last_letter = position
            position += 1
            if position == size:
                break
            letter = folded[code_points[position]]
        ends[count] = last_letter + 1
        hashes[count] = finalise64(value)
        count += 1
    return starts[:count].copy(), ends[:count].copy(), hashes[:count].copy()


@kernel
def _tag_end(code_points: KeyArray, position: int, folded: KeyArray, tags: KeyArray) -> int:
    """Where the text goes on behind the tag that begins at ``position``; behind ``<`` alone if it is no tag."""
    place = position + 1
    if place < len(code_points) and code_points[place] == SLASH:
        place += 1
    value = FNV_OFFSET
    name_end = min(len(code_points), place + MAX_TAG_NAME)
    while place < name_end and folded[code_points[place]] != 0:
        value = (value ^ np.uint64(folded[code_points[place]])) * FNV_PRIME
        place += 1
    index = np.searchsorted(tags, value)
    if index == len(tags) or tags[index] != value:
        return position + 1
    if place < len(code_points) and code_points[place] not in (GREATER_THAN, SLASH, SPACE, NEWLINE, TAB):
        return position + 1
    end = min(len(code_points), place + MAX_TAG_CHARACTERS)
    while place < end and code_points[place] != LESS_THAN:
        if code_points[place] == GREATER_THAN:
            return place + 1
        place += 1
    return position + 1


@kernel
def _reference_end(code_points: KeyArray, position: int) -> int:
    """Where the text goes on behind the character reference that begins at ``position``; behind ``&`` alone if it is none."""
    place = position + 1
    if place < len(code_points) and code_points[place] == NUMBER_SIGN:
        place += 1
    first = place
    end = min(len(code_points), place + MAX_REFERENCE_CHARACTERS)
    while place < end:
        letter = code_points[place] | LOWER_CASE_BIT
        if not (LETTER_A <= letter <= LETTER_Z or DIGIT_0 <= code_points[place] <= DIGIT_9):
            break
        place += 1
    if place - first >= MIN_REFERENCE_CHARACTERS and place < len(code_points) and code_points[place] == SEMICOLON:
        return place + 1
    return position + 1


@kernel
def fnv_hash(letters: KeyArray) -> np.uint64:
    """FNV-1a of a name."""
    value = FNV_OFFSET
    for letter in letters:
        value = (value ^ np.uint64(letter)) * FNV_PRIME
    return value
