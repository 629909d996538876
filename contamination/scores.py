"""Scores on all, dirty and clean items of each benchmark (GPT-3, appendix C).

Comes in: what ``decontaminate`` published about the overlap, and a score for every item. Goes out: one comparison
for each benchmark and metric. A model that has profited from text that it saw in training does worse on clean items.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contamination.benchmarks import read_rows
from curation import storage
from curation.errors import InputError, IntegrityError

REPORT, DIRTY_ITEMS = "contamination/report.json", "contamination/dirty_items.json"
SCORES = {kind: f"contamination/scores.{kind}" for kind in ("json", "csv", "html")}  # what is made of both, and goes when they change
# Of the report's columns those that are read back.
READ_COLUMNS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "split": str,
    "n": int,
    "items": int,
    "dirty": int,
    "clean_percent": (int, float),
}
CONFIDENCE_Z = 1.959964  # of a two-sided interval of 95 %
# Agresti and Coull (1998): two more successes and two more failures, so that 5 of 5 is not certainty.
PSEUDO_ITEMS, PSEUDO_SUCCESSES = 4.0, 2.0

Scores = dict[tuple[str, str], dict[int, float]]  # (benchmark, metric) to item to score


@dataclass(frozen=True)
class Group:
    """``count`` items with a mean score, and the standard error of that mean; None for both without items.

    ``center``: the middle of the interval of a share of right answers, which then lies within 0 and 1; None: the mean.
    """

    count: int
    score: float | None
    error: float | None
    center: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One row of the table.

    Intervals are of 95 %. ``relative_difference``: 2 (clean - all) / (clean + all), percent, the form that agrees with all rows
    of GPT-3's table C.1; None without clean items. ``items``: of the benchmark; ``scored``: those with a score.
    """

    benchmark: str
    metric: str
    n: int | None
    items: int
    scored: int
    all_score: float | None
    dirty: int
    dirty_score: float | None
    dirty_low: float | None
    dirty_high: float | None
    clean: int
    clean_score: float | None
    clean_low: float | None
    clean_high: float | None
    clean_percent: float | None
    relative_difference: float | None
    relative_low: float | None
    relative_high: float | None


def compare_run(run: str, score_files: Sequence[str]) -> list[Comparison]:
    """Comparisons of every benchmark and metric of the score files, in the order of the report.

    Raises:
        InputError: the run has no report, or a score belongs to no item of it.
        IntegrityError: the report is damaged.
    """
    rows = {f"{row['name']}/{row['split']}" if row["split"] else row["name"]: row for row in published_report(run)}
    dirty_items = _published_dirty_items(run, rows)
    scores = read_scores(score_files, {label: row["items"] for label, row in rows.items()})
    comparisons = []
    for label, row in rows.items():
        for (benchmark, metric), items in sorted(scores.items()):
            if benchmark == label:
                groups: dict[bool, list[float]] = {True: [], False: []}
                for item, score in sorted(items.items()):
                    groups[item in dirty_items[label]].append(score)
                comparison = compare(summarise(np.array(groups[True])), summarise(np.array(groups[False])))
                comparisons.append(Comparison(label, metric, row["n"], row["items"], len(items), **comparison))
    return comparisons


def _published(run: str, name: str) -> Any:
    path = storage.join(run, name)
    if not storage.exists(path):
        raise InputError(f"{path} is missing; run `python cli.py decontaminate --run {run}` first")
    try:
        return json.loads(storage.read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(run, name, str(error)) from error


def _damaged(run: str, name: str, problem: str) -> IntegrityError:
    return IntegrityError(f"{storage.join(run, name)} is damaged ({problem}); run `python cli.py decontaminate --run {run}` again")


def published_report(run: str) -> list[dict[str, Any]]:
    """The rows of the run's report of overlap.

    Raises:
        InputError: the run has none.
        IntegrityError: it is damaged.
    """
    rows = _published(run, REPORT)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _damaged(run, REPORT, "it is no list of benchmarks")
    for row in rows:
        for column, kind in READ_COLUMNS.items():
            if not isinstance(row.get(column), kind):
                raise _damaged(run, REPORT, f"{column} of a benchmark is {row.get(column)!r}")
    return rows


def _published_dirty_items(run: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, set[int]]:
    """Numbers of the dirty items of each benchmark; ``rows``: of the report, by label."""
    dirty = _published(run, DIRTY_ITEMS)
    if not isinstance(dirty, dict):
        raise _damaged(run, DIRTY_ITEMS, "it is no mapping of benchmarks to items")
    for label, row in rows.items():
        items = dirty.get(label)
        if not isinstance(items, list) or not all(isinstance(item, int) for item in items):
            raise _damaged(run, DIRTY_ITEMS, f"it holds no list of item numbers for {label}")
        if len(set(items)) != row["dirty"]:
            raise _damaged(run, DIRTY_ITEMS, f"it holds {len(set(items)):,} items of {label}, and {REPORT} has {row['dirty']:,} dirty")
    return {label: set(dirty[label]) for label in rows}


def read_scores(paths: Sequence[str], items_of: Mapping[str, int]) -> Scores:
    """Scores by benchmark, metric and item, from JSON Lines ``{"benchmark", "item", "score"}`` with an optional ``metric``.

    ``items_of``: how many items each benchmark has. ``item`` is the item's number in its benchmark, from 0.

    Raises:
        InputError: a row is no score, belongs to no item, or stands twice.
    """
    scores: Scores = {}
    for path in paths:
        for place, row in read_rows(path):
            benchmark, item, score, metric = row.get("benchmark"), row.get("item"), row.get("score"), row.get("metric", "")
            if isinstance(score, bool) or not isinstance(score, int | float) or not abs(score) <= sys.float_info.max:
                raise InputError(f"{place}: score is {score!r}, not a finite number; leave items without a score out")
            if not isinstance(benchmark, str) or benchmark not in items_of:
                known = ", ".join(items_of) or "none"
                raise InputError(f"{place}: benchmark is {benchmark!r}; those of the report are {known}")
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < items_of[benchmark]:
                raise InputError(f"{place}: item is {item!r}; {benchmark} has items 0 to {items_of[benchmark] - 1}")
            if not isinstance(metric, str):
                raise InputError(f"{place}: metric is {metric!r}; name it by a string")
            items = scores.setdefault((benchmark, metric), {})
            if item in items:
                raise InputError(f"{place}: item {item} of {benchmark} has a score already; name two metrics apart by `metric`")
            items[item] = float(score)
    return scores


def summarise(scores: NDArray[np.float64]) -> Group:
    """Mean and its standard error. Scores that are all 0 or 1 are counts, whose error Agresti and Coull correct."""
    count = len(scores)
    if count == 0:
        return Group(0, None, None)
    mean = float(scores.mean())
    if np.isin(scores, (0.0, 1.0)).all():
        share = (float(scores.sum()) + PSEUDO_SUCCESSES) / (count + PSEUDO_ITEMS)
        return Group(count, mean, math.sqrt(share * (1 - share) / (count + PSEUDO_ITEMS)), share)
    return Group(count, mean, float(scores.std(ddof=1)) / math.sqrt(count) if count > 1 else None)


def compare(dirty: Group, clean: Group, all_score: float | None = None) -> dict[str, Any]:
    """The values of a ``Comparison`` that follow from its two groups.

    ``all_score``: of all items, where it is not the mean of the two groups (BLEU of a whole corpus).
    """
    total = dirty.count + clean.count
    if all_score is None and total:
        all_score = (dirty.count * (dirty.score or 0.0) + clean.count * (clean.score or 0.0)) / total
    difference = None if clean.score is None or all_score is None else relative_difference(clean.score, all_score)
    low, high = _interval(difference, _relative_error(dirty, clean))
    return {
        "all_score": all_score,
        "dirty": dirty.count,
        "dirty_score": dirty.score,
        **dict(zip(("dirty_low", "dirty_high"), _group_interval(dirty), strict=True)),
        "clean": clean.count,
        "clean_score": clean.score,
        **dict(zip(("clean_low", "clean_high"), _group_interval(clean), strict=True)),
        "clean_percent": 100 * clean.count / total if total else None,
        "relative_difference": difference,
        "relative_low": low,
        "relative_high": high,
    }


def relative_difference(clean: float, all_score: float) -> float:
    """2 (clean - all) / (clean + all), in percent; 0 where both are 0."""
    return 200 * (clean - all_score) / (clean + all_score) if clean + all_score else 0.0


def _relative_error(dirty: Group, clean: Group) -> float | None:
    """Standard error of the relative difference, percent.

    The items of the two groups are independent, while clean and all share items. With p the share of dirty items,
    the difference is 2p (c - d) / ((2 - p) c + p d); the delta method takes its derivatives by c and d.
    """
    if dirty.score is None or clean.score is None or dirty.error is None or clean.error is None:
        return None
    share = dirty.count / (dirty.count + clean.count)
    numerator = 2 * share * (clean.score - dirty.score)
    denominator = (2 - share) * clean.score + share * dirty.score
    if denominator <= 0:
        return None
    by_clean = (2 * share * denominator - numerator * (2 - share)) / denominator**2
    by_dirty = (-2 * share * denominator - numerator * share) / denominator**2
    return 100 * math.hypot(by_clean * clean.error, by_dirty * dirty.error)


def _group_interval(group: Group) -> tuple[float | None, float | None]:
    if group.center is None:
        return _interval(group.score, group.error)
    low, high = _interval(group.center, group.error)
    return max(0.0, low or 0.0), min(1.0, 1.0 if high is None else high)


def _interval(value: float | None, error: float | None) -> tuple[float | None, float | None]:
    if value is None or error is None:
        return None, None
    return value - CONFIDENCE_Z * error, value + CONFIDENCE_Z * error


def comparisons_to_json(comparisons: Sequence[Comparison]) -> bytes:
    """The comparisons as a JSON list."""
    return (json.dumps([asdict(comparison) for comparison in comparisons], indent=1, sort_keys=True) + "\n").encode()


def comparisons_to_csv(comparisons: Sequence[Comparison]) -> bytes:
    """The comparisons as CSV with a header."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(Comparison.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(comparison) for comparison in comparisons)
    return stream.getvalue().encode()
