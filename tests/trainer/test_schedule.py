"""trainer/schedule.py: GPT-3's curve at points that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.schedule import learning_rate

GPT3 = {"peak": 6e-4, "warmup_tokens": 375_000_000, "decay_tokens": 260_000_000_000, "min_ratio": 0.1}


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (0, 0.0),
        (187_500_000, 3e-4),  # half of the warm-up
        (130_000_000_000, 6e-4 * 0.55),  # half of the cosine: mean of 1 and 0.1
        (65_000_000_000, 6e-4 * (0.1 + 0.45 * (1 + math.sqrt(0.5)))),  # cos(pi / 4)
        (260_000_000_000, 6e-5),
        (300_000_000_000, 6e-5),
    ],
)
def test_gpt3_values(tokens: int, expected: float) -> None:
    assert learning_rate(tokens, **GPT3) == pytest.approx(expected, rel=1e-12)


def test_cosine_starts_under_the_warmup() -> None:
    # At the end of the warm-up the cosine has fallen by 0.9 (1 - cos(pi 375e6 / 260e9)) / 2, less than 0.001 %.
    at_peak = learning_rate(375_000_000, **GPT3)
    assert 0.99999 * 6e-4 < at_peak < 6e-4


def test_no_warmup_and_no_floor() -> None:
    assert learning_rate(0, peak=1.0, warmup_tokens=0, decay_tokens=10, min_ratio=0.0) == 1.0
    assert learning_rate(10, peak=1.0, warmup_tokens=0, decay_tokens=10, min_ratio=0.0) == pytest.approx(0.0)


@given(st.integers(0, 10**12))
def test_stays_between_zero_and_peak(tokens: int) -> None:
    rate = learning_rate(tokens, **GPT3)
    assert 0 <= rate <= 6e-4
    assert tokens < 375_000_000 or rate >= 6e-5 * (1 - 1e-12)
