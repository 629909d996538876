"""The guarded child: budgets, crashes, retries, kills from outside, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from curation.errors import PipelineError
from curation.extraction import guard as guard_module
from curation.extraction.guard import Guard, GuardFailure
from curation.ledger import Reason
from curation.recipe import MIB, CrawlLimits
from tests.curation import misbehaving

LIMITS = CrawlLimits(page_cpu_seconds=0.3, page_wall_seconds=2.0, page_memory_bytes=200 * MIB)


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    with Guard(misbehaving.behave, misbehaving.nothing, LIMITS) as ready:
        yield ready


def new_guard(**limits: Any) -> Guard:
    return Guard(misbehaving.behave, misbehaving.nothing, CrawlLimits(**limits))


def test_a_result_comes_back_whatever_its_size(guard: Guard) -> None:
    for value in (None, "text", b"x" * 10_000_000, {"a": [1, 2]}):
        assert guard.call(("echo", value)) == value


@pytest.mark.parametrize(
    ("task", "failure"),
    [
        (("loop", None), GuardFailure(Reason.PAGE_OVER_TIME, {"limit_cpu_seconds": 0.3})),
        (("sleep", 60), GuardFailure(Reason.PAGE_OVER_TIME, {"limit_wall_seconds": 2.0})),
        (("allocate", 300), GuardFailure(Reason.PAGE_OVER_MEMORY, {"limit_bytes": 200 * MIB})),
        (("leave", 7), GuardFailure(Reason.EXTRACTOR_CRASHED, {"exit_code": 7})),
        (("leave", 0), GuardFailure(Reason.EXTRACTOR_CRASHED, {"exit_code": 0})),
        (("exit_politely", 3), GuardFailure(Reason.EXTRACTOR_CRASHED, {"exit_code": 3})),
        (("signal_itself", signal.SIGSEGV), GuardFailure(Reason.EXTRACTOR_CRASHED, {"exit_code": -signal.SIGSEGV})),
        (("signal_itself", signal.SIGABRT), GuardFailure(Reason.EXTRACTOR_CRASHED, {"exit_code": -signal.SIGABRT})),
        (("fail", "no"), GuardFailure(Reason.EXTRACTOR_CRASHED, {"error": "ValueError: no"})),
    ],
    ids=["loops", "sleeps", "allocates", "leaves", "leaves with 0", "exits", "segfaults", "aborts", "raises"],
)
def test_a_page_that_misbehaves_twice_is_reported_and_the_next_is_fine(
    guard: Guard, tmp_path: Path, task: tuple[str, Any], failure: GuardFailure
) -> None:
    attempts = tmp_path / "attempts"
    assert guard.call(("attempt", (str(attempts), 99, task))) == failure
    processes = attempts.read_text("ascii").split()
    assert len(processes) == 2 and len(set(processes)) == 2  # the second time alone, in a fresh process
    assert not any(psutil.pid_exists(int(process)) for process in processes)
    assert guard.call(("echo", "next")) == "next"


def test_other_failures_of_the_function_are_reported_too(guard: Guard) -> None:
    for verb in ("recurse", "unpicklable", "unheard_of"):
        failure = guard.call((verb, None))
        assert isinstance(failure, GuardFailure) and failure.reason is Reason.EXTRACTOR_CRASHED
    assert guard.call(("echo", "next")) == "next"


def test_an_error_message_fits_the_ledger(guard: Guard) -> None:
    """It may quote the page: lone surrogates cannot be written, a megabyte should not."""
    failure = guard.call(("fail", "quoted \ud800 " + "x" * 1_000_000))
    assert failure.detail["error"].startswith("ValueError: quoted \\ud800 xxx")
    assert len(failure.detail["error"].encode()) < 1000


@pytest.mark.parametrize("task", [("loop", None), ("leave", 1), ("fail", "once")])
def test_a_page_that_misbehaves_once_gets_its_result(guard: Guard, tmp_path: Path, task: tuple[str, Any]) -> None:
    assert guard.call(("attempt", (str(tmp_path / "attempts"), 1, task))) == 2


def test_budgets_are_those_of_one_page(tmp_path: Path) -> None:
    """Ten pages that use a fifth of the time budget each: the process is not charged for what came before."""
    with new_guard(page_wall_seconds=0.5, page_cpu_seconds=0.5) as guard:
        assert [guard.call(("sleep", 0.1)) for _ in range(10)] == ["slept"] * 10
        assert len({guard.call(("process_id", None)) for _ in range(3)}) == 1


def test_processes_are_replaced_after_so_many_pages() -> None:
    with new_guard(pages_per_process=2) as guard:
        first, second, third, fourth, fifth = (guard.call(("process_id", None)) for _ in range(5))
    assert first == second != third == fourth != fifth
    assert len({first, third, fifth}) == 3
    assert not any(psutil.pid_exists(process) for process in (first, third, fifth))


def kill_each_attempt(path: Path, times: int) -> threading.Thread:
    """Kill the first processes that note their ids in a file, from outside."""

    def kill() -> None:
        for turn in range(times):
            while not path.exists() or len(path.read_text("ascii").splitlines()) <= turn:
                time.sleep(0.01)
            os.kill(int(path.read_text("ascii").splitlines()[turn]), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_a_kill_from_outside_is_no_fault_of_the_page(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    with new_guard() as guard:
        killer = kill_each_attempt(attempts, 3)
        assert guard.call(("attempt", (str(attempts), 3, ("sleep", 60)))) == 4
        killer.join()


def test_endless_kills_from_outside_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "MAX_OUTSIDE_KILLS", 2)
    with new_guard() as guard, pytest.raises(PipelineError, match=r"killed 3 times \(signal 9\); free memory"):
        guard.call(("signal_itself", signal.SIGKILL))


def test_an_extractor_that_cannot_start_is_no_fault_of_the_page() -> None:
    with Guard(misbehaving.behave, misbehaving.fail_to_start, LIMITS) as guard, pytest.raises(PipelineError, match="no such extractor"):
        guard.call(("echo", 1))
    with Guard(misbehaving.behave, misbehaving.die_at_start, LIMITS) as guard, pytest.raises(PipelineError, match="exit code 9"):
        guard.call(("echo", 1))


PARENT_PROGRAM = """
import sys
from curation.extraction.guard import Guard
from curation.recipe import CrawlLimits
from tests.curation import misbehaving
with Guard(misbehaving.behave, misbehaving.nothing, CrawlLimits()) as guard:
    print(guard.call(("process_id", None)), flush=True)
    if sys.argv[1] == "idle":
        sys.stdin.read()
    guard.call((sys.argv[1], 60))
"""


def test_children_die_with_a_parent_that_is_killed() -> None:
    """Whether they loop, sleep in a call, or wait for the next."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": Path(__file__).parents[2]}
    parents = [subprocess.Popen([sys.executable, "-c", PARENT_PROGRAM, doing], **pipes) for doing in ("loop", "sleep", "idle")]
    children = []
    for parent in parents:
        with parent:
            assert parent.stdout
            children.append(psutil.Process(int(parent.stdout.readline())))
            assert parent.pid in [ancestor.pid for ancestor in children[-1].parents()]
            parent.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
