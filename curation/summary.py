"""What a run reports to machines: RUN/summary.json (the state) and RUN/metrics.jsonl (a row a stage)."""

from __future__ import annotations

import json
import resource
import sys
from datetime import UTC, datetime
from typing import Any

from curation import storage
from curation.engine import fork_client
from curation.runner import StageResult


def read_summary(run: str) -> dict[str, Any]:
    """The summary of earlier commands on the same run; empty if there is none."""
    path = storage.join(run, "summary.json")
    if not storage.exists(path):
        return {}
    try:
        values = json.loads(storage.read_bytes(path))
        _to_json(values)  # what is nested too deeply could be read, but not written again
        return values if _is_summary(values) else {}
    except (ValueError, RecursionError):
        return {}  # derived data: the next command writes it anew


def _is_summary(values: Any) -> bool:
    """Whether stages, their failures and the details have the shape that ``write_summary`` builds on."""
    if not isinstance(values, dict) or not isinstance(values.get("stages"), dict) or not isinstance(values.get("details"), dict):
        return False
    stages = values["stages"].values()
    if not all(isinstance(stage, dict) and isinstance(stage.get("failures", []), list) for stage in stages):
        return False
    return all(isinstance(failure, dict) for stage in stages for failure in stage.get("failures", []))


def _to_json(values: Any) -> bytes:
    """JSON with sorted keys. Names in messages may hold lone surrogates, which UTF-8 cannot hold: they become U+FFFD."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def write_summary(run: str, command: str, exit_code: int, error: str | None, results: list[StageResult], details: dict[str, Any]) -> None:
    """Commit the summary: exit state of this command, newest counts of every stage, inputs that failed."""
    earlier = read_summary(run)
    stages = {**earlier.get("stages", {}), **{result.stage: result.to_json() for result in results}}
    failed = [{"stage": name, **failure} for name, stage in sorted(stages.items()) for failure in stage.get("failures", [])]
    values = {
        "command": command,
        "exit_code": exit_code,
        "error": error,
        "finished": now(),
        "stages": stages,
        "failed_inputs": failed,
        "details": {**earlier.get("details", {}), **details},
    }
    storage.commit_bytes(storage.join(run, "summary.json"), _to_json(values))


def append_metrics(run: str, result: StageResult) -> None:
    """Add a row: documents, rate, and the largest memory of this process and of its workers.

    Raises:
        PipelineError: the run folder cannot be written to.
    """
    entered, seconds = result.counts.entered, max(result.seconds, 1e-9)
    row = {
        "time": now(),
        "stage": result.stage,
        "seconds": round(result.seconds, 3),
        "documents": entered,
        "documents_per_second": round(entered / seconds, 3),
        "parts": result.parts,
        "parts_reused": result.reused,
        "peak_memory_bytes": _peak_memory(resource.RUSAGE_SELF),
        "peak_worker_memory_bytes": max(_peak_memory(resource.RUSAGE_CHILDREN), fork_client.peak_memory_bytes()),
    }
    line = json.dumps(row, sort_keys=True) + "\n"
    path = storage.join(run, "metrics.jsonl")
    before = storage.read_bytes(path) if storage.exists(path) else b""
    storage.commit_bytes(path, before + line.encode())  # whole, so that a crash leaves no half row


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _peak_memory(who: int) -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB on Linux
    return resource.getrusage(who).ru_maxrss * unit
