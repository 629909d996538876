"""quality_filter/model_file.py: real models pass, and a damaged header never reaches the library, which it would kill."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest

from curation.errors import InputError
from curation.fasttext_file import read_layout
from quality_filter.fasttext_model import NEGATIVE, POSITIVE

# Places of fastText's format 12: magic and version, twelve integers and a double, then the dictionary's sizes.
DIMENSION, WORD_NGRAMS, LOSS, BUCKETS, LONGEST_SUBWORD = (8 + 4 * place for place in (0, 5, 6, 8, 10))
ENTRIES, WORDS, LABELS = (64 + 4 * place for place in (0, 1, 2))
PRUNED = 64 + 4 * 3 + 8


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = random.Random(1)
    words = [f"w{number}" for number in range(400)]  # and the end of the line is one, too; quantizing needs 256 rows
    path = tmp_path_factory.mktemp("model") / "lines.txt"
    path.write_text("".join(f"{generator.choice([POSITIVE, NEGATIVE])} {' '.join(generator.choices(words, k=30))}\n" for _ in range(200)))
    return path


def build(lines: Path, quantize: dict[str, Any] | None = None, **options: Any) -> bytes:
    model = fasttext.train_supervised(str(lines), dim=4, epoch=1, thread=1, verbose=0, **options)
    if quantize is not None:
        model.quantize(input=str(lines), thread=1, **quantize)
    path = lines.with_suffix(".bin")
    model.save_model(str(path))
    return path.read_bytes()


def patched(model: bytes, place: int, layout: str, value: int) -> bytes:
    content = bytearray(model)
    struct.pack_into(layout, content, place, value)
    return bytes(content)


@pytest.mark.parametrize("loss", ["hs", "ns", "softmax", "ova"])
def test_every_loss_passes(lines: Path, loss: str) -> None:
    read_layout(build(lines, loss=loss), "m", POSITIVE)


def test_layout_equals_what_the_library_says(lines: Path) -> None:
    model = build(lines, wordNgrams=2, bucket=1000)
    layout = read_layout(model, "m", POSITIVE)
    peer = fasttext.load_model(str(lines.with_suffix(".bin")))
    assert [word.decode() for word in layout.words] == peer.get_words()
    assert layout.labels == peer.get_labels()
    assert (layout.dimension, layout.word_ngrams, layout.buckets) == (4, 2, 1000)
    assert layout.input_place is not None and layout.output_place is not None
    inputs = np.frombuffer(model, "<f4", peer.get_input_matrix().size, layout.input_place)
    outputs = np.frombuffer(model, "<f4", peer.get_output_matrix().size, layout.output_place)
    assert (inputs.reshape(-1, 4) == peer.get_input_matrix()).all()
    assert (outputs.reshape(-1, 4) == peer.get_output_matrix()).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"wordNgrams": 2, "bucket": 1000},
        {"minn": 2, "maxn": 3, "bucket": 500},
        {"quantize": {}},
        {"quantize": {"qnorm": True}, "wordNgrams": 2, "bucket": 1000},
        {"quantize": {"cutoff": 300}, "wordNgrams": 2, "bucket": 1000},
        {"quantize": {"cutoff": 300}},
    ],
)
def test_every_shape_passes(lines: Path, options: dict[str, Any]) -> None:
    read_layout(build(lines, **options), "m", POSITIVE)


@pytest.mark.parametrize(
    ("place", "layout", "value", "reason"),
    [
        (BUCKETS, "<i", 2000, "1401 rows, and 2401 are expected"),
        (BUCKETS, "<i", 0, "0 buckets for its n-grams"),
        (BUCKETS, "<i", -(2**31), "-2147483648 buckets"),
        (LOSS, "<i", 0, "loss has number 0"),
        (LOSS, "<i", 5, "loss has number 5"),
        (DIMENSION, "<i", 5, "does not fit the model's dimension"),
        (ENTRIES, "<i", -1, "contradicts itself"),
        (WORDS, "<i", 2**31 - 1, "contradicts itself"),
        (LABELS, "<i", 3, "contradicts itself"),
        (PRUNED, "<q", 0, "401 are expected"),
    ],
)
def test_a_header_that_the_matrices_contradict_is_refused(lines: Path, place: int, layout: str, value: int, reason: str) -> None:
    model = build(lines, wordNgrams=2, bucket=1000)
    with pytest.raises(InputError, match=reason):
        read_layout(patched(model, place, layout, value), "m", POSITIVE)


@pytest.mark.parametrize(("place", "value"), [(WORD_NGRAMS, 2), (WORD_NGRAMS, -1), (LONGEST_SUBWORD, 3), (LONGEST_SUBWORD, -1)])
def test_ngrams_without_buckets_are_refused(lines: Path, place: int, value: int) -> None:
    with pytest.raises(InputError, match="0 buckets for its n-grams"):
        read_layout(patched(build(lines), place, "<i", value), "m", POSITIVE)


def test_a_pruned_ngram_without_a_row_is_refused(lines: Path) -> None:
    model = build(lines, {"cutoff": 300}, wordNgrams=2, bucket=1000)
    left = struct.unpack_from("<q", model, PRUNED)[0]
    assert left > 0
    end = model.rindex(b"__label__")  # the last entry: its name and NUL, count and kind
    last_row = model.index(b"\0", end) + 1 + 9 + 8 * left - 4
    with pytest.raises(InputError, match="has no row"):
        read_layout(patched(model, last_row, "<i", left), "m", POSITIVE)


def test_labels_that_the_library_cannot_hand_over_are_refused(lines: Path) -> None:
    model = build(lines)
    with pytest.raises(InputError, match="is no UTF-8"):
        read_layout(patched(model, model.index(NEGATIVE.encode()) + 12, "<B", 0xFF), "m", POSITIVE)
