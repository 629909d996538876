"""What a command costs: elapsed time, processor time, and peak memory of it and all its children; repeated in turns.

Candidates that are compared run in turns, so that a slow minute of the machine harms all of them alike, and the
median of several runs is taken.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

REPEATS = 5
LONG_REPEATS = 3  # where one run takes longer than LONG_SECONDS
LONG_SECONDS = 60.0
POLL_SECONDS = 0.05
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

Result = TypeVar("Result")


@dataclass(frozen=True)
class Run:
    """What one run of a command cost. ``cpu_seconds``: user and system time of it and its children.

    ``peak_bytes``: largest memory of it and its children together, a page that several share counted once (elsewhere than on
    Linux in each); ``peak_process_bytes``: resident memory of the largest single process among them.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_process_bytes: int
    output: str

    def json(self) -> Any:
        """The last line of the output, which peers write as JSON."""
        return json.loads(self.output.strip().rpartition("\n")[2])


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent is killed, so that their processor time counts (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _wait_for_orphans(known: set[psutil.Process]) -> None:
    """Wait for all children but those that this process had before: it may have workers of its own, which stay."""
    while orphans := set(psutil.Process().children()) - known:
        for orphan in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(orphan.pid, 0)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the message holds what it said.
    """
    _adopt_orphans()
    known = set(psutil.Process().children())
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env={**os.environ, **(environment or {})}
        )
        try:
            peak_bytes, peak_process_bytes = _watch(process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - started
        _wait_for_orphans(known)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{errors.read().decode(errors='replace')}")
        output.seek(0)
        cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(seconds, cpu_seconds, peak_bytes, peak_process_bytes, output.read().decode())


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Wait for the end of a process; the peaks of its tree's memory, and of one process in it, bytes."""
    peak_bytes = peak_process_bytes = 0
    root = psutil.Process(process.pid)
    while True:
        sizes = _resident(root)
        peak_bytes = max(peak_bytes, sum(share for _, share in sizes))
        peak_process_bytes = max([peak_process_bytes, *(resident for resident, _ in sizes)])
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return peak_bytes, peak_process_bytes


def _resident(root: psutil.Process) -> list[tuple[int, int]]:
    """Resident bytes of a process and of each descendant, and its share of them; those that end meanwhile are left out."""
    sizes = []
    try:
        for process in [root, *root.children(recursive=True)]:
            resident = process.memory_info().rss
            sizes.append((resident, _share(process.pid) if sys.platform == "linux" else resident))
    except (psutil.Error, OSError):
        pass  # it ended between two looks
    return sizes


def _share(pid: int) -> int:
    """Resident bytes of a process, where a page of several counts in equal parts (proportional set size)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def in_turns(candidates: Mapping[str, Callable[[], Result]], repeats: int | None = None) -> dict[str, list[Result]]:
    """Results of every candidate, run in turns; another one begins in each round. The first run of all warms up and counts, too.

    ``repeats``: rounds; None: ``REPEATS``, or ``LONG_REPEATS`` if a candidate of the first round took over ``LONG_SECONDS``.
    """
    results: dict[str, list[Result]] = {name: [] for name in candidates}
    names = list(candidates)
    rounds, longest = repeats or REPEATS, 0.0
    done = 0
    while done < rounds:
        turn = done % len(names)
        for name in names[turn:] + names[:turn]:
            started = time.monotonic()
            results[name].append(candidates[name]())
            longest = max(longest, time.monotonic() - started)
        done += 1
        if repeats is None and longest > LONG_SECONDS:
            rounds = LONG_REPEATS
    return results


def median(results: Sequence[Result], value: Callable[[Result], float]) -> float:
    """The median of one figure of several runs."""
    return statistics.median(value(result) for result in results)
