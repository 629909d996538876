"""The training log: a JSON object a line, which a resumed run continues as if it had never stopped.

It tells of the training and decides nothing: a lost or damaged log costs its rows, never the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from curation.storage import commit_bytes

METRICS_FILE = "metrics.jsonl"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a log up to the first that is damaged, or that a crash cut short."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().splitlines(keepends=True):
        row = _read_line(line)
        if row is None:
            break
        rows.append(row)
    return rows


def _read_line(line: bytes) -> dict[str, Any] | None:
    """The row of a line that ``_line`` wrote; None: not one byte else will do."""
    try:
        row = json.loads(line)
        intact = isinstance(row, dict) and isinstance(row.get("tokens"), int) and line == _line(row)
    except (ValueError, RecursionError):
        return None
    return row if intact else None


def losses_of(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """First and last losses of a log, in nats a token; None where it has none."""
    losses = [row["loss"] for row in rows if "loss" in row]
    validations = [row for row in rows if "validation_loss" in row]
    first, last = (validations[0], validations[-1]) if validations else ({}, {})
    return {
        "first_loss": losses[0] if losses else None,
        "loss": losses[-1] if losses else None,
        "first_validation_loss": first.get("validation_loss"),
        "validation_loss": last.get("validation_loss"),
        "bits_per_byte": last.get("bits_per_byte"),
    }


class MetricsLog:
    """A log open for writing. Rows are written through at once, and safe on the disk after ``sync``."""

    def __init__(
        self, path: Path, tokens: int | None, note: Callable[[str], None], also: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        """Continue the log of a run that resumes after ``tokens`` tokens: later rows are cut off; None: begin anew.

        ``also`` gets each row too. ``note`` hears of rows that should be there, since each checkpoint waits for them, and are not.
        """
        kept = [] if tokens is None else [row for row in read_metrics(path) if row["tokens"] <= tokens]
        if tokens is not None and (not kept or kept[-1]["tokens"] < tokens):
            reached = f"after {kept[-1]['tokens']:,} tokens" if kept else "from its beginning"
            note(f"{path} is lost or damaged {reached}; the rows up to {tokens:,} tokens are missing, and training goes on without them")
        commit_bytes(str(path), b"".join(_line(row) for row in kept))
        self._also = also
        self._stream = path.open("ab")

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        self._stream.write(_line(row))
        self._stream.flush()
        if self._also is not None:
            self._also(row)

    def sync(self) -> None:
        """Make the rows so far durable; done before each checkpoint, which must not know more than the log."""
        os.fsync(self._stream.fileno())


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, allow_nan=False) + "\n").encode()
