"""Ratios point the same way for every measure; tables and JSON hold the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.table import Row, format_table, higher_is_better, lower_is_better, report


def test_a_ratio_above_one_is_ours_for_rates_and_for_times() -> None:
    # 30 pages/s against 20 are half as many again; 2 s against 3 s are the same advantage.
    assert higher_is_better("speed", "pages/s", 30, "them", 20).ratio == 1.5
    assert lower_is_better("time", "s", 2, "them", 3).ratio == 1.5
    assert higher_is_better("speed", "pages/s", 20, "them", 40).ratio == 0.5
    assert lower_is_better("memory", "MB", 400, "them", 200).ratio == 0.5


@pytest.mark.parametrize(
    "row", [higher_is_better("m", "u", 1), higher_is_better("m", "u", 1, "p", 0), lower_is_better("m", "u", 0, "p", 1)]
)
def test_no_ratio_where_nothing_can_be_divided_by(row: Row) -> None:
    assert row.ratio is None


def test_the_table_says_whether_a_goal_is_reached() -> None:
    table = format_table([lower_is_better("a", "s", 1, "p", 2, goal=2), higher_is_better("b", "x", 1, "p", 2, goal=0.9)])
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1, "columns are aligned"
    assert "×2.00 reached" in lines[2] and "×0.90 missed" in lines[3]


def test_json_has_the_agreed_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report([higher_is_better("pages", "pages/s", 12.5, "them", 10, goal=1)], tmp_path / "sub" / "rows.json")
    assert json.loads((tmp_path / "sub" / "rows.json").read_text()) == [
        {"measure": "pages", "unit": "pages/s", "ours": 12.5, "peer_name": "them", "peer": 10, "ratio": 1.25, "goal": 1}
    ]
    assert "×1.25" in capsys.readouterr().out
