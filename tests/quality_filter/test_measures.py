from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_filter.measures import area_under_curve, measure


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
