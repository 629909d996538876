import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import psutil
import pytest

from curation.engine.fork_client import start_server
from curation.engine.local import LOOK_AHEAD, NOT_YET, LocalEngine
from curation.engine.process import ChildProcess
from curation.errors import InputError, PipelineError, QuarantineError
from tests.curation.runs import ROOT


def double(number: int) -> int:
    return 2 * number


def slow_when_early(number: int) -> int:
    time.sleep(0.1 if number == 0 else 0)
    return number


def fail(number: int) -> int:
    if number == 2:
        raise InputError(f"item {number} is of no use")
    return number


def error_of(kind: str) -> None:
    if kind == "full disk":
        raise OSError(28, "No space left on device", "/run/file")
    if kind == "bug":
        raise ZeroDivisionError("a bug")
    if kind == "own code":
        raise QuarantineError("too much")


def unpicklable(_: int) -> Iterator[int]:
    yield 1


def kill_self(number: int, victim: int) -> int:
    if number == victim:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def killed_once(folder: str, number: int) -> int:
    mark = Path(folder, "killed")
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_killed(_: int) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def sleep_long(_: int) -> None:
    time.sleep(600)


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(2) as engine:
        yield engine


def test_map_keeps_the_order(engine: LocalEngine) -> None:
    assert list(engine.map(double, range(30))) == list(range(0, 60, 2))
    assert list(engine.map(slow_when_early, range(10))) == list(range(10))
    assert list(engine.map(double, [])) == []


def test_map_is_lazy_and_looks_ahead_a_little(engine: LocalEngine) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = engine.map(double, items())
    assert taken == []
    for number, result in enumerate(islice(results, 20)):
        assert result == 2 * number
        # Items under way or waiting, and the one that was looked at to see whether there are more.
        assert len(taken) <= number + LOOK_AHEAD * engine.workers + 1
    results.close()  # type: ignore[attr-defined]


def test_a_map_that_is_left_early_does_not_answer_the_next(engine: LocalEngine) -> None:
    for _ in range(3):
        assert next(engine.map(double, range(100, 200))) == 200
        assert list(engine.map(double, range(5))) == [0, 2, 4, 6, 8]


def test_two_maps_at_once_do_not_mix(engine: LocalEngine) -> None:
    pairs = zip(engine.map(double, range(10)), engine.map(slow_when_early, range(10)), strict=True)
    assert list(pairs) == [(2 * number, number) for number in range(10)]


def test_items_that_are_not_there_yet_do_not_hold_up_the_results(engine: LocalEngine) -> None:
    """The second item appears only after the result of the first was taken: an engine that waited for it would wait for ever."""
    taken: list[int] = []

    def items() -> Iterator[object]:
        yield NOT_YET
        for number in range(3):
            while len(taken) < number:
                yield NOT_YET
            yield number

    for result in engine.map_unordered(double, items()):
        taken.append(result.value)
    assert taken == [0, 2, 4]


def test_first_failure_is_raised_by_map(engine: LocalEngine) -> None:
    results = engine.map(fail, range(10))
    with pytest.raises(InputError, match="item 2 is of no use"):
        list(results)
    assert list(engine.map(double, [1])) == [2]


def test_failures_are_results_of_map_unordered(engine: LocalEngine) -> None:
    results = sorted(engine.map_unordered(fail, range(4)), key=lambda result: result.index)
    assert [result.value for result in results] == [0, 1, None, 3]
    assert [str(result.error) for result in results if result.error] == ["item 2 is of no use"]


def test_errors_keep_their_exit_code_and_bugs_their_trace(engine: LocalEngine) -> None:
    errors = {result.index: result.error for result in engine.map_unordered(error_of, ["full disk", "bug", "own code"])}
    assert str(errors[0]) == "[Errno 28] No space left on device: '/run/file'"
    assert str(errors[1]).startswith("unexpected ZeroDivisionError: a bug\nTraceback")
    assert errors[2] is not None
    assert errors[2].exit_code == 3


def test_answer_that_cannot_travel(engine: LocalEngine) -> None:
    with pytest.raises(PipelineError, match="unexpected TypeError: cannot pickle 'generator' object"):
        list(engine.map(unpicklable, [1]))


def test_item_that_crashes_its_worker_is_given_up(engine: LocalEngine) -> None:
    results = sorted(engine.map_unordered(partial(kill_self, victim=1), range(4)), key=lambda result: result.index)
    assert [(result.value, result.crashed) for result in results] == [(0, False), (None, True), (2, False), (3, False)]
    with pytest.raises(PipelineError, match="a worker process crashed twice on item 1 of kill_self"):
        list(engine.map(partial(kill_self, victim=1), range(2)))


def test_worker_killed_from_outside_is_replaced(engine: LocalEngine, tmp_path: Path) -> None:
    assert list(engine.map(partial(killed_once, str(tmp_path)), range(4))) == [0, 1, 2, 3]
    assert (tmp_path / "killed").exists()


def test_patience_with_outside_kills_ends(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.engine.local.MAX_OUTSIDE_KILLS", 2)
    with pytest.raises(PipelineError, match=r"workers were killed 3 times \(signal 15\); free memory or lower --workers"):
        list(engine.map(always_killed, [1]))


def workers() -> set[psutil.Process]:
    """All below this process but the fork server."""
    start_server()
    return set(psutil.Process().children(recursive=True)) - set(psutil.Process().children())


def test_worker_that_died_while_idle_is_replaced() -> None:
    before = workers()
    with LocalEngine(1) as engine:
        list(engine.map(double, [1]))
        for child in workers() - before:
            child.kill()
            child.wait(10)
        assert list(engine.map(double, [1])) == [2]


def test_leaving_the_engine_ends_its_workers() -> None:
    before = workers()
    with LocalEngine(2) as engine:
        results = engine.map(slow_when_early, count())
        next(results)
        assert len(workers() - before) == 2
    assert workers() == before


def test_workers_die_with_a_killed_parent() -> None:
    program = (
        "from curation.engine.process import ChildProcess\n"
        "from tests.curation.test_engine import sleep_long\n"
        "child = ChildProcess()\n"
        "child.send(sleep_long, (1,))\n"
        "print(child.pid, flush=True)\n"
        "child.receive()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    worker.wait(30)


def test_child_ignores_interrupts_and_tells_its_exit_code() -> None:
    child = ChildProcess()
    try:
        child.send(double, (1,))
        assert child.receive() == 2
        os.kill(child.pid, signal.SIGINT)  # Ctrl-C reaches the whole group
        child.send(double, (2,))
        assert child.receive() == 4
        assert child.exit_code() is None
        child.send(kill_self, (1, 1))
        with pytest.raises((EOFError, OSError)):
            child.receive()
        assert child.wait_exit_code(10) == -signal.SIGSEGV
        assert child.kill() == -signal.SIGSEGV
    finally:
        child.kill()
