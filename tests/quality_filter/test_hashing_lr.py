"""HashingTF against published outputs and an independent hash; the regression against its own optimality conditions."""

from __future__ import annotations

import io
import random

import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.recipe import FilterSettings
from quality_filter.hashing_lr import FEATURES, hashed_terms, load, minimise, train
from quality_filter.text import Lines

SETTINGS = FilterSettings(classifier="hashing_lr", l2=0.01)


def spark2_hash(term: bytes, seed: int = 42) -> int:
    """Spark 2's Murmur3_x86_32.hashUnsafeBytes, written from its description: what is left over is mixed byte by byte, signed."""

    def rotate(value: int, bits: int) -> int:
        return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF

    blocks = [int.from_bytes(term[place : place + 4], "little") for place in range(0, len(term) // 4 * 4, 4)]
    blocks += [byte - 256 if byte > 127 else byte for byte in term[len(term) // 4 * 4 :]]
    state = seed
    for block in blocks:
        mixed = rotate((block & 0xFFFFFFFF) * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF
        state = (rotate(state ^ mixed, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    state ^= len(term)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        state = (state ^ state >> shift) * factor & 0xFFFFFFFF
    return state - (1 << 32) if state >> 31 else state


def test_what_the_documentation_of_pyspark_prints() -> None:
    # HashingTF(numFeatures=10) of ["a", "b", "c"]: SparseVector(10, {5: 1.0, 7: 1.0, 8: 1.0}) in Spark 3, {0, 1, 2} in Spark 2.
    assert sorted(hashed_terms(Lines.of(["a b c"]), 10, 3).tolist()) == [5, 7, 8]
    assert sorted(hashed_terms(Lines.of(["a b c"]), 10, 2).tolist()) == [0, 1, 2]
    assert hashed_terms(Lines.of(["b"]), 10, 3).tolist() == [5]  # indexOf("b") in Spark 3's documentation


WORD = st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)


@given(st.lists(WORD, min_size=1, max_size=8))
def test_terms_equal_independent_hashes(words: list[str]) -> None:
    lines = Lines.of([" ".join(words)])
    assert hashed_terms(lines, FEATURES, 3).tolist() == [mmh3.hash(word, 42) % FEATURES for word in words]
    assert hashed_terms(lines, FEATURES, 2).tolist() == [spark2_hash(word.encode()) % FEATURES for word in words]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        # Java's "text".split("\\s"): every single white-space character parts, empty terms at the end are dropped.
        ("a  b", ["a", "", "b"]),
        (" a", ["", "a"]),
        ("a b  ", ["a", "b"]),
        ("a\tb\x0bc", ["a", "b", "c"]),
        ("a\u00a0b", ["a\u00a0b"]),  # no white space to Java
        ("   ", []),
        ("", [""]),
    ],
)
def test_the_tokenizer_is_java_s(text: str, terms: list[str]) -> None:
    assert hashed_terms(Lines.of([text]), FEATURES, 3).tolist() == [mmh3.hash(term, 42) % FEATURES for term in terms]


def sample(count: int) -> tuple[list[bool], list[str]]:
    generator = random.Random(count)
    positive = [generator.random() < 0.5 for _ in range(count)]
    words = ["same", "words", "for", "both"]
    return positive, [
        " ".join(generator.choices([*words, "good" if each else "bad", "either"], k=generator.randrange(3, 30))) for each in positive
    ]


def test_training_finds_the_minimum_and_is_reproducible() -> None:
    positive, lines = sample(300)
    content = train(positive, lines, SETTINGS)
    assert train(positive, lines, SETTINGS) == content
    point = np.load(io.BytesIO(content))
    weights, bias = point[:-1], point[-1]
    # At the minimum of mean log loss + l2 / 2 |w|^2, the gradient is zero: sum (p - y) x / n = -l2 w, and mean (p - y) = 0.
    terms = [[mmh3.hash(word, 42) % FEATURES for word in line.split(" ")] for line in lines]
    errors = np.array([1 / (1 + np.exp(-(sum(weights[row] for row in rows) + bias))) for rows in terms]) - np.array(positive)
    assert abs(errors.mean()) < 2e-3
    for word in ("good", "bad", "same"):
        row = mmh3.hash(word, 42) % FEATURES
        slope = sum(error * rows.count(row) for error, rows in zip(errors, terms, strict=True)) / len(lines)
        assert slope == pytest.approx(-SETTINGS.l2 * weights[row], abs=2e-3)
    assert weights[mmh3.hash("good", 42) % FEATURES] > 0.3
    model = load(content, "m", 3)
    margins = model.margins(Lines.of(["good good same", "bad bad same"]))
    assert margins[0] > 0 > margins[1]
    contributions = model.contributions("good bad good")
    assert contributions["good"] == pytest.approx(2 * weights[mmh3.hash("good", 42) % FEATURES], rel=1e-6)


def test_minimise_finds_a_known_minimum() -> None:
    curvatures = np.array([1.0, 100.0, 0.01])
    goal = np.array([3.0, -2.0, 5.0])

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        return float((curvatures * (point - goal) ** 2).sum() / 2) + 7.0, curvatures * (point - goal)

    assert minimise(loss, np.zeros(3)) == pytest.approx(goal, abs=0.1)


def test_what_is_no_model_is_refused() -> None:
    for content in (b"", b"text", *(_saved(values) for values in ([1.0], [np.nan] * (FEATURES + 1)))):
        with pytest.raises(InputError, match="cannot be used as a classifier"):
            load(content, "m", 3)


def _saved(values: list[float]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(values))
    return stream.getvalue()
