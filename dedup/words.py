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
from curation.scripts import SPACELESS_SCRIPTS
from curation.utf8 import decode

# What a character does; the class of each code point is looked up in one table.
SEPARATOR, LETTER, LONE_LETTER, MARK = 0, 1, 2, 3

DIGEST_BYTES = 16  # 128 bits: no chance collision among 10^12 documents


@dataclass(frozen=True)
class Words:
    """The words of a batch of documents, joined with one space, as UTF-8.

    ``content``: uint8, the normalised texts one after the other. ``starts``: int64, for each
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
    encoded = [text.lower().encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    content, starts, bounds = _split(np.frombuffer(b"".join(encoded), np.uint8), offsets, character_classes())
    return Words(content, starts, bounds)


def text_digests(words: Words) -> npt.NDArray[np.uint64]:
    """128-bit BLAKE2b of each normalised text: (documents, 2), high half first."""
    digests = b"".join(
        hashlib.blake2b(words.text(document), digest_size=DIGEST_BYTES).digest() for document in range(len(words.bounds) - 1)
    )
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


@functools.cache
def character_classes() -> npt.NDArray[np.uint8]:
    """Class of every code point: uint8, one of SEPARATOR, LETTER, LONE_LETTER, MARK."""
    of_category = {"L": LETTER, "N": LETTER, "M": MARK}
    categories = (of_category.get(unicodedata.category(chr(code))[0], SEPARATOR) for code in range(sys.maxunicode + 1))
    classes = np.fromiter(categories, np.uint8, sys.maxunicode + 1)
    for first, last in SPACELESS_SCRIPTS:
        block = classes[first : last + 1]
        block[block == LETTER] = LONE_LETTER
    return classes


@kernel
def _split(data: Any, offsets: Any, classes: Any) -> Any:
    documents = len(offsets) - 1
    # A word with the space after it takes at most twice its bytes; a word takes at least one byte,
    # and two words without a separator between them are told apart by a letter of three bytes.
    content = np.empty(2 * len(data) + 1, np.uint8)
    starts = np.empty(len(data) // 2 + 2 * documents, np.int64)
    bounds = np.zeros(documents + 1, np.int64)
    written, words = 0, 0
    for document in range(documents):
        position, end = offsets[document], offsets[document + 1]
        previous = SEPARATOR  # class of the letter before, marks left out
        while position < end:
            code, width = decode(data, position)
            kind = classes[code]
            if kind == MARK:  # belongs to the letter before; alone it is a letter
                kind = previous if previous != SEPARATOR else LETTER
                begins = previous == SEPARATOR
            else:
                begins = kind != SEPARATOR and (kind == LONE_LETTER or kind != previous)
            if previous != SEPARATOR and (begins or kind == SEPARATOR):
                content[written] = 0x20
                written += 1
            if begins:
                starts[words] = written
                words += 1
            if kind != SEPARATOR:
                content[written] = data[position]
                for byte in range(1, width):
                    content[written + byte] = data[position + byte]
                written += width
            previous = kind
            position += width
        if previous != SEPARATOR:
            content[written] = 0x20
            written += 1
        starts[words] = written
        words += 1
        bounds[document + 1] = words
    return content[:written].copy(), starts[:words].copy(), bounds
