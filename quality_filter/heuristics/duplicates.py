"""How much of a text says what it has said before; importing this module loads numba.

Parts (lines, paragraphs) and words come as 64-bit hashes, so two different ones are taken for equal
once in 10^13 documents or so. All arithmetic is on unsigned integers that wrap around, so that
every machine gives the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel
from curation.murmur3 import finalise64

# Odd multiplier of the n-gram polynomial: 2^64 divided by the golden ratio (Knuth, vol. 3, 6.4).
BASE = np.uint64(0x9E3779B97F4A7C15)
SMALLEST_TABLE = 16


@kernel
def _table_size(entries: Any) -> Any:
    """The power of two that so many entries fill by half at most."""
    size = SMALLEST_TABLE
    while size < 2 * entries:
        size *= 2
    return size


@kernel
def _largest_table(bounds: Any) -> Any:
    most = 0
    for document in range(len(bounds) - 1):
        most = max(most, bounds[document + 1] - bounds[document])
    return _table_size(most)


@kernel
def _find_place(keys: Any, owners: Any, size: Any, key: Any, owner: Any) -> Any:
    """Place of a document's key in an open-addressing table, or the free one where it belongs.

    The first ``size`` places count. Entries of other owners (documents) are free places, so that
    nothing needs to be cleared between two documents.
    """
    place = np.int64(key & np.uint64(size - 1))
    while owners[place] == owner and keys[place] != key:
        place = (place + 1) & (size - 1)
    return place


@kernel
def count_duplicate_parts(starts: Any, ends: Any, hashes: Any, bounds: Any) -> Any:
    """Of each document: parts that occurred before, and their characters (int64 each)."""
    documents = len(bounds) - 1
    parts, characters = np.zeros(documents, np.int64), np.zeros(documents, np.int64)
    size = _largest_table(bounds)
    keys, owners = np.empty(size, np.uint64), np.full(size, -1, np.int64)
    for document in range(documents):
        size = _table_size(bounds[document + 1] - bounds[document])
        for part in range(bounds[document], bounds[document + 1]):
            key = finalise64(hashes[part])
            place = _find_place(keys, owners, size, key, document)
            if owners[place] == document:
                parts[document] += 1
                characters[document] += ends[part] - starts[part]
            else:
                keys[place], owners[place] = key, document
    return parts, characters


@kernel
def _sum_up(starts: Any, ends: Any, hashes: Any, first: Any, last: Any, sums: Any, lengths: Any) -> None:
    """Running polynomial of the hashes and running number of characters of the words ``first`` to ``last`` (exclusive), from 0 on."""
    sums[0], lengths[0] = 0, 0
    for word in range(first, last):
        place = word - first
        sums[place + 1] = sums[place] * BASE + hashes[word]
        lengths[place + 1] = lengths[place] + ends[word] - starts[word]


@kernel
def _power(size: Any) -> Any:
    power = np.uint64(1)
    for _ in range(size):
        power *= BASE
    return power


@kernel
def count_top_ngram(starts: Any, ends: Any, hashes: Any, bounds: Any, ngram_words: Any) -> Any:
    """Of each document: characters of all occurrences of its most frequent n-gram, with a space between two words (int64).

    Of several that are equally frequent the one that comes first counts. Overlapping occurrences count each.
    """
    documents = len(bounds) - 1
    characters = np.zeros(documents, np.int64)
    size = _largest_table(bounds)
    keys, owners = np.empty(size, np.uint64), np.full(size, -1, np.int64)
    counts, firsts = np.empty(size, np.int64), np.empty(size, np.int64)
    sums, lengths = np.empty(size, np.uint64), np.empty(size, np.int64)
    leading = _power(ngram_words)
    for document in range(documents):
        words = bounds[document + 1] - bounds[document]
        size = _table_size(words)
        _sum_up(starts, ends, hashes, bounds[document], bounds[document + 1], sums, lengths)
        most, first = 0, 0
        for word in range(words - ngram_words + 1):
            key = finalise64(sums[word + ngram_words] - sums[word] * leading)
            place = _find_place(keys, owners, size, key, document)
            if owners[place] != document:
                keys[place], owners[place], counts[place], firsts[place] = key, document, 0, word
            counts[place] += 1
            if counts[place] > most or (counts[place] == most and firsts[place] < first):
                most, first = counts[place], firsts[place]
        if most:
            characters[document] = most * (lengths[first + ngram_words] - lengths[first] + ngram_words - 1)
    return characters


@kernel
def count_duplicate_ngrams(starts: Any, ends: Any, hashes: Any, bounds: Any, ngram_words: Any) -> Any:
    """Of each document: characters of the words inside n-grams that occurred before, each word counted once (int64).

    Goes from left to right, and past an n-gram that occurred before as a whole.
    """
    documents = len(bounds) - 1
    characters = np.zeros(documents, np.int64)
    size = _largest_table(bounds)
    keys, owners = np.empty(size, np.uint64), np.full(size, -1, np.int64)
    sums, lengths = np.empty(size, np.uint64), np.empty(size, np.int64)
    leading = _power(ngram_words)
    for document in range(documents):
        words = bounds[document + 1] - bounds[document]
        size = _table_size(words)
        _sum_up(starts, ends, hashes, bounds[document], bounds[document + 1], sums, lengths)
        word = 0
        while word < words - ngram_words + 1:
            key = finalise64(sums[word + ngram_words] - sums[word] * leading)
            place = _find_place(keys, owners, size, key, document)
            if owners[place] == document:
                characters[document] += lengths[word + ngram_words] - lengths[word]
                word += ngram_words
            else:
                keys[place], owners[place] = key, document
                word += 1
    return characters
