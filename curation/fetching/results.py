"""What a crawl leaves beside its WARC files: the outcome of every link as Parquet, and a summary whose sums are checked."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from curation import storage
from curation.errors import IntegrityError
from curation.fetching.frontier import COLUMNS, Frontier
from curation.fetching.warc_files import SUFFIX

ROWS_PER_FILE = 100_000
ROWS_AT_ONCE = 5_000  # as Python's own objects, which take ten times as much memory as a table
WAITING = "waiting"
_WHOLE_NUMBERS = {"status": pl.Int32, "bytes": pl.Int64, "offset": pl.Int64, "redirects": pl.Int32}
SCHEMA = pl.Schema({name: _WHOLE_NUMBERS.get(name, pl.String) for name in COLUMNS})


def write_outcomes(frontier: Frontier, folder: Path) -> None:
    """Commit a row for every link, in the order of the list; the outcome of a link that waits is null."""
    frames, number = _frames(frontier), 0
    while part := list(itertools.islice(frames, ROWS_PER_FILE // ROWS_AT_ONCE)):
        content = io.BytesIO()
        pl.concat(part).write_parquet(content, compression="zstd")
        storage.commit_bytes(str(folder / f"outcomes/part-{number:05d}.parquet"), content.getbuffer())
        number += 1


def _frames(frontier: Frontier) -> Iterator[pl.DataFrame]:
    """All rows, in small tables; one at least."""
    rows = frontier.rows()
    part = list(itertools.islice(rows, ROWS_AT_ONCE))
    yield pl.DataFrame(part, schema=SCHEMA, orient="row")
    while part := list(itertools.islice(rows, ROWS_AT_ONCE)):
        yield pl.DataFrame(part, schema=SCHEMA, orient="row")


def summarise(frontier: Frontier, folder: Path) -> dict[str, Any]:
    """Counts of links by outcome and reason, bytes received, and the WARC files.

    Raises:
        IntegrityError: links are not accounted for.
    """
    outcomes: dict[str, Counter[str]] = {}
    for (outcome, reason), count in sorted(frontier.counts().items()):
        outcomes.setdefault(outcome or WAITING, Counter())[reason or WAITING] += count
    links, accounted = frontier.links(), sum(reasons.total() for reasons in outcomes.values())
    if links != accounted:
        raise IntegrityError(f"{folder}: of {links} links {accounted} are accounted for; this is an error of ours, please report it")
    return {
        "links": links,
        "outcomes": {outcome: dict(reasons) for outcome, reasons in outcomes.items()},
        "bytes": frontier.stored_bytes(),
        "files": [path.name for path in sorted(folder.glob(f"*{SUFFIX}"))],
    }


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Commit the summary as ``summary.json``."""
    storage.commit_bytes(str(folder / "summary.json"), (json.dumps(summary, indent=1, sort_keys=True) + "\n").encode())


def summary_line(summary: dict[str, Any], seconds: float) -> str:
    """One line: how many links came in and what became of them."""
    parts = [f"{summary['links']:,} links"]
    for outcome, reasons in sorted(summary["outcomes"].items()):
        named = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        parts.append(f"{sum(reasons.values()):,} {outcome}" + (f" ({named})" if outcome != WAITING else ""))
    return f"fetch: {', '.join(parts)}; {seconds:.1f} s"
