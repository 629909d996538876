from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_filter.calibration import Calibration, fit_calibration, measure_reliability, sigmoid


def margins_of(probabilities: np.ndarray, sharpness: float) -> np.ndarray:
    """What an over-confident model says of documents whose true probabilities are known."""
    return sharpness * np.log(probabilities / (1 - probabilities)) + 0.7


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 6.0])
def test_calibration_recovers_known_probabilities(sharpness: float) -> None:
    generator = np.random.default_rng(1)
    truth = generator.beta(0.6, 0.6, 20_000).clip(1e-3, 1 - 1e-3)
    positive = generator.random(20_000) < truth
    margins = margins_of(truth, sharpness)
    fitted = fit_calibration(margins[:10_000], positive[:10_000], (~positive).sum() / positive.sum())
    scores = fitted.probabilities(margins[10_000:])
    assert np.abs(scores - truth[10_000:]).mean() < 0.02
    found = measure_reliability(scores, positive[10_000:], seed=3)
    assert found.low <= found.error <= found.high < 0.04
    raw = measure_reliability(sigmoid(margins[10_000:]), positive[10_000:], seed=3)
    assert sharpness == 1.0 or raw.error > 2 * found.error


def test_the_prior_is_the_class_ratio() -> None:
    """Margins that tell nothing: the probability of a positive is 1 / (1 + ratio), however many of each there are."""
    positive = np.arange(1000) < 700
    for ratio in (1.0, 3.0):
        assert fit_calibration(np.zeros(1000), positive, ratio).probabilities(np.zeros(1)) == pytest.approx(1 / (1 + ratio), abs=0.01)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.booleans()), min_size=2, max_size=30), st.floats(0.1, 10))
def test_scores_are_probabilities_in_the_order_of_the_margins(labelled: list[tuple[float, bool]], ratio: float) -> None:
    margins = np.array([margin for margin, _ in labelled] + [0.0, 0.0])
    positive = np.array([label for _, label in labelled] + [True, False])
    fitted = fit_calibration(margins, positive, ratio)
    scores = fitted.probabilities(np.sort(margins))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores) >= 0).all()


def test_no_calibration_is_the_sigmoid() -> None:
    margins = np.array([-800.0, -2.0, 0.0, 3.0, 800.0])
    assert Calibration().probabilities(margins) == pytest.approx([0, 0.1192029, 0.5, 0.9525741, 1])


def test_margins_that_mislead_leave_the_prior() -> None:
    """Positives have the smaller margins: no slope that keeps the order helps, so every score is the prior."""
    generator = np.random.default_rng(5)
    positive = np.arange(400) < 200
    margins = generator.normal(np.where(positive, 6.0, 6.5), 0.2)
    assert fit_calibration(margins, positive).probabilities(margins) == pytest.approx(0.5, abs=0.01)


def test_error_by_hand() -> None:
    # Ten documents, so a bin each: gaps .1 (nine times, right but unsure) and .8.
    scores = np.array([0.1] * 5 + [0.8] + [0.9] * 4)
    positive = np.array([False] * 6 + [True] * 4)
    found = measure_reliability(scores, positive, seed=0)
    assert found.error == pytest.approx((9 * 0.1 + 0.8) / 10)
    assert sum(count for count, _, _ in found.bins) == found.documents == 10
    # Twenty: bins of two, in which .4 and .6 of one positive cancel out.
    assert measure_reliability(np.array([0.4, 0.6] * 10), np.array([False, True] * 10), seed=0).error == pytest.approx(0.4)
    even = measure_reliability(np.array([0.5] * 20), np.array([False, True] * 10), seed=0)
    assert even.error == 0
