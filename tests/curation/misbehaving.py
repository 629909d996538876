"""Functions for the guarded child: each does to its process what a page can do to an extractor."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

HELD: list[bytearray] = []


def nothing() -> None:
    """A warm-up without anything to warm."""


def fail_to_start() -> None:
    raise RuntimeError("no such extractor")


def die_at_start() -> None:
    os._exit(9)


def behave(task: tuple[str, Any]) -> Any:
    """Do what the task says: (verb, argument)."""
    verb, argument = task
    return globals()[verb](argument)


def echo(argument: Any) -> Any:
    return argument


def process_id(_: object) -> int:
    return os.getpid()


def loop(_: object) -> None:
    while True:
        pass


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def allocate(mebibytes: int) -> None:
    for _ in range(mebibytes):
        HELD.append(bytearray(os.urandom(1)) * (1 << 20))
    time.sleep(60)


def leave(code: int) -> None:
    os._exit(code)


def signal_itself(number: int) -> None:
    os.kill(os.getpid(), number)
    signal.pause()


def exit_politely(code: int) -> None:
    sys.exit(code)


def fail(message: str) -> None:
    raise ValueError(message)


def recurse(_: object) -> None:
    recurse(_)


def unpicklable(_: object) -> Any:
    return lambda: None


def attempt(task: tuple[str, int, tuple[str, Any]]) -> int:
    """Note the attempt in a file; misbehave in the first ones, then return how many there were."""
    path, failures, then = task
    with open(path, "a", encoding="ascii") as stream:
        stream.write(f"{os.getpid()}\n")
    attempts = len(Path(path).read_text("ascii").split())
    if attempts <= failures:
        behave(then)
    return attempts
