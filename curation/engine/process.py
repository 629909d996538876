"""A child process that calls functions sent to it, and dies with its parent.

Both the engine's workers and the guarded extractor are such processes. They are forked from a server that has one thread
(``engine.fork_server``; never from the program itself: threads of polars and torch do not survive a fork), or started
afresh where there is none, and talk over one pipe.
A function travels by reference, so it must be a module's function or a ``partial`` of one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from curation.engine import fork_client
from curation.engine.fork_client import ForkedProcess
from curation.errors import PipelineError

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CHILD_PROGRAM = "import sys; sys.path[:] = {path!r}; from curation.engine.process import serve; serve({pipe}, {life})"

# A death by one of these is nobody's crash: somebody (an operator, the kernel short of memory) sent it.
OUTSIDE_SIGNALS = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})


@dataclass(frozen=True)
class RemoteFailure:
    """An exception of the called function: itself if it is one of ours, else what it said."""

    error: PipelineError | None
    summary: str
    trace: str


class ChildProcess:
    """Parent's end of a child process: call, wait for the answer, kill."""

    def __init__(self) -> None:
        ours, theirs = Pipe()
        life_read, self._life_write = os.pipe()
        try:
            self._process = _start(theirs.fileno(), life_read)
        finally:
            theirs.close()
            os.close(life_read)
        self.connection: Connection = ours  # type: ignore[type-arg, unused-ignore]
        self.pid = self._process.pid

    def send(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Start a call; its answer is fetched by ``receive``.

        Raises:
            OSError: the child is dead.
        """
        self.connection.send_bytes(pickle.dumps((function, arguments), protocol=pickle.HIGHEST_PROTOCOL))

    def receive(self) -> Any:
        """The function's result, or a ``RemoteFailure`` if it raised.

        Raises:
            EOFError, OSError: the child died.
        """
        return pickle.loads(self.connection.recv_bytes())

    def exit_code(self) -> int | None:
        """None while it runs; negative signal number if a signal ended it."""
        return self._process.poll()

    def kill(self) -> int:
        """End it now and return its exit code; an exit code that it had before stays."""
        if self._process.poll() is None:
            self._process.kill()
        code = self._process.wait()
        self.connection.close()
        if self._life_write >= 0:
            os.close(self._life_write)
            self._life_write = -1
        return code

    def wait_exit_code(self, timeout_seconds: float) -> int:
        """Exit code of a child whose pipe has closed; it is killed if it does not end in time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)
        return self.kill()


def _start(pipe: int, life: int) -> ForkedProcess | subprocess.Popen[bytes]:
    """A process that serves calls from ``pipe``; what it prints goes to this one's errors."""
    with open(os.devnull, "wb") as nowhere:
        output = sys.stderr.fileno() if _has_descriptor(sys.stderr) else nowhere.fileno()
        if fork_client.AVAILABLE:
            return fork_client.fork_process((pipe, life, output))
        program = _CHILD_PROGRAM.format(path=sys.path, pipe=pipe, life=life)
        command = [sys.executable, "-c", program]
        return subprocess.Popen(command, pass_fds=(pipe, life), stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _has_descriptor(stream: Any) -> bool:
    try:
        return stream is not None and stream.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False


def serve(pipe: int, life: int) -> None:
    """The child's main loop: answer calls until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _die_with_parent(life)
    connection = Connection(pipe)
    while True:
        try:
            call = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(_answer(call))


def _answer(call: bytes) -> bytes:
    """The pickled result of a pickled call, or its failure; an answer that cannot travel is a failure, too."""
    try:
        function, arguments = pickle.loads(call)
        return pickle.dumps(function(*arguments), protocol=pickle.HIGHEST_PROTOCOL)
    except PipelineError as error:
        failure = RemoteFailure(error, str(error), "")
    except OSError as error:  # a full disk, a folder that cannot be written to
        failure = RemoteFailure(PipelineError(str(error)), f"{type(error).__name__}: {error}", "")
    except Exception as error:
        failure = RemoteFailure(None, f"{type(error).__name__}: {error}", traceback.format_exc())
    return pickle.dumps(failure, protocol=pickle.HIGHEST_PROTOCOL)


def _die_with_parent(life: int) -> None:
    """End this process when the parent is gone, even while a call is running.

    The thread waits for the end of a pipe that only the parent holds open. Native code that keeps
    the interpreter's lock would stop the thread, so Linux's own signal stands beside it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        os.read(life, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
