"""The training log: a JSON object a line, which a resumed run continues as if it had never stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from curation.storage import commit_bytes

METRICS_FILE = "metrics.jsonl"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; a last line that a crash cut short is passed over."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1]]


class MetricsLog:
    """A log open for writing. Rows are written through at once, and safe on the disk after ``sync``."""

    def __init__(self, path: Path, tokens: int | None) -> None:
        """Continue the log of a run that resumes after ``tokens`` tokens: later rows are cut off; None: begin anew."""
        kept = [] if tokens is None else [row for row in read_metrics(path) if row["tokens"] <= tokens]
        commit_bytes(str(path), b"".join(_line(row) for row in kept))
        self.path = path
        self._stream = path.open("ab")

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        self._stream.write(_line(row))
        self._stream.flush()

    def sync(self) -> None:
        """Make the rows so far durable; done before each checkpoint, which must not know more than the log."""
        os.fsync(self._stream.fileno())


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, allow_nan=False) + "\n").encode()
