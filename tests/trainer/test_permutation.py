"""trainer/permutation.py: a bijection for every size, and no visible pattern."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.permutation import keyed_permutation


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.text(max_size=20))
def test_every_size_is_a_bijection(size: int, key: str) -> None:
    permute = keyed_permutation(size, key)
    assert sorted(permute(index) for index in range(size)) == list(range(size))


def test_key_chooses_the_permutation() -> None:
    def order(key: str) -> list[int]:
        return [keyed_permutation(50, key)(index) for index in range(50)]

    assert order("a") == order("a")
    assert order("a") != order("b")
    assert order("a") != list(range(50))


def test_small_sizes_reach_every_order() -> None:
    # 4! = 24 orders, 100 of each expected from 2,400 keys; 50 would be five standard deviations too few.
    counts: dict[tuple[int, ...], int] = {}
    for key in range(2400):
        permute = keyed_permutation(4, str(key))
        order = tuple(permute(index) for index in range(4))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert min(counts.values()) > 50


def test_large_size_stays_in_range() -> None:
    size = 10**12 + 39
    permute = keyed_permutation(size, "large")
    values = {permute(index) for index in range(1000)}
    assert len(values) == 1000
    assert all(0 <= value < size for value in values)


@pytest.mark.parametrize("index", [-1, 5])
def test_outside_is_an_error(index: int) -> None:
    with pytest.raises(IndexError):
        keyed_permutation(5, "")(index)
