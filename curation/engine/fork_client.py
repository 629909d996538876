"""The clients of the fork server (``engine.fork_server``): the program, and the workers that start workers of their own."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait

from curation.engine.fork_messages import END, receive_number, send
from curation.errors import PipelineError

AVAILABLE = sys.platform == "linux"  # elsewhere system libraries do not survive a fork

_PROGRAM = "import sys; sys.path[:] = {path!r}; from curation.engine.fork_server import serve_forks; serve_forks({channel})"
_END_SECONDS = 5.0
_MOST_SERVERS = 5  # our choice: one that memory has run out for may be killed while it loads


class ForkedProcess:
    """A process that the server forked; has the part of ``subprocess.Popen`` that its owner needs."""

    def __init__(self, server: ServerChannel, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._status = status

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, as soon as it is known.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        global _peak_bytes
        if self.returncode is None:
            if not wait([self._status], timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            told = os.read(self._status, END.size)
            os.close(self._status)
            # Without a word the server was killed, and the kernel killed its children.
            self.returncode, peak_bytes = END.unpack(told) if told else (-signal.SIGKILL, 0)
            _peak_bytes = max(_peak_bytes, peak_bytes)
        return self.returncode

    def kill(self) -> None:
        """Ask the server, who alone knows whether the number still is this process's."""
        self._server.kill(self.pid)


class ServerChannel:
    """A client's end of the channel to the server."""

    def __init__(self, channel: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self._channel = channel
        self._process = process
        self._used = False
        self._lock = threading.Lock()

    def fork(self, descriptors: Sequence[int]) -> ForkedProcess:
        """A process with these descriptors (pipe, life, output), this one's environment and folder.

        Raises:
            OSError: the server is gone.
        """
        folder = os.open(".", os.O_PATH)
        status_read, status_write = os.pipe()
        try:
            with self._lock:
                self._used = True
                send(self._channel, (sys.path, dict(os.environ)), [*descriptors, folder, status_write])
                pid = receive_number(self._channel)
        except OSError:
            os.close(status_read)
            raise
        finally:
            os.close(folder)
            os.close(status_write)
        return ForkedProcess(self, pid, status_read)

    def kill(self, pid: int) -> None:
        """Kill one of this client's processes, if it has not ended."""
        with self._lock, contextlib.suppress(OSError):  # without the server its processes are dead, too
            send(self._channel, pid)

    def close(self) -> None:
        """End the server, and so all its processes."""
        self._channel.close()
        if self._process is not None:
            if not self._used:  # it may still be loading, and has no process to end
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)


_server: ServerChannel | None = None
_peak_bytes = 0
_server_lock = threading.Lock()


def start_server() -> None:
    """Start the server if there is none, and do not wait for it: what it loads takes a second of another core."""
    global _server
    with _server_lock:
        if AVAILABLE and _server is None:
            _server = _start()
            atexit.register(_server.close)


def peak_memory_bytes() -> int:
    """Largest resident memory of a process of the server, of those that have ended."""
    return _peak_bytes


def fork_process(descriptors: Sequence[int]) -> ForkedProcess:
    """A new process that serves calls (``engine.process``); a server that was killed is replaced.

    Raises:
        PipelineError: no process can be started.
    """
    global _server
    for _ in range(_MOST_SERVERS):
        start_server()
        server = _server
        assert server is not None
        try:
            return server.fork(descriptors)
        except OSError:
            with _server_lock:
                if _server is server:
                    _server = None
                    atexit.unregister(server.close)
                    server.close()
    raise PipelineError(f"the process that starts the workers ended {_MOST_SERVERS} times; free memory or lower --workers, then run again")


def _start() -> ServerChannel:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=sys.path, channel=theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C, and what timeout(1) sends, reach a whole group; the program alone decides
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy's thread pool would stand in the way of a fork
        )
    return ServerChannel(ours, process)


def use_server(channel: socket.socket) -> None:
    """In a forked process: have it start others by the server that it comes from."""
    global _server
    _server = ServerChannel(channel)
