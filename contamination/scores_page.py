"""Scores on all, dirty and clean items as one self-contained HTML page: a scatter like GPT-3's figure 4.2, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from contamination.page import END, head
from contamination.scores import Comparison

# Units of the plot's own coordinates; the page scales them to its width.
WIDTH, HEIGHT = 900, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 40, 20, 50
MIN_RANGE_PERCENT = 10.0  # of the axis of differences, so that noise does not look large
LETTER_WIDTH, LINE_HEIGHT = 7.6, 16  # of a label, about; one that would cover another is left out

SCATTER_STYLE = """
svg { width: 100%; height: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
svg text { fill: var(--soft); font-size: 14px; }
svg .axis { stroke: var(--line); }
svg .zero { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .interval { stroke: var(--clean); opacity: .45; }
svg circle { fill: var(--clean); }
svg .worse { fill: var(--dirty); }
"""
COLUMNS = ("relative difference", "n", "scored", "all", "dirty items", "dirty", "clean items", "clean", "clean share")


def render_scores_page(comparisons: Sequence[Comparison]) -> bytes:
    """The page as UTF-8."""
    body = [
        head("Scores on dirty and clean items", SCATTER_STYLE),
        "<h1>Scores on dirty and clean items</h1>",
        "<p>An item is dirty if a document of the corpus holds one of its n-grams. A model that has profited from what it saw does worse "
        "on clean items than on all. The relative difference is 2 (clean - all) / (clean + all), as in GPT-3, table C.1; intervals are "
        "of 95 %. A difference whose interval holds 0 says nothing.</p>",
    ]
    plotted = [row for row in comparisons if row.clean_percent is not None and row.relative_difference is not None]
    body += [_scatter(plotted)] if plotted else ["<p>No benchmark has scores on clean items.</p>"]
    body += [_table(comparisons), END]
    return "\n".join(body).encode()


def _scatter(rows: Sequence[Comparison]) -> str:
    bounds = [abs(value) for row in rows for value in (row.relative_difference, row.relative_low, row.relative_high) if value is not None]
    reach = max(MIN_RANGE_PERCENT, *bounds) * 1.1

    def across(percent: float) -> float:
        return LEFT + percent / 100 * (WIDTH - LEFT - RIGHT)

    def down(difference: float) -> float:
        return TOP + (reach - difference) / (2 * reach) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Relative difference over the share of clean items">']
    for percent in range(0, 101, 25):
        parts.append(f'<line class="axis" x1="{across(percent):.1f}" x2="{across(percent):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{across(percent):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{percent} %</text>')
    for difference in (-reach / 1.1, 0.0, reach / 1.1):
        kind = "zero" if difference == 0 else "axis"
        parts.append(f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(difference):.1f}" y2="{down(difference):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{down(difference) + 5:.1f}" text-anchor="end">{difference:.0f} %</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">share of clean items</text>')
    parts.append(f'<text x="{LEFT + 8}" y="{TOP + 16}">better on clean items</text>')
    parts.append(f'<text x="{LEFT + 8}" y="{HEIGHT - BOTTOM - 8}">worse on clean items</text>')
    labels: list[tuple[float, float, float]] = []  # left end, right end and height of those that are placed
    for row in sorted(rows, key=lambda row: -abs(row.relative_difference or 0.0)):
        assert row.clean_percent is not None and row.relative_difference is not None
        x, y = across(row.clean_percent), down(row.relative_difference)
        if row.relative_low is not None and row.relative_high is not None:
            ends = f'y1="{down(row.relative_low):.1f}" y2="{down(row.relative_high):.1f}"'
            parts.append(f'<line class="interval" x1="{x:.1f}" x2="{x:.1f}" {ends}/>')
        worse = ' class="worse"' if row.relative_high is not None and row.relative_high < 0 else ""
        title = f"{_name(row)}: {row.clean_percent:.1f} % clean, {row.relative_difference:+.1f} %"
        parts.append(f'<circle{worse} cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{title}</title></circle>')
        anchor, shift, size = ("end", -9, -len(row.benchmark)) if row.clean_percent > 60 else ("start", 9, len(row.benchmark))
        left, right = sorted((x + shift, x + shift + size * LETTER_WIDTH))
        if all(right < other[0] or left > other[1] or abs(y - other[2]) > LINE_HEIGHT for other in labels):
            labels.append((left, right, y))
            parts.append(f'<text x="{x + shift:.1f}" y="{y + 5:.1f}" text-anchor="{anchor}">{escape(row.benchmark)}</text>')
    return "".join([*parts, "</svg>"])


def _table(comparisons: Sequence[Comparison]) -> str:
    header = "<th>benchmark</th>" + "".join(f'<th class="number">{title}</th>' for title in COLUMNS)
    lines = []
    for row in comparisons:
        cells = (
            _value(row.relative_difference, row.relative_low, row.relative_high, "+.1f", " %"),
            "" if row.n is None else str(row.n),
            f"{row.scored:,} of {row.items:,}",
            _value(row.all_score),
            f"{row.dirty:,}",
            _value(row.dirty_score, row.dirty_low, row.dirty_high),
            f"{row.clean:,}",
            _value(row.clean_score, row.clean_low, row.clean_high),
            _value(row.clean_percent, form=".1f", unit=" %"),
        )
        lines.append(f'<tr><td class="name">{_name(row)}</td>' + "".join(f'<td class="number">{cell}</td>' for cell in cells) + "</tr>")
    return f'<div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _name(row: Comparison) -> str:
    return escape(f"{row.benchmark} ({row.metric})" if row.metric else row.benchmark)


def _value(value: float | None, low: float | None = None, high: float | None = None, form: str = ".3f", unit: str = "") -> str:
    if value is None:
        return "-"
    interval = "" if low is None or high is None else f' <span class="soft">{low:{form}} to {high:{form}}</span>'
    return f"{value:{form}}{unit}{interval}"
