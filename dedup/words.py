"""From texts to words: lower-cased Unicode letters and digits, and the digest of a normalised text.

Two documents whose words are equal are exact duplicates; what stands between the words (spaces,
punctuation, symbols) does not count. Imports numba: import this module where it is used.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
from curation.murmur3 import PADDING
from curation.scripts import SPACELESS_SCRIPTS
from curation.utf8 import decode

# What a character does; the class of each code point is looked up in one table, with its lower case.
SEPARATOR, LETTER, LONE_LETTER, MARK = 0, 1, 2, 3
CLASS_BITS = 2

# Code points with a class or a lower case lie in these ranges, as the tests make sure for the interpreter at hand. To ask
# for every code point takes each worker a fifth of a second.
CLASSIFIED = ((0x0, 0x40000), (0xE0000, 0xE0200))
CASED = (0x0, 0x20000)

# Their lower case depends on their neighbours, or is more than one character: Python lowers texts that hold one.
SIGMA, DOTTED_I = 0x3A3, 0x130

DIGEST_BYTES = 16  # 128 bits: no chance collision among 10^12 documents


@dataclass(frozen=True)
class Words:
    """The words of a batch of documents, joined with one space, as UTF-8.

    ``content``: uint8, the normalised texts one after the other, then ``PADDING`` zeros. ``starts``: int64, for each
    document the offset of each word in ``content`` and then one past the space that would follow
    the last word, so that words i to j (j exclusive) are ``content[starts[i] : starts[j] - 1]``.
    ``bounds``: int64, documents + 1 entries; the starts of document d are
    ``starts[bounds[d] : bounds[d + 1]]``, one more than it has words.
    """

    content: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many words each document has."""
        return np.diff(self.bounds) - 1

    def text(self, document: int) -> bytes:
        """The normalised text of one document, UTF-8."""
        first, last = self.bounds[document], self.bounds[document + 1] - 1
        return self.content[self.starts[first] : max(self.starts[first], self.starts[last] - 1)].tobytes()


def split_words(texts: Sequence[str]) -> Words:
    """The words of each text: runs of letters, digits and their combining marks, lower-cased.

    Letters of scripts without spaces between words are words of their own.
    """
    return split_encoded([text.encode("utf-8", "replace") for text in texts])


def split_encoded(texts: Sequence[bytes]) -> Words:
    """The words of each text, given as UTF-8."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    content, starts, bounds, complete = _split(np.frombuffer(b"".join(texts), np.uint8), offsets, character_table())
    return Words(content, starts, bounds) if complete else split_encoded([text.decode().lower().encode() for text in texts])


def text_digests(words: Words) -> npt.NDArray[np.uint64]:
    """128-bit BLAKE2b of each normalised text: (documents, 2), high half first."""
    content = words.content.data
    firsts, ends = words.starts[words.bounds[:-1]], words.starts[words.bounds[1:] - 1] - 1
    digests = b"".join(
        hashlib.blake2b(content[first : max(first, end)], digest_size=DIGEST_BYTES).digest()
        for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)
    )
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


@functools.cache
def character_table() -> npt.NDArray[np.uint32]:
    """Of every code point: its lower case << ``CLASS_BITS``, and the class of that, one of SEPARATOR, LETTER, LONE_LETTER, MARK."""
    lower = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for code in range(*CASED):
        lowered = chr(code).lower()
        if len(lowered) == 1:
            lower[code] = ord(lowered)
    return lower << np.uint32(CLASS_BITS) | character_classes()[lower]


def character_classes() -> npt.NDArray[np.uint8]:
    """Class of every code point."""
    of_category = {"L": LETTER, "N": LETTER, "M": MARK}
    classes = np.full(sys.maxunicode + 1, SEPARATOR, np.uint8)
    for first, end in CLASSIFIED:
        categories = map(unicodedata.category, map(chr, range(first, end)))
        classes[first:end] = [of_category.get(category[0], SEPARATOR) for category in categories]
    for first, last in SPACELESS_SCRIPTS:
        block = classes[first : last + 1]
        block[block == LETTER] = LONE_LETTER
    return classes


@kernel
def _encode(content: Any, written: Any, code: Any) -> Any:
    """Write a code point as UTF-8; returns the place after it."""
    width = np.uint64(1) + np.uint64(code >= 0x80) + np.uint64(code >= 0x800) + np.uint64(code >= 0x10000)
    place = written + width
    while width > 1:
        width -= np.uint64(1)
        content[written + width] = np.uint32(0x80) | code & np.uint32(0x3F)
        code >>= np.uint32(6)
    lead = np.uint32(0xF00 >> (place - written)) & np.uint32(0xFF) if place - written > 1 else np.uint32(0)
    content[written] = lead | code
    return place


@kernel
def _split(data: Any, offsets: Any, table: Any) -> Any:
    """Content, starts and bounds; False as the last, where a letter is met that only Python can lower."""
    documents = len(offsets) - 1
    # A word with the space after it takes at most twice its bytes: a word takes at least one byte, two words without a
    # separator between them are told apart by a letter of three bytes, and a lower case is at most one byte longer, and
    # only where the letter takes two.
    content = np.empty(2 * len(data) + 1 + PADDING, np.uint8)
    starts = np.empty(len(data) // 2 + 2 * documents, np.int64)
    bounds = np.zeros(documents + 1, np.int64)
    one, space = np.uint64(1), np.uint8(0x20)
    position, written, words = np.uint64(0), np.uint64(0), np.uint64(0)  # without a sign: numba need not ask for it at each index
    for document in range(documents):
        end = np.uint64(offsets[document + 1])
        previous = np.uint32(SEPARATOR)  # class of the letter before, marks left out
        while position < end:
            first = data[position]
            if first < 0x80 and previous != LONE_LETTER:
                # Written without asking, then counted or not: where words end no processor can foresee.
                entry = table[first]
                letter = entry & np.uint32(1)
                content[written] = entry >> np.uint32(CLASS_BITS) if letter else np.uint32(space)
                starts[words] = written
                words += np.uint64(letter & ~previous)
                written += np.uint64(letter | previous)
                previous = letter
                position += one
                continue
            code, width = decode(data, np.int64(position))
            position += np.uint64(width)
            if code in (SIGMA, DOTTED_I):
                return content, starts, bounds, False
            entry = table[code]
            kind = entry & np.uint32((1 << CLASS_BITS) - 1)
            if kind == MARK:  # belongs to the letter before; alone it is a letter
                kind = previous if previous != SEPARATOR else np.uint32(LETTER)
                begins = previous == SEPARATOR
            else:
                begins = kind != SEPARATOR and (kind == LONE_LETTER or kind != previous)
            if previous != SEPARATOR and (begins or kind == SEPARATOR):
                content[written] = space
                written += one
            if begins:
                starts[words] = written
                words += one
            if kind != SEPARATOR:
                written = _encode(content, written, entry >> np.uint32(CLASS_BITS))
            previous = kind
        if previous != SEPARATOR:
            content[written] = space
            written += one
        starts[words] = written
        words += one
        bounds[document + 1] = words
    length = np.int64(written) + PADDING
    content[length - PADDING : length] = 0
    return content[:length], starts[: np.int64(words)], bounds, True
