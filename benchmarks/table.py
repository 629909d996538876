"""Rows of a benchmark: ours beside a peer's figure, their ratio, and the ratio asked for; as a table and as JSON.

A ratio above 1 means that ours is better, whatever is measured: times and memory are turned round.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("measure", "unit", "ours", "peer", "peer's name", "ratio", "goal")


@dataclass(frozen=True)
class Row:
    """One comparison. ``peer_name`` says what ``peer`` is: a program, or a limit; None where ours stands alone.

    ``goal``: the ratio asked for; None where none is.
    """

    measure: str
    unit: str
    ours: float
    peer_name: str | None = None
    peer: float | None = None
    ratio: float | None = None
    goal: float | None = None


def higher_is_better(
    measure: str, unit: str, ours: float, peer_name: str | None = None, peer: float | None = None, goal: float | None = None
) -> Row:
    """A row of rates, scores or speed-ups."""
    return Row(measure, unit, ours, peer_name, peer, _quotient(ours, peer), goal)


def lower_is_better(
    measure: str, unit: str, ours: float, peer_name: str | None = None, peer: float | None = None, goal: float | None = None
) -> Row:
    """A row of times, memory or errors."""
    return Row(measure, unit, ours, peer_name, peer, _quotient(peer, ours), goal)


def _quotient(better: float | None, worse: float | None) -> float | None:
    """None without a peer, and where nothing can be divided by: JSON has no infinity."""
    return better / worse if better is not None and worse else None


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to this file")
    options.add_argument("--repeats", type=int, metavar="N", help="runs of each candidate (default: 5, or 3 where one takes over 60 s)")
    return options


def report(rows: Sequence[Row], json_file: Path | None) -> None:
    """Print the rows as a table and, if asked for, write them as JSON."""
    print(format_table(rows))
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def format_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table whose columns are also aligned for reading as text."""
    lines = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    texts = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    ratio, goal = _times(row.ratio), _times(row.goal)
    if row.ratio is not None and row.goal is not None:
        goal += " reached" if row.ratio >= row.goal else " missed"
    return (row.measure, row.unit, _number(row.ours), _number(row.peer), row.peer_name or "", ratio, goal)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"×{ratio:.2f}"


def _number(value: float | None) -> str:
    """Three or four figures; whole numbers without a point."""
    if value is None:
        return ""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3g}"
