"""Is this a whole fastText classifier? Read its structure before the library does.

The library believes every number in the file: a truncated model ends the process (SIGFPE), asks for
terabytes, or scores with weights that were never there. The format is fastText's, version 12: magic
and version, arguments, dictionary, then for input and output a flag and a matrix.
"""

from __future__ import annotations

import struct

import numpy as np

from curation.errors import InputError

MAGIC = 793712314
VERSION = 12
ARGUMENTS = struct.Struct("<12id")  # the eighth integer is the kind of model, the first the dimension
SUPERVISED = 3
DICTIONARY = struct.Struct("<3i2q")  # entries, words, labels, tokens, pruned n-grams (-1: none pruned)
ENTRY = struct.Struct("<qb")  # after the word and its NUL: count, kind (0 word, 1 label)
MATRIX = struct.Struct("<2q")  # rows, columns
QUANTIZER = struct.Struct("<4i")  # dimension, parts, dimension of a part, of the last part
CENTROIDS = 256  # per part


class _Cursor:
    """A place in the file that only moves forward and never beyond the end."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self.place = 0

    def skip(self, size: int) -> int:
        """Pass over ``size`` bytes; returns where they start."""
        start = self.place
        if size < 0 or start + size > len(self.content):
            raise _refusal(self.name, f"it ends at byte {len(self.content)}, in the middle of its contents")
        self.place += size
        return start

    def read(self, layout: struct.Struct) -> tuple[int, ...]:
        return layout.unpack_from(self.content, self.skip(layout.size))

    def read_word(self) -> bytes:
        end = self.content.find(b"\0", self.place)
        return self.content[self.skip(end + 1 - self.place) : end]


def _refusal(name: str, why: str) -> InputError:
    return InputError(f"{name} cannot be used as a classifier: {why}; give a supervised fastText model or let the stage train one")


def check_model(content: bytes, name: str, label: str) -> None:
    """Accept a complete supervised fastText model that knows ``label``; dense or quantized.

    Raises:
        InputError: it is something else, or damaged; ``name`` and the reason are in the message.
    """
    cursor = _Cursor(content, name)
    if len(content) < 8 or struct.unpack_from("<i", content)[0] != MAGIC:
        raise _refusal(name, "it is no fastText model")
    cursor.skip(4)
    version = cursor.read(struct.Struct("<i"))[0]
    if version != VERSION:
        raise _refusal(name, f"its format has version {version}, and {VERSION} is expected")
    arguments = cursor.read(ARGUMENTS)
    if arguments[7] != SUPERVISED:
        raise _refusal(name, "it holds word vectors, not a classifier")
    labels = _read_labels(cursor)
    if label not in labels:
        raise _refusal(name, f"it has no label {label}; its labels are {', '.join(labels[:5]) or 'none'}")
    for rows, columns in (_pass_matrix(cursor), _pass_matrix(cursor)):
        if columns != arguments[0] or rows < 1:
            raise _refusal(name, "a matrix does not fit the model's dimension")
    if cursor.place != len(content):
        raise _refusal(name, f"{len(content) - cursor.place} bytes follow its end")


def _read_labels(cursor: _Cursor) -> list[str]:
    entries, words, labels, _, pruned = cursor.read(DICTIONARY)
    names = []
    for _ in range(entries):
        word = cursor.read_word()
        if cursor.read(ENTRY)[1] == 1:
            names.append(word.decode("utf-8", "replace"))
    if entries != words + labels or labels != len(names):
        raise _refusal(cursor.name, "its dictionary contradicts itself")
    cursor.skip(8 * max(pruned, 0))
    return names


def _pass_matrix(cursor: _Cursor) -> tuple[int, int]:
    """Rows and columns of a matrix, after passing over it."""
    quantized = cursor.content[cursor.skip(1)]
    if quantized:
        normalised = cursor.content[cursor.skip(1)]
        rows, columns = cursor.read(MATRIX)
        cursor.skip(cursor.read(struct.Struct("<i"))[0])  # codes
        _pass_quantizer(cursor)
        if normalised:
            cursor.skip(rows)
            _pass_quantizer(cursor)
        return rows, columns
    rows, columns = cursor.read(MATRIX)
    start = cursor.skip(4 * rows * columns)
    if not np.isfinite(np.frombuffer(cursor.content, "<f4", rows * columns, start)).all():
        raise _refusal(cursor.name, "it holds weights that are no numbers")
    return rows, columns


def _pass_quantizer(cursor: _Cursor) -> None:
    dimension = cursor.read(QUANTIZER)[0]
    cursor.skip(4 * dimension * CENTROIDS)
