"""How answers about damaged archives are scored, against truths written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.hostile import score

TRUTH = {
    "key": "id",
    "sha256": {"a": "1", "b": "2"},
    "damaged": ["c"],
    "forbidden": ["d"],
    "lenient": {"e": ["5", "6"]},
    "must_report": True,
}


@pytest.mark.parametrize(
    ("records", "error", "right", "wrong", "silent"),
    [
        ([["a", "", "1"], ["b", "", "2"], ["c", "", None]], None, 2, 0, 0),
        ([["a", "", "1"], ["b", "", "9"]], None, 1, 0, 1),
        ([["a", "", "1"]], "OSError: cut", 1, 0, 0),
        ([["a", "", "1"], ["b", "", "2"], ["c", "", "3"], ["d", "", "4"], ["e", "", "7"]], None, 2, 3, 1),
        ([["a", "", "1"], ["b", "", "2"], ["e", "", "6"]], "reported", 2, 0, 0),
    ],
)
def test_scores(records: list[list[Any]], error: str | None, right: int, wrong: int, silent: int) -> None:
    assert score(TRUTH, {"records": records, "error": error}) == {"undamaged": 2, "right": right, "wrong": wrong, "silent": silent}
