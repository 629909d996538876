"""trainer/power_law.py: synthetic losses whose law is known, and an independent fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from trainer.power_law import GPT3_LAW, fit_power_law


@given(st.floats(0.5, 10), st.floats(-0.2, 0.5), st.lists(st.floats(1e-9, 1e4), min_size=2, max_size=8, unique=True))
def test_an_exact_law_is_found_again(factor: float, exponent: float, compute: list[float]) -> None:
    if max(compute) < 1.01 * min(compute):  # nearly one point: any slope goes through it
        return
    law = fit_power_law(compute, [factor * value**-exponent for value in compute])
    assert law.exponent == pytest.approx(exponent, abs=1e-6)
    assert [law.loss(value) for value in compute] == pytest.approx([factor * value**-exponent for value in compute], rel=1e-6)


def test_noisy_losses_are_fitted_as_numpy_does() -> None:
    generator = np.random.default_rng(0)
    compute = 10.0 ** np.linspace(-9, -4, 6)
    losses = 2.57 * compute**-0.048 * np.exp(generator.normal(0, 0.02, 6))
    law = fit_power_law(compute.tolist(), losses.tolist())
    slope, intercept = np.polyfit(np.log(compute), np.log(losses), 1)
    assert (law.exponent, law.factor) == pytest.approx((-slope, np.exp(intercept)))
    assert law.exponent == pytest.approx(0.048, abs=0.01)


def test_gpt3_law_at_its_sizes() -> None:
    # Compute of the matrices alone, 6 * 12 L d^2 * 300e9 / 8.64e19: 1.77 PF-days for Small, 3,624 for 175B (spec, section F).
    assert [round(GPT3_LAW.loss(value), 2) for value in (1.769, 3623.9)] == [2.50, 1.73]


@pytest.mark.parametrize(
    ("compute", "losses"),
    [([1.0], [2.0]), ([1.0, 1.0], [2.0, 3.0]), ([1.0, 2.0], [0.0, 1.0]), ([1.0, 2.0], [float("nan"), 1.0])],
)
def test_what_has_no_law_is_an_error(compute: list[float], losses: list[float]) -> None:
    with pytest.raises(InputError, match="a power law is fitted to"):
        fit_power_law(compute, losses)
