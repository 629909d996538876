"""Charts as inline SVG: lines, bars, and one stacked bar.

Nothing is scaled but the lines: positions are percentages of a plot whose width the page decides, so that
text keeps its size on every screen. Colours are classes; the page's style gives them for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from curation.report.facts import Curve
from curation.report.markup import compact, count, visible

PLOT_HEIGHT = 220  # pixels
LINE_UNITS = 1000  # a line's own coordinates, stretched to the plot
MAX_TICKS = 6  # that fit beside each other on a phone
HEADROOM = 0.05  # of the range of values, above the highest bar and around lines


@dataclass(frozen=True)
class Axis:
    """A range of values, and how to label it."""

    low: float
    high: float
    label: str
    form: Callable[[float], str] = compact
    whole: bool = False  # values are whole numbers

    def place(self, value: float) -> float:
        """Where a value is between the ends of the axis, in percent."""
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """At most ``MAX_TICKS`` round values within the range."""
        return [value for value in round_values(self.low, self.high, MAX_TICKS) if not self.whole or value == int(value)]


@dataclass(frozen=True)
class BarSeries:
    """One colour of bars: a value for each bin."""

    name: str
    colour: str
    values: Sequence[float]


def round_values(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within a range: as many as possible, at most ``most``."""
    exponent = math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * 10.0**exponent
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(number * step, 12) for number in range(first, last + 1)]
    raise ValueError(f"no round values from {low} to {high}")


def decimal(value: float) -> str:
    """A small number without superfluous zeros."""
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}".replace("e-0", "e-")


def value_axis(values: Sequence[float], label: str, *, from_zero: bool) -> Axis:
    """An axis that holds all the values, with room above (and below, unless it starts at zero)."""
    low, high = (0.0 if from_zero else min(values)), max(values)
    room = HEADROOM * (high - low) or 0.5 * abs(high) or 1.0
    return Axis(low if from_zero else low - room, high + room, label, decimal)


def line_chart(title: str, curves: Sequence[tuple[Curve, str, bool]], x_label: str, y_label: str, *, from_zero: bool = False) -> str:
    """A figure with lines. ``curves``: each with its colour, and whether its points are marked; at least one has points."""
    drawn = [(curve, colour, marked) for curve, colour, marked in curves if curve.values]
    last = max(max(curve.tokens) for curve, _, _ in drawn)
    x_axis = Axis(0.0, last or 1.0, x_label)
    y_axis = value_axis([value for curve, _, _ in drawn for value in curve.values], y_label, from_zero=from_zero)
    body = "".join(_line(curve, colour, marked, x_axis, y_axis) for curve, colour, marked in drawn)
    legend = [(curve.name, colour) for curve, colour, _ in drawn] if len(drawn) > 1 else []
    ends = ", ".join(f"{curve.name} from {decimal(curve.values[0])} to {decimal(curve.values[-1])}" for curve, _, _ in drawn)
    return _figure(title, f"{title}: {ends}", x_axis, y_axis, x_axis.ticks(), body, legend)


def log_chart(title: str, curves: Sequence[tuple[Curve, str, bool]], x_label: str, y_label: str) -> str:
    """A figure with lines over two logarithmic axes; the curves' ``tokens`` are any positive quantity."""
    drawn = [
        (Curve(curve.name, [math.log10(x) for x in curve.tokens], [math.log10(y) for y in curve.values]), colour, marked)
        for curve, colour, marked in curves
    ]
    x_axis, y_axis = (
        replace(value_axis([value for values in columns for value in values], label, from_zero=False), form=_power_of_ten)
        for columns, label in (([curve.tokens for curve, _, _ in drawn], x_label), ([curve.values for curve, _, _ in drawn], y_label))
    )
    body = "".join(_line(curve, colour, marked, x_axis, y_axis, _log_point) for curve, colour, marked in drawn)
    ends = ", ".join(f"{curve.name} from {decimal(curve.values[0])} to {decimal(curve.values[-1])}" for curve, _, _ in curves)
    return _figure(title, f"{title}: {ends}", x_axis, y_axis, x_axis.ticks(), body, [(curve.name, colour) for curve, colour, _ in drawn])


def _power_of_ten(exponent: float) -> str:
    return decimal(math.pow(10, exponent))


def _log_point(name: str, x: float, y: float) -> str:
    return f"{name} {_power_of_ten(y)} at {_power_of_ten(x)}"


def _token_point(name: str, tokens: float, value: float) -> str:
    return f"{name} {decimal(value)} after {compact(tokens)} tokens"


def _line(
    curve: Curve,
    colour: str,
    marked: bool,
    x_axis: Axis,
    y_axis: Axis,
    describe: Callable[[str, float, float], str] = _token_point,
) -> str:
    places = [(x_axis.place(tokens), 100 - y_axis.place(value)) for tokens, value in zip(curve.tokens, curve.values, strict=True)]
    points = " ".join(f"{x * LINE_UNITS / 100:.1f},{y * LINE_UNITS / 100:.1f}" for x, y in places)
    line = (
        f'<svg viewBox="0 0 {LINE_UNITS} {LINE_UNITS}" width="100%" height="100%" preserveAspectRatio="none">'
        f'<polyline class="stroke {colour}" points="{points}"/></svg>'
    )
    if not marked and len(places) > 1:
        return line
    dots = "".join(
        f'<circle class="fill {colour}" cx="{x:.2f}%" cy="{y:.2f}%" r="3.5">'
        f"<title>{visible(describe(curve.name, tokens, value))}</title></circle>"
        for (x, y), tokens, value in zip(places, curve.tokens, curve.values, strict=True)
    )
    return line + dots


def histogram(title: str, series: Sequence[BarSeries], x_axis: Axis, y_label: str, *, y_form: Callable[[float], str] = compact) -> str:
    """A figure with a stacked bar for each bin; the bins divide ``x_axis`` into equal parts."""
    bins = len(series[0].values)
    totals = [sum(one.values[number] for one in series) for number in range(bins)]
    whole = all(isinstance(total, int) for total in totals)
    y_axis = Axis(0.0, max(totals) * (1 + HEADROOM) or 1.0, y_label, y_form, whole)
    width = (x_axis.high - x_axis.low) / bins
    labels = [f"{x_axis.form(x_axis.low + number * width)} to {x_axis.form(x_axis.low + (number + 1) * width)}" for number in range(bins)]
    body = "".join(_bar(series, number, bins, labels[number], y_axis) for number in range(bins))
    legend = [(one.name, one.colour) for one in series] if len(series) > 1 else []
    described = "; ".join(f"{one.name}: {', '.join(y_form(value) for value in one.values)}" for one in series)
    return _figure(title, f"{title}, {bins} bins. {described}", x_axis, y_axis, x_axis.ticks(), body, legend)


def column_chart(title: str, columns: Sequence[tuple[str, int]], x_label: str, y_label: str, colour: str) -> str:
    """A figure with one bar for each named column."""
    y_axis = Axis(0.0, max(value for _, value in columns) * (1 + HEADROOM) or 1.0, y_label, whole=True)
    series = [BarSeries(y_label, colour, [value for _, value in columns])]
    body = "".join(_bar(series, number, len(columns), label, y_axis) for number, (label, _) in enumerate(columns))
    names = [label for label, _ in columns]
    x_axis = Axis(-0.5, len(columns) - 0.5, x_label, lambda number: names[round(number)])
    described = ", ".join(f"{label}: {count(value)}" for label, value in columns)
    return _figure(title, f"{title}. {described}", x_axis, y_axis, list(range(len(columns))), body, [])


def _bar(series: Sequence[BarSeries], number: int, bins: int, label: str, y_axis: Axis) -> str:
    gap = min(8.0, 100 / bins * 0.12)
    left, width = 100 * number / bins + gap / 2, 100 / bins - gap
    parts, base = [], 0.0
    for one in series:
        value = one.values[number]
        if value:
            top = 100 - y_axis.place(base + value)
            parts.append(
                f'<rect class="fill {one.colour}" x="{left:.2f}%" y="{top:.2f}%" width="{width:.2f}%" height="{y_axis.place(value):.2f}%">'
                f"<title>{visible(f'{label}: {y_axis.form(value)} {one.name}')}</title></rect>"
            )
            base += value
    return "".join(parts)


def _figure(
    title: str, description: str, x_axis: Axis, y_axis: Axis, x_ticks: Sequence[float], body: str, legend: Sequence[tuple[str, str]]
) -> str:
    grid = "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{100 - y_axis.place(tick):.2f}%" y2="{100 - y_axis.place(tick):.2f}%"/>'
        f'<text x="-8" y="{100 - y_axis.place(tick):.2f}%" dy="4" text-anchor="end">{visible(y_axis.form(tick))}</text>'
        for tick in y_axis.ticks()
    )
    marks = "".join(
        f'<text x="{x_axis.place(tick):.2f}%" y="100%" dy="18" text-anchor="middle">{visible(x_axis.form(tick))}</text>' for tick in x_ticks
    )
    names = "".join(f'<span><i class="swatch {colour}"></i>{visible(name)}</span>' for name, colour in legend)
    return (
        f'<figure class="chart"><figcaption>{visible(title)}</figcaption>'
        f'<p class="legend"><span>{visible(y_axis.label)}</span>{names}</p>'
        f'<div class="plot"><svg width="100%" height="{PLOT_HEIGHT}" role="img" aria-label="{visible(description)}">{grid}'
        f'<line class="axis" x1="0" x2="100%" y1="100%" y2="100%"/>{body}{marks}</svg></div>'
        f'<p class="axis-label">{visible(x_axis.label)}</p></figure>'
    )


def stacked_bar(parts: Sequence[tuple[str, str, int]], whole: int, description: str) -> str:
    """A bar of (name, colour, number), as long as their sum is of ``whole``."""
    rectangles, left = [], 0.0
    for name, colour, number in parts:
        width = 100 * number / whole if whole else 0.0
        if number:
            rectangles.append(
                f'<rect class="fill {colour}" x="{left:.3f}%" y="0" width="{width:.3f}%" height="100%">'
                f"<title>{visible(f'{name}: {count(number)}')}</title></rect>"
            )
        left += width
    return f'<svg class="bar" width="100%" height="18" role="img" aria-label="{visible(description)}">{"".join(rectangles)}</svg>'
