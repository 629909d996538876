"""The fork server: one process that has loaded what every worker needs, and forks the workers from itself (Linux).

numpy, numba and its registries take a second of processor time and 100 MB; loaded once, they are shared by all workers of
a run, by those that the workers start, and by each that replaces one that died. The server has a single thread for good,
so that a fork copies no lock that is held: polars and torch, which start threads, are loaded in the workers.

A client (the program, or a worker) asks over a socket for a process and gives it descriptors. The server reaps it, and
tells its exit code over a pipe. A client that is gone takes its processes with it; without the server none lives on.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any, NoReturn

from curation.engine.fork_client import use_server
from curation.engine.fork_messages import END, NUMBER, receive

# Loaded before the first fork; none of them may start a thread.
PRELOADED = ("numpy", "numba", "curation.storage", "curation.recipe", "curation.murmur3")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class _Forks:
    """What the server has to look after: clients, and for each living process the client and the pipe that its exit code goes to."""

    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    clients: list[socket.socket] = field(default_factory=list)
    processes: dict[int, tuple[socket.socket, int]] = field(default_factory=dict)
    peak_bytes: int = 0

    def add_client(self, channel: socket.socket) -> None:
        self.clients.append(channel)
        self.selector.register(channel, selectors.EVENT_READ)

    def drop_client(self, channel: socket.socket) -> None:
        """Forget a client that is gone, and end what it started."""
        for pid, (owner, _) in self.processes.items():
            if owner is channel:
                os.kill(pid, signal.SIGKILL)
        self.clients.remove(channel)
        self.selector.unregister(channel)
        channel.close()

    def reap(self) -> None:
        """Tell how the processes that have ended did end."""
        while self.processes:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            self.peak_bytes = max(self.peak_bytes, usage.ru_maxrss * 1024)  # KiB, getrusage(2)
            _, answer = self.processes.pop(pid)
            with contextlib.suppress(OSError):  # nobody waits for it any more
                os.write(answer, END.pack(os.waitstatus_to_exitcode(status), self.peak_bytes))
            os.close(answer)

    def end(self) -> None:
        """End all processes. Should this one be killed first, the kernel ends them, as they have asked for."""
        for pid in self.processes:
            os.kill(pid, signal.SIGKILL)
        for pid in self.processes:
            os.waitpid(pid, 0)

    def close(self) -> None:
        """In a forked process: let go of all that is the server's."""
        self.selector.close()
        for channel in self.clients:
            channel.close()
        for _, answer in self.processes.values():
            os.close(answer)


def serve_forks(channel: int) -> None:
    """The server's main loop, until its first client is gone."""
    _preload()
    woken_read, woken_write = os.pipe()
    os.set_blocking(woken_read, False)
    os.set_blocking(woken_write, False)
    signal.set_wakeup_fd(woken_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    forks = _Forks()
    program = socket.socket(fileno=channel)
    forks.add_client(program)
    forks.selector.register(woken_read, selectors.EVENT_READ)
    while program in forks.clients:
        for key, _ in forks.selector.select():
            client = key.fileobj
            if not isinstance(client, socket.socket):
                with contextlib.suppress(BlockingIOError):
                    os.read(woken_read, 4096)
                forks.reap()
            elif client in forks.clients:
                try:
                    _answer(forks, client, (woken_read, woken_write))
                except OSError:
                    forks.drop_client(client)
    forks.end()
    os._exit(0)


def _preload() -> None:
    for name in PRELOADED:
        with contextlib.suppress(Exception):  # who needs it will hear what is wrong
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        from curation.murmur3 import finalise

        finalise(1)  # numba fills its registries at the first call of all
    gc.freeze()  # what is there stays, and stays shared


def _answer(forks: _Forks, client: socket.socket, own: tuple[int, int]) -> None:
    """Do what one client asks: fork a process, or kill one.

    Raises:
        OSError: the client is gone.
    """
    message, descriptors = receive(client)
    try:
        if isinstance(message, int):
            if forks.processes.get(message, (None, 0))[0] is client:
                os.kill(message, signal.SIGKILL)
            return
        ours, theirs = socket.socketpair()
        server, pid = os.getpid(), os.fork()
        if not pid:
            _die_with(server)
            ours.close()
            _begin(forks, theirs, own, message, descriptors)
        theirs.close()
        forks.add_client(ours)
        forks.processes[pid] = client, descriptors.pop()
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    client.sendall(NUMBER.pack(pid))


def _die_with(server: int) -> None:
    """Have the kernel end this process when the server ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:  # killed before it could be asked for
        os._exit(1)


def _begin(forks: _Forks, channel: socket.socket, own: tuple[int, int], message: Any, descriptors: list[int]) -> NoReturn:
    """The life of a forked process: take over what the client has, then serve calls."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        forks.close()
        pipe, life, output, folder, status = descriptors
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.fchdir(folder)
        for descriptor in (*own, output, folder, status):
            os.close(descriptor)
        path, environment = message
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        use_server(channel)
        from curation.engine.process import serve

        serve(pipe, life)
        code = 0
    except SystemExit as leaving:  # a library that a page made end the process
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
