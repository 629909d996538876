"""curation/ids.py: stable hashes of ids, and the ids of pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ids import SeenIds, hash_id, names_a_piece, repeated_hashes


def test_hashes_of_ids_are_fixed() -> None:
    """The first eight bytes of BLAKE2b with a digest of eight bytes, as `b2sum -l 64` prints them."""
    assert hash_id("").to_bytes(8, "little").hex() == "e4a6a0577479b2b4"
    assert hash_id("abc").to_bytes(8, "little").hex() == "d8bb14d833d59559"


@given(st.lists(st.lists(st.integers(0, 20), max_size=10), min_size=1, max_size=4))
def test_repeated_hashes(lists: list[list[int]]) -> None:
    everything = [value for values in lists for value in values]
    expected = {value for value in everything if everything.count(value) > 1}
    assert repeated_hashes(np.array(values, dtype=np.uint64) for values in lists) == expected


@pytest.mark.parametrize(
    ("document_id", "piece"), [("a#0", True), ("a#12", True), ("a#0#1", True), ("a", False), ("a#", False), ("a#b", False)]
)
def test_ids_of_pieces(document_id: str, piece: bool) -> None:
    assert names_a_piece(document_id) is piece


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12))
def test_ids_that_stand_twice_in_a_file_or_in_one_before(files: list[list[int]]) -> None:
    seen, before = SeenIds(), set[int]()
    for file in files:
        expected = {number for number in file if file.count(number) > 1 or number in before}
        assert seen.enter(np.array(file, dtype=np.uint64)) == expected
        before |= set(file)
