"""The fastText classifier: trained, stored as bytes, and asked for the odds of the positive class.

A softmax of two labels over an average of embeddings is a linear model: the difference of the two
output rows times a feature's embedding is one number. So a loaded model keeps one number a
feature, whatever its dimension, and reading it costs a fraction of what the library's predict
costs. Models of other shapes (subwords, quantized, more labels, other losses) go through the
library. Imports numba: import this module where it is used.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.errors import InputError, UsageError
from curation.fasttext_file import SOFTMAX, ModelLayout, read_layout
from curation.kernels import kernel
from curation.recipe import FilterSettings
from quality_filter.linear import Features, LinearModel, Model
from quality_filter.text import LABEL_PREFIX, Lines

POSITIVE = f"{LABEL_PREFIX}positive"
NEGATIVE = f"{LABEL_PREFIX}negative"
LARGEST_SEED = (1 << 31) - 1  # fastText's seed is a signed 32-bit integer
ALL_LABELS = -1
SMALLEST_ODDS = 1e-6  # fastText's probabilities are 32-bit numbers, and its logarithm adds 1e-5

# The hashes of fastText's dictionary: FNV-1a with signed characters, and a chain of word hashes for n-grams.
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619
NGRAM_FACTOR = 116049371
FREE = -1  # a slot of the table that no word has taken


def train(positive: Sequence[bool], lines: Sequence[str], settings: FilterSettings, seed: int) -> bytes:
    """A model trained on the lines in their order, as the bytes of its file.

    The order matters: stochastic gradient descent sees the lines as given. One thread and a fixed
    seed: the same lines give the same bytes.

    Raises:
        UsageError: the recipe's learning rate makes the weights no numbers, or the model does not fit in memory.
    """
    import fasttext

    with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
        path = Path(folder, "lines.txt")
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            labels = [POSITIVE if each else NEGATIVE for each in positive]
            stream.writelines(f"{label} {line}\n" for label, line in zip(labels, lines, strict=True))
        try:
            model = fasttext.train_supervised(
                input=str(path),
                dim=settings.dimension,
                epoch=settings.epochs,
                lr=settings.learning_rate,
                wordNgrams=settings.word_ngrams,
                bucket=settings.buckets,
                thread=1,
                seed=seed & LARGEST_SEED,
                verbose=0,
            )
        except RuntimeError as error:
            if "NaN" not in str(error):
                raise
            raise UsageError(f"filter.learning_rate {settings.learning_rate} makes the classifier diverge; lower it") from error
        except MemoryError as error:
            size = f"{settings.buckets:,} filter.buckets of {settings.dimension:,} filter.dimension"
            raise UsageError(f"a classifier of {size} does not fit in memory; lower one of them") from error
        model_path = Path(folder, "model.bin")
        model.save_model(str(model_path))
        return model_path.read_bytes()


def load(content: bytes, name: str, label: str = POSITIVE) -> Model:
    """The classifier in the bytes of a fastText file; ``label`` is the positive class.

    Raises:
        InputError: ``content`` is no complete classifier with that label.
    """
    layout = read_layout(content, name, label)
    plain = layout.loss == SOFTMAX and len(layout.labels) == 2 and layout.longest_subword == 0
    if plain and layout.input_place is not None and layout.output_place is not None:
        return _as_linear(content, layout, label, layout.input_place, layout.output_place)
    return LibraryModel(content, name, label)


def _as_linear(content: bytes, layout: ModelLayout, label: str, input_place: int, output_place: int) -> LinearModel:
    buckets = layout.buckets if layout.word_ngrams > 1 else 0
    rows = len(layout.words) + layout.buckets
    embeddings = np.frombuffer(content, "<f4", rows * layout.dimension, input_place).reshape(rows, layout.dimension)
    outputs = np.frombuffer(content, "<f4", 2 * layout.dimension, output_place).reshape(2, layout.dimension).astype(np.float64)
    place = layout.labels.index(label)
    direction = outputs[place] - outputs[1 - place]
    weights = _project(embeddings[: len(layout.words) + buckets], direction)
    return LinearModel(weights, 0.0, True, FastTextExtractor(layout.words, layout.word_ngrams, buckets))


@kernel
def _project(embeddings: Any, direction: Any) -> Any:
    """Each row times the direction: added in a fixed order, as no matrix library promises."""
    weights = np.zeros(len(embeddings), np.float64)
    for row in range(len(embeddings)):
        for column in range(len(direction)):
            weights[row] += embeddings[row, column] * direction[column]
    return weights


class FastTextExtractor:
    """fastText's features: known words, the end of the line, and hashed word n-grams, in the library's order."""

    def __init__(self, words: Sequence[bytes], word_ngrams: int, buckets: int) -> None:
        self._blob = np.frombuffer(b"".join(words) or b"\0", np.uint8)
        self._places = np.concatenate([[0], np.cumsum([len(word) for word in words], dtype=np.int64)]).astype(np.int64)
        self._word_ngrams = word_ngrams
        self._buckets = buckets
        self._slots, self._hashes = _build_table(self._blob, self._places)

    def features(self, lines: Lines) -> Features:
        """See ``FeatureExtractor``."""
        return Features(
            *_find_features(
                lines.content,
                lines.bounds,
                int(lines.words.sum()) + len(lines),
                self._blob,
                self._places,
                self._slots,
                self._hashes,
                self._word_ngrams,
                self._buckets,
            )
        )


@kernel
def _hash(data: Any, start: Any, end: Any) -> Any:
    value = np.uint32(FNV_OFFSET)
    for place in range(start, end):
        byte = np.uint32(data[place])
        if byte & np.uint32(0x80):
            byte = byte | np.uint32(0xFFFFFF00)
        value = np.uint32(np.uint32(value ^ byte) * np.uint32(FNV_PRIME))
    return value


@kernel
def _build_table(blob: Any, places: Any) -> Any:
    """A table from hash to word, linear probing, at most half full; and the hash of each word."""
    words = len(places) - 1
    size = 16
    while size < 2 * words:
        size *= 2
    slots = np.full(size, FREE, np.int32)
    hashes = np.empty(words, np.uint32)
    for word in range(words):
        hashes[word] = _hash(blob, places[word], places[word + 1])
        slot = np.int64(hashes[word]) & (size - 1)
        while slots[slot] != FREE:
            slot = (slot + 1) & (size - 1)
        slots[slot] = word
    return slots, hashes


@kernel
def _find_word(data: Any, start: Any, end: Any, value: Any, blob: Any, places: Any, slots: Any, hashes: Any) -> Any:
    """Row of a word, or ``FREE`` if the model does not know it."""
    slot = np.int64(value) & (len(slots) - 1)
    while slots[slot] != FREE:
        word = slots[slot]
        if hashes[word] == value and places[word + 1] - places[word] == end - start:
            same = True
            for place in range(end - start):
                if blob[places[word] + place] != data[start + place]:
                    same = False
                    break
            if same:
                return word
        slot = (slot + 1) & (len(slots) - 1)
    return np.int32(FREE)


_LINE_END = np.frombuffer(b"</s>", np.uint8)


@kernel
def _find_features(
    content: Any, line_bounds: Any, tokens: Any, blob: Any, places: Any, slots: Any, hashes: Any, word_ngrams: Any, buckets: Any
) -> Any:
    documents = len(line_bounds) - 1
    words = len(places) - 1
    room = tokens * max(1, word_ngrams if buckets else 1)
    rows, firsts, lengths = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    bounds = np.zeros(documents + 1, np.int64)
    chain = np.empty(tokens, np.uint64)
    line_end_hash = _hash(_LINE_END, 0, len(_LINE_END))
    line_end = _find_word(_LINE_END, 0, len(_LINE_END), line_end_hash, blob, places, slots, hashes)
    written = 0
    for document in range(documents):
        position, end = line_bounds[document], line_bounds[document + 1] - 1
        count = 0
        while position < end:
            start = position
            value = np.uint32(FNV_OFFSET)
            while position < end and content[position] != 0x20:
                byte = np.uint32(content[position])
                if byte & np.uint32(0x80):
                    byte = byte | np.uint32(0xFFFFFF00)
                value = np.uint32(np.uint32(value ^ byte) * np.uint32(FNV_PRIME))
                position += 1
            word = _find_word(content, start, position, value, blob, places, slots, hashes)
            if word != FREE:
                rows[written], firsts[written], lengths[written] = word, count, 1
                written += 1
            chain[count] = np.uint64(np.int64(np.int32(value)))  # the library widens a signed number
            count += 1
            position += 1
        if line_end != FREE:
            rows[written], firsts[written], lengths[written] = line_end, count, 1
            written += 1
        chain[count] = np.uint64(np.int64(np.int32(line_end_hash)))
        if buckets:
            for first in range(count + 1):
                value64 = chain[first]
                for last in range(first + 1, min(first + word_ngrams, count + 1)):
                    value64 = value64 * np.uint64(NGRAM_FACTOR) + chain[last]
                    rows[written] = words + np.int64(value64 % np.uint64(buckets))
                    firsts[written], lengths[written] = first, last - first + 1
                    written += 1
        bounds[document + 1] = written
    return rows[:written], bounds, firsts[:written], lengths[:written]


class LibraryModel:
    """A model that only the library can read.

    Raises:
        InputError: the library refuses it.
    """

    def __init__(self, content: bytes, name: str, label: str) -> None:
        import fasttext

        self._label = label
        with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
            path = Path(folder, "model.bin")
            path.write_bytes(content)
            try:
                self._model: Any = fasttext.load_model(str(path))
            except (ValueError, RuntimeError, MemoryError) as error:
                raise InputError(f"{name} cannot be used as a classifier: {error}; train it again") from error

    def margins(self, lines: Lines) -> npt.NDArray[np.float64]:
        """See ``Model``."""
        labels, probabilities = self._model.predict(lines.texts(), k=ALL_LABELS)
        scores = np.zeros(len(lines), np.float64)
        for place, (names, values) in enumerate(zip(labels, probabilities, strict=True)):
            if self._label in names:
                scores[place] = values[names.index(self._label)]
        scores = np.clip(scores, SMALLEST_ODDS, 1.0 - SMALLEST_ODDS)
        return np.log(scores / (1.0 - scores))

    def linear(self) -> LinearModel | None:
        """See ``Model``."""
        return None
