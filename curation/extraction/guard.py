"""Run a function on one page at a time in a child process with a time, memory and crash budget.

What a page does to its process costs that page only: over a budget, or dead, it is tried once more
alone in a fresh process, then reported. A process killed from outside is no fault of the page.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from curation.engine.process import OUTSIDE_SIGNALS, ChildProcess, RemoteFailure
from curation.errors import PipelineError
from curation.ledger import Reason
from curation.recipe import CrawlLimits

ATTEMPTS = 2
MAX_OUTSIDE_KILLS = 20  # our choice: patience with somebody killing processes, but not endless
POLL_SECONDS = 0.01  # a page that allocates 2 GB/s overshoots its memory budget by 20 MB
START_SECONDS = 120.0  # importing the extractor on a cold, busy disk
EXIT_WAIT_SECONDS = 5.0
MAX_MESSAGE_CHARACTERS = 200
CORES = os.cpu_count() or 1


@dataclass(frozen=True)
class GuardFailure:
    """Why a page gave no result: the reason for the ledger, and the limit or error."""

    reason: Reason
    detail: dict[str, Any]


class _Died(Exception):
    """The child is gone; carries its exit code."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Guard:
    """Calls ``function(argument)`` under ``limits``; use as a context manager.

    ``warm_up`` is called once in every new process, before budgets apply, to import what
    ``function`` needs.
    """

    def __init__(self, function: Callable[[Any], Any], warm_up: Callable[[], Any], limits: CrawlLimits) -> None:
        self._function = function
        self._warm_up = warm_up
        self._limits = limits
        self._child: ChildProcess | None = None
        self._calls = 0

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next call starts another."""
        self._end_child()

    def call(self, argument: Any) -> Any:
        """The function's result, or a ``GuardFailure`` after the second failed attempt.

        Raises:
            PipelineError: the process cannot be started, or is killed from outside over and over.
        """
        failures: list[GuardFailure] = []
        outside_kills = 0
        while len(failures) < ATTEMPTS:
            try:
                answer = self._attempt(argument)
            except _Died as death:
                if death.exit_code in OUTSIDE_SIGNALS:
                    outside_kills += 1
                    if outside_kills > MAX_OUTSIDE_KILLS:
                        raise PipelineError(
                            f"the extracting process was killed {outside_kills} times (signal {-death.exit_code}); "
                            "free memory or lower --workers, then run again"
                        ) from None
                    continue
                answer = GuardFailure(Reason.EXTRACTOR_CRASHED, {"exit_code": death.exit_code})
            if not isinstance(answer, GuardFailure):
                return answer
            failures.append(answer)
            self._end_child()  # the second attempt is alone in a fresh process
        return failures[-1]

    def _attempt(self, argument: Any) -> Any:
        child = self._ready_child()
        self._calls += 1
        try:
            child.send(self._function, (argument,))
            failure = self._watch(child)
            if failure is not None:
                return failure
            answer = child.receive()
        except (EOFError, OSError, psutil.NoSuchProcess):
            self._child = None
            raise _Died(child.wait_exit_code(EXIT_WAIT_SECONDS)) from None
        if isinstance(answer, RemoteFailure):
            return GuardFailure(Reason.EXTRACTOR_CRASHED, {"error": _printable(answer.summary)})
        return answer

    def _watch(self, child: ChildProcess) -> GuardFailure | None:
        """Wait for the answer; None when it is there, the failure when a budget is over."""
        limits = self._limits
        started = time.monotonic()
        if child.connection.poll(POLL_SECONDS):  # many pages end here, and cost no look at their process
            return None
        process = psutil.Process(child.pid)
        cpu_before = _cpu_seconds(process)
        while not child.connection.poll(POLL_SECONDS):
            elapsed = time.monotonic() - started
            if process.memory_info().rss > limits.page_memory_bytes:
                return self._over(child, Reason.PAGE_OVER_MEMORY, limit_bytes=limits.page_memory_bytes)
            # It cannot have used more processor time than all processors had.
            if elapsed * CORES > limits.page_cpu_seconds and _cpu_seconds(process) - cpu_before > limits.page_cpu_seconds:
                return self._over(child, Reason.PAGE_OVER_TIME, limit_cpu_seconds=limits.page_cpu_seconds)
            if elapsed > limits.page_wall_seconds:
                return self._over(child, Reason.PAGE_OVER_TIME, limit_wall_seconds=limits.page_wall_seconds)
        return None

    def _over(self, child: ChildProcess, reason: Reason, **detail: Any) -> GuardFailure:
        # The detail holds the limit alone: the measured value would differ from run to run.
        self._child = None
        child.kill()
        return GuardFailure(reason, detail)

    def _ready_child(self) -> ChildProcess:
        if self._child is not None and self._calls >= self._limits.pages_per_process:
            self._end_child()
        if self._child is None:
            self._child = self._start_child()
            self._calls = 0
        return self._child

    def _start_child(self) -> ChildProcess:
        child = ChildProcess()
        try:
            child.send(self._warm_up, ())
            if not child.connection.poll(START_SECONDS):
                child.kill()
                raise PipelineError(f"the extracting process did not start within {START_SECONDS:.0f} s")
            answer = child.receive()
        except (EOFError, OSError):
            exit_code = child.wait_exit_code(EXIT_WAIT_SECONDS)
            if exit_code in OUTSIDE_SIGNALS:
                raise _Died(exit_code) from None
            raise PipelineError(f"the extracting process died while it started (exit code {exit_code}); run it again") from None
        if isinstance(answer, RemoteFailure):
            child.kill()
            raise PipelineError(f"the extracting process did not start: {answer.summary}")
        return child

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _printable(message: str) -> str:
    """A message for the ledger: it may quote the page, at any length and with characters that UTF-8 has not."""
    return message[:MAX_MESSAGE_CHARACTERS].encode("utf-8", "backslashreplace").decode()
