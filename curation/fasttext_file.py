"""Is this a whole fastText classifier, and where is what in it? Read its structure before the library does.

The library believes every number in the file: a truncated model ends the process (SIGFPE), asks for
terabytes, or scores with weights that were never there. The format is fastText's, version 12: magic
and version, arguments, dictionary, then for input and output a flag and a matrix.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from curation.errors import InputError

MAGIC = 793712314
VERSION = 12
ARGUMENTS = struct.Struct("<12id")
DIMENSION, WORD_NGRAMS, LOSS, KIND, BUCKETS, LONGEST_SUBWORD = 0, 5, 6, 7, 8, 10  # places among the arguments
SUPERVISED = 3  # a kind
SOFTMAX = 3  # a loss
LOSSES = range(1, 5)  # hierarchical softmax, negative sampling, softmax, one against all
LARGEST_COUNT = 10**15  # of a label: fastText's infinity, where it builds the tree of hierarchical softmax
DICTIONARY = struct.Struct("<3i2q")  # entries, words, labels, tokens, n-grams left by pruning (-1: never pruned)
ENTRY = struct.Struct("<qb")  # after the word and its NUL: count, kind (0 word, 1 label)
PRUNED = np.dtype([("bucket", "<i4"), ("row", "<i4")])  # where an n-gram that pruning left has gone to
MATRIX = struct.Struct("<2q")  # rows, columns
CODE_BYTES = struct.Struct("<i")
QUANTIZER = struct.Struct("<4i")  # dimension, parts, dimension of a part, of the last part
CENTROIDS = 256  # per part


@dataclass(frozen=True)
class ModelLayout:
    """What a model holds. ``words`` in the order of their rows; ``input_place`` and ``output_place``: offset of the first
    weight of each dense matrix (32-bit floats, a row a feature or label), None where it is quantized."""

    labels: list[str]
    words: list[bytes]
    dimension: int
    word_ngrams: int
    buckets: int
    loss: int
    longest_subword: int
    input_place: int | None
    output_place: int | None


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

    def read_flag(self) -> bool:
        flag = self.content[self.skip(1)]
        if flag > 1:
            raise _refusal(self.name, f"a flag of it has the value {flag}")
        return flag == 1

    def read_word(self) -> bytes:
        end = self.content.find(b"\0", self.place)
        return self.content[self.skip(end + 1 - self.place) : end]


def _refusal(name: str, why: str) -> InputError:
    return InputError(
        f"{name} cannot be used as a classifier: {why}; give a model of `filter train` or another whole, supervised fastText model"
    )


def read_layout(content: bytes, name: str, label: str | None = None) -> ModelLayout:
    """Layout of a complete supervised fastText model that knows ``label`` (None: any); dense or quantized.

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
    if arguments[KIND] != SUPERVISED:
        raise _refusal(name, "it holds word vectors, not a classifier")
    if arguments[LOSS] not in LOSSES:
        raise _refusal(name, f"its loss has number {arguments[LOSS]}, which is none")
    hashes = arguments[WORD_NGRAMS] not in (0, 1) or arguments[LONGEST_SUBWORD] != 0
    if arguments[BUCKETS] < hashes:  # the library divides by their number
        raise _refusal(name, f"it has {arguments[BUCKETS]} buckets for its n-grams")
    labels, words, pruned = _read_dictionary(cursor)
    if label is not None and label not in labels:
        raise _refusal(name, f"it has no label {label}; its labels are {', '.join(labels[:5]) or 'none'}")
    features = len(words) + (arguments[BUCKETS] if pruned is None else pruned)
    input_place = _pass_matrix(cursor, features, arguments[DIMENSION])
    output_place = _pass_matrix(cursor, len(labels), arguments[DIMENSION])
    if input_place is not None and (output_place is None or pruned is not None):  # the library would read the rest as dense
        raise _refusal(name, "it is quantized in part only")
    if cursor.place != len(content):
        raise _refusal(name, f"{len(content) - cursor.place} bytes follow its end")
    return ModelLayout(
        labels,
        words,
        arguments[DIMENSION],
        arguments[WORD_NGRAMS],
        arguments[BUCKETS],
        arguments[LOSS],
        arguments[LONGEST_SUBWORD],
        input_place,
        output_place,
    )


def _read_dictionary(cursor: _Cursor) -> tuple[list[str], list[bytes], int | None]:
    """The labels, the words, and the count of n-grams left by pruning (None: never pruned)."""
    entries, words, labels, _, pruned = cursor.read(DICTIONARY)
    names, known_words, kinds = [], [], []
    for _ in range(entries):
        word = cursor.read_word()
        count, kind = cursor.read(ENTRY)
        kinds.append(kind)
        if kind == 1:
            names.append(_decode(word, cursor.name))
            if not 0 <= count < LARGEST_COUNT:
                raise _refusal(cursor.name, f"its label {names[-1]} has the count {count}")
        else:
            known_words.append(word)
    # The library takes an entry's place for its row, so words come first.
    if entries != words + labels or min(words, labels) < 0 or kinds != [0] * words + [1] * labels:
        raise _refusal(cursor.name, "its dictionary contradicts itself")
    if pruned < 0:
        return names, known_words, None
    rows = np.frombuffer(cursor.content, PRUNED, pruned, cursor.skip(PRUNED.itemsize * pruned))["row"]
    if not ((rows >= 0) & (rows < pruned)).all():
        raise _refusal(cursor.name, "an n-gram that pruning left has no row")
    return names, known_words, pruned


def _decode(word: bytes, name: str) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal(name, f"its label {word!r:.80} is no UTF-8") from error


def _pass_matrix(cursor: _Cursor, expected_rows: int, dimension: int) -> int | None:
    """Where the weights of a matrix of this shape begin, after passing over it; None if it is quantized."""
    quantized = cursor.read_flag()
    normalised = quantized and cursor.read_flag()
    rows, columns = cursor.read(MATRIX)
    if columns != dimension or columns < 1:
        raise _refusal(cursor.name, "a matrix does not fit the model's dimension")
    if rows != expected_rows or rows < 1:
        raise _refusal(cursor.name, f"a matrix has {rows} rows, and {expected_rows} are expected")
    if quantized:
        code_bytes = cursor.read(CODE_BYTES)[0]
        cursor.skip(code_bytes)
        if code_bytes != rows * _pass_quantizer(cursor, columns):
            raise _refusal(cursor.name, "a quantized matrix does not fit its codes")
        if normalised:
            cursor.skip(rows)
            _pass_quantizer(cursor, 1)
        return None
    return _pass_weights(cursor, rows * columns)


def _pass_quantizer(cursor: _Cursor, expected_dimension: int) -> int:
    """Parts into which it cuts a row, after passing over it."""
    dimension, parts, part_dimension, last_dimension = cursor.read(QUANTIZER)
    whole = (parts - 1) * part_dimension + last_dimension
    if not dimension == whole == expected_dimension or min(parts, part_dimension, last_dimension) < 1:
        raise _refusal(cursor.name, "a quantizer does not fit its matrix")
    _pass_weights(cursor, dimension * CENTROIDS)
    return parts


def _pass_weights(cursor: _Cursor, count: int) -> int:
    """Where they begin."""
    place = cursor.skip(4 * count)
    if not np.isfinite(np.frombuffer(cursor.content, "<f4", count, place)).all():
        raise _refusal(cursor.name, "it holds weights that are no numbers")
    return place
