"""trainer/guard.py: which steps are skipped, by numbers that a person can check."""

from __future__ import annotations

import math

import pytest

from curation.errors import PipelineError
from trainer.guard import FEWEST_NORMS, REMEMBERED_NORMS, StepGuard


def guard_with(norms: list[float], factor: float | None = 10.0, most: int = 20) -> StepGuard:
    guard = StepGuard(factor, most)
    for norm in norms:
        guard.took(norm)
    return guard


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.inf), (1.0, math.nan)])
def test_what_is_not_finite_is_skipped_from_the_first_step(loss: float, norm: float) -> None:
    assert "not finite" in str(guard_with([]).reason_to_skip(loss, norm))
    assert "not finite" in str(guard_with([], factor=None).reason_to_skip(loss, norm))


def test_a_spike_is_measured_by_the_median() -> None:
    guard = guard_with([1.0] * 15 + [3.0] * 15 + [1000.0])  # median 3: the one outlier does not move it
    assert guard.reason_to_skip(2.0, 30.0) is None
    assert guard.reason_to_skip(2.0, 30.1) == "the gradient norm 30.1 is more than 10 times the median 3"
    assert guard_with([1.0] * 30, factor=None).reason_to_skip(2.0, 1e9) is None


def test_too_few_norms_and_old_norms_do_not_count() -> None:
    assert guard_with([1.0] * (FEWEST_NORMS - 1)).reason_to_skip(2.0, 1e9) is None
    assert guard_with([1.0] * FEWEST_NORMS).reason_to_skip(2.0, 1e9) is not None
    assert guard_with([1.0] * 500 + [100.0] * REMEMBERED_NORMS).reason_to_skip(2.0, 900.0) is None


def test_many_in_a_row_end_the_run_and_one_taken_begins_anew() -> None:
    guard = guard_with([], most=2)
    for _ in range(2):
        guard.skip("reason", 1)
    guard.took(1.0)
    for _ in range(2):
        guard.skip("reason", 2)
    with pytest.raises(PipelineError, match=r"3 steps in a row were skipped, the last being step 9: reason; lower train\.learning_rate"):
        guard.skip("reason", 9)
    assert guard.skipped == 5


def test_state_goes_through_a_checkpoint() -> None:
    guard = guard_with([0.1, 0.2, 1 / 3])
    guard.skip("reason", 4)
    other = StepGuard(10.0, 20)
    other.restore(guard.state())
    assert other == guard
