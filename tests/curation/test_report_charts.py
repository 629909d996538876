"""Charts: where marks stand, and that axes hold what they show."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.report.charts import MAX_TICKS, Axis, BarSeries, column_chart, decimal, histogram, line_chart, round_values, stacked_bar
from curation.report.facts import Curve
from tests.curation.report_run import PageReader


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 9))
def test_round_values_are_few_and_within(low: float, width: float, most: int) -> None:
    values = round_values(low, low + width, most)
    slack = 1e-6 * (abs(low) + width)
    assert 1 <= len(values) <= most
    assert all(low - slack <= value <= low + width + slack for value in values)
    assert values == sorted(set(values))


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 630, [0, 200, 400, 600]),
        (0, 400_000, [0, 100_000, 200_000, 300_000, 400_000]),
        (0.8, 1, [0.8, 0.85, 0.9, 0.95, 1]),
        (6.1, 7.7, [6.5, 7, 7.5]),
        (-5, 5, [-4, -2, 0, 2, 4]),
    ],
)
def test_round_values_by_hand(low: float, high: float, values: list[float]) -> None:
    assert round_values(low, high, MAX_TICKS) == pytest.approx(values)


def test_whole_axes_have_whole_ticks() -> None:
    assert Axis(0, 1.05, "documents", whole=True).ticks() == [0, 1]


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (0.003, "0.003"), (6e-5, "6.0e-5"), (7.5, "7.5"), (0.6000000001, "0.6")])
def test_decimals(value: float, shown: str) -> None:
    assert decimal(value) == shown


def test_a_line_runs_from_corner_to_corner() -> None:
    # Values 1 to 3 with 5 % room of their range: the axis goes from 0.9 to 3.1, so 1 is 1/22 above its foot.
    chart = line_chart("Loss", [(Curve("loss", [0, 50, 100], [3, 2, 1]), "kept", False)], "tokens", "nats")
    points = re.search('points="([^"]+)"', chart)[1]  # type: ignore[index]
    assert points == "0.0,45.5 500.0,500.0 1000.0,954.5"
    PageReader(chart)


def test_a_single_point_is_marked_where_a_line_would_not_show() -> None:
    chart = line_chart("Loss", [(Curve("loss", [1024], [3.5]), "kept", False)], "tokens", "nats")
    assert chart.count("<circle") == 1 and "loss 3.5 after 1,024 tokens" in chart


def test_curves_without_points_are_left_out() -> None:
    curves = [(Curve("a", [0, 1], [1, 2]), "kept", False), (Curve("b", [], []), "removed", True)]
    assert "swatch" not in line_chart("Loss", curves, "tokens", "nats")


def test_bars_stand_on_each_other() -> None:
    series = [BarSeries("kept", "kept", [30, 0]), BarSeries("removed", "removed", [70, 10])]
    chart = histogram("Scores", series, Axis(0, 1, "score", decimal), "documents")
    bars = re.findall(r'class="fill (\w+)" x="([\d.]+)%" y="([\d.]+)%" width="([\d.]+)%" height="([\d.]+)%"><title>([^<]+)', chart)
    # The highest bar, 100, has 5 % of room above it: 30 is 30 / 105 of the height.
    assert [(colour, float(y), float(height), title) for colour, _, y, _, height, title in bars] == [
        ("kept", pytest.approx(71.43), pytest.approx(28.57), "0 to 0.5: 30 kept"),
        ("removed", pytest.approx(4.76), pytest.approx(66.67), "0 to 0.5: 70 removed"),
        ("removed", pytest.approx(90.48), pytest.approx(9.52), "0.5 to 1: 10 removed"),
    ]
    PageReader(chart)


def test_empty_histograms_and_columns_are_drawn_empty() -> None:
    for chart in (
        histogram("Nothing", [BarSeries("kept", "kept", [0, 0])], Axis(0, 1, "score"), "documents"),
        column_chart("Nothing", [("2", 0), ("3", 0)], "size", "clusters", "removed"),
    ):
        assert "<rect" not in chart
        PageReader(chart)


def test_columns_are_named_below() -> None:
    chart = column_chart("Clusters", [("2", 5), ("3", 1), (">3", 0)], "size", "clusters", "removed")
    assert re.findall('text-anchor="middle">([^<]+)<', chart) == ["2", "3", "&gt;3"]
    assert re.findall('x="([^"]+)" y="100%"', chart) == ["16.67%", "50.00%", "83.33%"]


def test_a_stacked_bar_is_as_long_as_its_share_of_the_whole() -> None:
    bar = stacked_bar([("kept", "kept", 25), ("changed", "changed", 0), ("removed", "removed", 25)], 100, "a stage")
    assert re.findall(r'x="([\d.]+)%" y="0" width="([\d.]+)%"', bar) == [("0.000", "25.000"), ("25.000", "25.000")]
    assert "<rect" not in stacked_bar([("kept", "kept", 0)], 0, "nothing came in")
