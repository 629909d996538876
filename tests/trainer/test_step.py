"""trainer/step.py: how a batch is shared out between processes and forward passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.step import micro_batches


@pytest.mark.parametrize(
    ("sequences", "largest", "processes", "expected"),
    [
        (8, 3, 1, [[(0, 3), (3, 6), (6, 8)]]),
        (8, 2, 2, [[(0, 2), (4, 6)], [(2, 4), (6, 8)]]),
        (5, 8, 2, [[(0, 3)], [(3, 5)]]),  # shared out, not all in the first process
        (3, 8, 4, [[(0, 1)], [(1, 2)], [(2, 3)], [(3, 3)]]),  # nothing is left for the last
    ],
)
def test_by_hand(sequences: int, largest: int, processes: int, expected: list[list[tuple[int, int]]]) -> None:
    parts = [micro_batches(sequences, largest, rank, processes) for rank in range(processes)]
    assert [[(part.start, part.stop) for part in of_one] for of_one in parts] == expected


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 16))
def test_each_sequence_once_and_equally_many_passes(sequences: int, largest: int, processes: int) -> None:
    parts = [micro_batches(sequences, largest, rank, processes) for rank in range(processes)]
    assert sorted(index for of_one in parts for part in of_one for index in part) == list(range(sequences))
    assert len({len(of_one) for of_one in parts}) == 1
    assert all(len(part) <= largest for of_one in parts for part in of_one)
    # No pass more than a fair division needs.
    assert len(parts[0]) == -(-sequences // (min(largest, -(-sequences // processes)) * processes))
