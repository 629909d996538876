"""One line of plain words for the classifiers: the same function for training and scoring, for both classes.

fastText splits at ASCII white space, ends a document at a newline or at the word ``</s>``, and takes
a word that begins with ``__label__`` for a label; no page may reach it with any of these. What is
left tells nothing of a text's format: no line ends, no runs of blanks, no capitals, and no more
than a window of words. Imports numba: import this module where it is used.
"""

from __future__ import annotations

import functools
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

LABEL_PREFIX = "__label__"
CHARACTERS_PER_WORD = (
    32  # our choice: a window of n words ends after 32 n characters at the latest, so that one huge word is not read whole
)

# What a character does; the class of each code point is looked up in one table.
SYMBOL, LETTER, LONE, SEPARATOR = 0, 1, 2, 3  # the last two end a word

_LABEL = np.frombuffer(LABEL_PREFIX.encode(), np.uint8)
_LABEL_WORD = np.frombuffer(b"label", np.uint8)
_LINE_END = np.frombuffer(b"</s>", np.uint8)
_LINE_END_WORD = np.frombuffer(b"s", np.uint8)


@dataclass(frozen=True)
class Lines:
    """The normalised lines of a batch of documents.

    ``content``: uint8, UTF-8 of all lines; words are parted by one space, lines by a newline.
    ``bounds``: int64, documents + 1 entries; line d is ``content[bounds[d] : bounds[d + 1] - 1]``.
    ``words``: int64, words of each line.
    """

    content: npt.NDArray[np.uint8]
    bounds: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    def texts(self) -> list[str]:
        """The lines as strings."""
        return self.content.tobytes().decode("utf-8").split("\n")[:-1]

    def select(self, places: npt.NDArray[np.int64]) -> Lines:
        """Some of the lines."""
        texts = self.texts()
        return Lines.of([texts[place] for place in places])

    @classmethod
    def of(cls, lines: Sequence[str]) -> Lines:
        """Lines that ``texts`` returned before."""
        encoded = [line.encode() for line in lines]
        content = np.frombuffer(b"".join(line + b"\n" for line in encoded), np.uint8)
        bounds = np.concatenate([[0], np.cumsum([len(line) + 1 for line in encoded], dtype=np.int64)]).astype(np.int64)
        return cls(content, bounds, np.array([line.count(b" ") + bool(line) for line in encoded], np.int64))


def normalise(texts: Sequence[str | None], max_words: int) -> Lines:
    """The lower-case words at the beginning of each text: ``max_words`` at most, of ``CHARACTERS_PER_WORD`` times as many characters.

    Words stand between white space or control characters and hold a letter or digit: bars of tables
    and bullets of lists tell how a page was extracted, not what it says. A letter of a script without
    spaces is a word of its own. A word ``__label__x`` becomes ``label x``, and ``</s>`` becomes ``s``.
    """
    longest = CHARACTERS_PER_WORD * max_words
    encoded = [(text or "")[:longest].lower().encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return Lines(*_normalise(np.frombuffer(b"".join(encoded), np.uint8), offsets, max_words, _character_classes()))


@functools.cache
def _character_classes() -> npt.NDArray[np.uint8]:
    """Class of every code point: uint8."""
    classes = np.full(sys.maxunicode + 1, SYMBOL, np.uint8)
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        if character.isspace() or category == "Cc":
            classes[code] = SEPARATOR
        elif category[0] in "LN":
            classes[code] = LETTER
    for first, last in SPACELESS_SCRIPTS:
        classes[first : last + 1] = LONE
    return classes


@kernel
def _normalise(data: Any, offsets: Any, max_words: Any, classes: Any) -> Any:
    documents = len(offsets) - 1
    # The longest growth: a lone letter of three bytes gets a space, a line its end, a label becomes no longer.
    content = np.empty(2 * len(data) + documents + 1, np.uint8)
    bounds = np.zeros(documents + 1, np.int64)
    words = np.zeros(documents, np.int64)
    written = 0
    for document in range(documents):
        position, end = offsets[document], offsets[document + 1]
        start, count = written, 0  # of the line
        begun, lettered = written, False  # where the word that is being written begins, and whether it holds a letter
        while True:
            kind, width = SEPARATOR, 0
            if position < end:
                code, width = decode(data, position)
                kind = classes[code]
            if kind >= LONE and written > begun:  # a word ends
                written, more = _end_word(content, begun, written, max_words - count) if lettered else (begun, 0)
                count += more
                begun, lettered = written, False
            if position >= end or count >= max_words:
                break
            if kind != SEPARATOR:
                for byte in range(width):
                    content[written + byte] = data[position + byte]
                written += width
            lettered = lettered or kind == LETTER
            if kind == LONE:
                content[written] = 0x20
                written += 1
                begun, count = written, count + 1
                if count >= max_words:
                    break
            position += width
        written -= written > start  # the last space
        content[written] = 0x0A
        written += 1
        bounds[document + 1] = written
        words[document] = count
    return content[:written].copy(), bounds, words


@kernel
def _end_word(content: Any, begun: Any, written: Any, room: Any) -> Any:
    """Make the word harmless and write a space after it: (where the next begins, words it has become)."""
    count = 0
    while count < room and _starts_with(content, begun, written, _LABEL):
        rest = begun + len(_LABEL_WORD) + 1
        left = written - begun - len(_LABEL)
        for byte in range(left):  # forwards: what is moved goes to lower places
            content[rest + byte] = content[begun + len(_LABEL) + byte]
        content[begun : rest - 1] = _LABEL_WORD
        content[rest - 1] = 0x20
        begun, written, count = rest, rest + left, count + 1
    if count == room or written == begun:
        return begun, count
    if written - begun == len(_LINE_END) and _starts_with(content, begun, written, _LINE_END):
        content[begun : begun + len(_LINE_END_WORD)] = _LINE_END_WORD
        written = begun + len(_LINE_END_WORD)
    content[written] = 0x20
    return written + 1, count + 1


@kernel
def _starts_with(content: Any, start: Any, end: Any, prefix: Any) -> Any:
    if end - start < len(prefix):
        return False
    for place in range(len(prefix)):  # noqa: SIM110 - compiled
        if content[start + place] != prefix[place]:
            return False
    return True
