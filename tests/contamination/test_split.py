"""Windows and pieces, by hand and as a partition of the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contamination.split import merge_windows, split_text


def test_two_hundred_characters_on_each_side() -> None:
    split = split_text(2000, [(900, 1000)], 200, 200)
    assert split.windows == [(700, 1200)]
    assert split.pieces == split.kept == [(0, 700), (1200, 2000)]


def test_windows_are_clipped_at_the_ends_of_the_text() -> None:
    split = split_text(1000, [(10, 50), (950, 1000)], 200, 200)
    assert split.windows == [(0, 250), (750, 1000)]
    assert split.pieces == [(250, 750)]


def test_windows_that_meet_are_one() -> None:
    assert merge_windows([(300, 310), (710, 720)], 2000, 200) == [(100, 920)]
    assert merge_windows([(300, 310), (711, 720)], 2000, 200) == [(100, 510), (511, 920)]
    assert merge_windows([(711, 720), (300, 900), (310, 320)], 2000, 200) == [(100, 1100)]


def test_pieces_are_counted_before_short_ones_are_dropped() -> None:
    split = split_text(1100, [(400, 410), (900, 910)], 200, 200)
    assert split.pieces == [(0, 200), (610, 700)]
    assert split.kept == [(0, 200)]  # 200 characters are not "less than 200"
    assert split_text(1100, [(399, 410)], 200, 200).kept == [(610, 1100)]


def test_nothing_is_left_of_a_short_text() -> None:
    split = split_text(300, [(100, 200)], 200, 200)
    assert (split.windows, split.pieces, split.kept) == ([(0, 300)], [], [])


def test_no_hits() -> None:
    assert split_text(0, [], 200, 200).pieces == []
    assert split_text(7, [], 200, 5).kept == [(0, 7)]


spans = st.integers(0, 500).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 1, 520)))


@given(st.lists(spans, max_size=12), st.integers(0, 60), st.integers(0, 80))
def test_pieces_and_windows_partition_the_text(hits: list[tuple[int, int]], window: int, min_piece: int) -> None:
    split = split_text(520, hits, window, min_piece)
    parts = sorted([*split.windows, *split.pieces])
    assert [start for start, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == 520
    near = [any(start - window <= place < end + window for start, end in hits) for place in range(520)]
    removed = [any(start <= place < end for start, end in split.windows) for place in range(520)]
    assert removed == near
    assert split.kept == [(start, end) for start, end in split.pieces if end - start >= min_piece]
