"""The process that forks the workers: what they inherit, and who ends with whom."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from curation.engine import fork_client
from curation.engine.process import ChildProcess
from curation.errors import PipelineError
from tests.curation.runs import ROOT

pytestmark = pytest.mark.skipif(not fork_client.AVAILABLE, reason="workers are forked on Linux only")


def surroundings(_: object) -> tuple[str | None, str, tuple[str, str]]:
    return os.environ.get("MARK"), os.getcwd(), time.tzname


def server_of(_: object) -> tuple[int, int]:
    """The server, and how many threads it has."""
    return os.getppid(), psutil.Process(os.getppid()).num_threads()


def resident(_: object) -> int:
    return psutil.Process().memory_info().rss


def hold(size: int) -> int:
    HELD_BYTES.append(bytearray(b"x") * size)
    return len(HELD_BYTES)


def start_another(_: object) -> int:
    HELD.append(ChildProcess())
    return HELD[-1].pid


HELD: list[ChildProcess] = []
HELD_BYTES: list[bytearray] = []


def call(child: ChildProcess, function: object, argument: object = None) -> object:
    child.send(function, (argument,))  # type: ignore[arg-type]
    return child.receive()


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    child = ChildProcess()
    yield child
    child.kill()


def test_the_server_has_one_thread_and_the_slow_libraries(child: ChildProcess) -> None:
    server, threads = call(child, server_of)  # type: ignore[misc]
    assert server in [process.pid for process in psutil.Process().children()]
    assert threads == 1
    libraries = Path(f"/proc/{server}/maps").read_text()
    # polars and torch start threads, which would not survive.
    assert [name for name in ("numba", "llvmlite", "polars", "torch") if f"/{name}" in libraries] == ["numba", "llvmlite"]


def test_a_process_has_the_environment_folder_and_zone_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = ChildProcess()
    assert call(child, surroundings) == (None, os.getcwd(), time.tzname)
    child.kill()
    monkeypatch.setenv("MARK", "ä")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.chdir(tmp_path)
    child = ChildProcess()
    assert call(child, surroundings) == ("ä", str(tmp_path), ("JST", "JST"))
    child.kill()
    tmp_path.rmdir()  # a folder that is gone is no reason to start no process
    child = ChildProcess()
    child.kill()


def test_the_largest_memory_of_what_has_ended_is_known(child: ChildProcess) -> None:
    size = 64 << 20
    before = call(child, resident)
    assert isinstance(before, int)
    call(child, hold, size)
    child.kill()
    assert before + 0.9 * size <= fork_client.peak_memory_bytes()  # the kernel counts roughly


def test_a_killed_server_takes_its_processes_with_it_and_is_replaced(child: ChildProcess) -> None:
    server, _ = call(child, server_of)  # type: ignore[misc]
    psutil.Process(server).kill()
    assert child.wait_exit_code(10) == -9  # as if somebody had killed the worker: nobody's fault
    another = ChildProcess()
    assert call(another, server_of)[0] != server  # type: ignore[index]
    assert another.kill() == -9


def test_a_server_that_cannot_start_is_an_error_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_client, "_PROGRAM", "raise SystemExit")
    monkeypatch.setattr(fork_client, "_server", None)
    with pytest.raises(PipelineError, match="ended 5 times; free memory"):
        ChildProcess()


def test_a_worker_takes_its_own_processes_with_it(child: ChildProcess) -> None:
    grandchild = psutil.Process(call(child, start_another))  # type: ignore[arg-type]
    assert grandchild.is_running()
    assert grandchild.ppid() == call(child, server_of)[0]  # type: ignore[index]
    psutil.Process(child.pid).kill()
    psutil.wait_procs([grandchild], timeout=10)
    assert not grandchild.is_running()


def test_what_is_sent_to_the_programs_group_reaches_the_program_alone(child: ChildProcess) -> None:
    """Ctrl-C, and SIGTERM of timeout(1): the program commits what is under way, for which it needs its workers."""
    server, _ = call(child, server_of)  # type: ignore[misc]
    assert os.getpgid(server) == os.getpgid(child.pid) == server != os.getpgrp()


def test_processes_leave_nothing_behind(child: ChildProcess) -> None:
    server = psutil.Process(call(child, server_of)[0])  # type: ignore[index]
    held = server.num_fds(), psutil.Process().num_fds()
    for _ in range(5):
        another = ChildProcess()
        call(another, start_another)
        assert another.kill() == -9
    deadline = time.monotonic() + 10
    while (server.num_fds(), len(server.children())) != (held[0], 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (server.num_fds(), len(server.children())) == (held[0], 1)
    assert psutil.Process().num_fds() == held[1]


def test_the_server_ends_with_the_program() -> None:
    program = (
        "from curation.engine.process import ChildProcess\n"
        "from tests.curation.test_fork_server import call, server_of\n"
        "child = ChildProcess()\n"
        "print(call(child, server_of)[0], child.pid)\n"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    assert output.stderr == ""
    assert not [pid for pid in output.stdout.split() if psutil.pid_exists(int(pid))]


def test_without_a_server_a_process_is_started_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_client, "AVAILABLE", False)
    child = ChildProcess()
    assert call(child, server_of)[0] == os.getpid()  # type: ignore[index]
    assert child.kill() == -9
