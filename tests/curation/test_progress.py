"""curation/progress.py: what a long step says where there is no terminal."""

from __future__ import annotations

import pytest

from curation import progress
from curation.progress import Progress


@pytest.mark.parametrize(
    ("seconds", "done", "left", "text"),
    [(10.0, 100, 300, ", 0:00:30 left"), (60.0, 1, 61, ", 1:01:00 left"), (5.0, 0, 10, ""), (5.0, 10, 0, "")],
)
def test_time_left_by_hand(seconds: float, done: int, left: int, text: str) -> None:
    assert progress._time_left(seconds, done, left) == text


def test_a_run_that_goes_on_counts_from_where_it_began(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Progress().bar("train", 1000) as update:
        update(500, "loss 2")
        update(600, "loss 1")
    # A hundred parts in 20 seconds: 400 more take 80.
    assert capsys.readouterr().err.splitlines() == ["train: 50%, loss 2", "train: 60%, loss 1, 0:01:20 left"]
