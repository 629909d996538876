"""trainer/schedule.py: GPT-3's curve at points that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe_train import TrainSettings
from trainer.schedule import learning_rate, plan_schedule, step_sequences

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


GPT3_SMALL = plan_schedule(TrainSettings(), parameters=125_226_240, context_length=2048, batch_tokens=524_288, peak_learning_rate=6e-4)


def test_batch_ramp_of_the_paper() -> None:
    """The published numbers, from the exact solution: dt/dk = b0 + (B - b0) t / R has t(k) = b0 (exp(g k) - 1) / g, g = (B - b0) / R.

    So k(R) = ln(B / b0) / g = 22,563.2 steps, k(375e6) = 7,145.7, and 296e9 / 524,288 = 564,575.2 steps of full size follow.
    """
    samples = steps = in_warmup = in_ramp = 0
    while samples * 2048 < 4_000_000_000:
        in_warmup += samples * 2048 < 375_000_000
        samples += GPT3_SMALL.step_sequences(samples)
        in_ramp += samples * 2048 <= 4_000_000_000
        steps += 1
    assert (in_ramp, in_warmup, steps) == (22_563, 7_146, 22_564)
    assert GPT3_SMALL.steps() == 587_139
    assert GPT3_SMALL.steps(samples) == 587_139 - steps
    assert [GPT3_SMALL.step_sequences(place) * 2048 for place in (0, samples, 10**9)] == [32_768, 524_288, 524_288]


@given(st.integers(1, 40), st.integers(1, 60), st.floats(0, 5000), st.integers(0, 3000))
def test_batch_is_linear_in_what_was_seen(start: int, full: int, ramp: float, samples: int) -> None:
    size = step_sequences(samples, start=start, full=full, ramp=ramp)
    if full <= start or samples >= ramp:
        assert size == full
        return
    assert 1 <= size <= full
    # Linear at the place of a step up to: its own growth, the rounding of two points, and half a step where it is on no point.
    exact = start + (full - start) * samples / ramp
    growth = (full - start) / ramp
    if growth < 0.1:
        assert exact * 0.5 - 1.5 <= size <= exact * 1.7 + 1.5


@pytest.mark.parametrize(("parameters", "ramp"), [(1_315_723_264, 4), (1_500_000_000, 8), (12_853_386_240, 8), (174_604_259_328, 12)])
def test_ramp_by_size_and_schedules_in_proportion(parameters: int, ramp: int) -> None:
    sizes = {"parameters": parameters, "context_length": 2048, "batch_tokens": 1 << 20, "peak_learning_rate": 1e-4}
    whole = plan_schedule(TrainSettings(), **sizes)
    assert whole.ramp_tokens == ramp * 10**9
    assert (whole.warmup_tokens, whole.decay_tokens) == (375_000_000, 260_000_000_000)
    assert (whole.validation_every_tokens, whole.checkpoint_every_tokens) == (100_000_000, 500_000_000)
    thousandth = plan_schedule(TrainSettings(tokens=300_000_000), **sizes)
    assert (thousandth.warmup_tokens, thousandth.decay_tokens, thousandth.ramp_tokens) == (375_000, 260_000_000, ramp * 10**6)
    assert (thousandth.validation_every_tokens, thousandth.checkpoint_every_tokens) == (15_000_000, 15_000_000)
    assert (whole.validation_tokens, thousandth.validation_tokens, TrainSettings().validation_tokens) == (1_000_000, 1_000_000, None)
    given_values = plan_schedule(TrainSettings(tokens=300_000_000, warmup_tokens=7, ramp_tokens=0, checkpoint_every_tokens=9), **sizes)
    assert (given_values.warmup_tokens, given_values.ramp_tokens, given_values.checkpoint_every_tokens) == (7, 0, 9)


def test_smallest_run_has_a_schedule() -> None:
    schedule = plan_schedule(TrainSettings(tokens=1), parameters=1, context_length=8, batch_tokens=8, peak_learning_rate=1.0)
    assert schedule.steps() == 1 and schedule.learning_rate(8) == pytest.approx(0.1)
