"""What a crawl leaves beside its WARC files: the outcome of every link as Parquet, and a summary whose sums are checked."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from curation import storage
from curation.errors import IntegrityError
from curation.fetching.frontier import COLUMNS, Frontier
from curation.fetching.outcomes import FetchReason, Outcome
from curation.fetching.warc_files import SUFFIX
from curation.sources.urls import canonical_key

ROWS_PER_FILE = 100_000
ROWS_AT_ONCE = 5_000  # as Python's own objects, which take ten times as much memory as a table
WAITING = "waiting"
_WHOLE_NUMBERS = {"status": pl.Int32, "bytes": pl.Int64, "offset": pl.Int64, "redirects": pl.Int32, "karma": pl.Int64}
SCHEMA = pl.Schema({name: _WHOLE_NUMBERS.get(name, pl.String) for name in (*COLUMNS, "key", "karma")})


def write_outcomes(frontier: Frontier, folder: Path, karma: Iterable[int | None]) -> None:
    """Commit a row for every link, in the order of the list; the outcome of a link that waits is null. ``karma``: of each link."""
    rows = ((*row, _key_of_page(dict(zip(COLUMNS, row, strict=True))), points) for row, points in zip(frontier.rows(), karma, strict=False))
    frames, number = _frames(rows), 0
    while part := list(itertools.islice(frames, ROWS_PER_FILE // ROWS_AT_ONCE)):
        content = io.BytesIO()
        pl.concat(part).write_parquet(content, compression="zstd")
        storage.commit_bytes(str(folder / f"outcomes/part-{number:05d}.parquet"), content.getbuffer())
        number += 1


def _key_of_page(row: dict[str, Any]) -> str | None:
    """Canonical key of the page to which a link led, so that the outcomes are a table of shared links; None if it led to none."""
    if row["outcome"] not in (Outcome.FETCHED, Outcome.DUPLICATE):
        return None
    return canonical_key(row["detail"] if row["reason"] == FetchReason.REDIRECT_TO_KNOWN else row["final_url"])


def _frames(rows: Iterator[tuple[Any, ...]]) -> Iterator[pl.DataFrame]:
    """All rows, in small tables; one at least."""
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
