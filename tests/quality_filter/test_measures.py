from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_filter.measures import area_under_curve, area_within_bands, measure


def test_measures_by_hand() -> None:
    # Found: 0.9, 0.5 of three positives; one false alarm (0.6). Pairs won: 0.9 over both, 0.5 over 0.1, 0.3 over 0.1: 4 of 6.
    result = measure([0.9, 0.5, 0.3], [0.6, 0.1])
    assert result == {
        "positives": 3, "negatives": 2, "precision": 0.666667, "recall": 0.666667, "f1": 0.666667, "auc": 0.666667,
    }  # fmt: skip


def test_nothing_found() -> None:
    result = measure([0.1], [0.2])
    assert (result["precision"], result["recall"], result["f1"], result["auc"]) == (0.0, 0.0, 0.0, 0.0)


VALUES = st.lists(st.integers(0, 5), min_size=1, max_size=12)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_area_is_the_share_of_pairs_in_order(positive: list[int], negative: list[int]) -> None:
    wins = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    assert area_under_curve(positive, negative) == pytest.approx(wins / len(positive) / len(negative))


def test_length_alone_is_worth_nothing_at_equal_length() -> None:
    generator = np.random.default_rng(2)
    positive = generator.random(20_000) < 0.5
    lengths = generator.normal(np.where(positive, 2.0, 0.0), 1.0)  # tells the classes apart with an AUC of Phi(2 / sqrt 2) = .921
    assert area_under_curve(lengths[positive], lengths[~positive]) == pytest.approx(0.921, abs=0.01)
    by_chance = area_within_bands(generator.random(20_000), positive, lengths)
    assert by_chance == pytest.approx(0.5, abs=0.02)
    assert area_within_bands(positive.astype(float), positive, lengths) == 1.0
    # Within a tenth of the lengths little of the length is left to tell.
    within = area_within_bands(lengths, positive, lengths)
    assert within is not None and within < 0.7


def test_no_pair_of_equal_length() -> None:
    assert area_within_bands([0.1, 0.9], [True, False], [1, 2]) is None
