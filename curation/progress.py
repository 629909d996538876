"""Progress on stderr: bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

LINE_SECONDS = 10.0  # without a terminal, a long step says something this often


class Progress:
    """Where a run says what it is doing. ``quiet`` says nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._console: Any = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console

            self._console = Console(stderr=True)

    def say(self, message: str) -> None:
        """One line."""
        if self._console is not None:
            self._console.print(message, markup=False, highlight=False)
        elif not self.quiet:
            print(message, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def task(self, name: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
        """A bar over ``total`` parts (None: nobody knows yet), ``done`` of which are there already; yields ``advance(count)``."""
        if self._console is None:
            if total is not None:
                self.say(f"{name}: {total} parts" + (f", {done} done before" if done else ""))
            yield lambda count: None
            return
        with self._bars(counted=True) as bars:
            task = bars.add_task(name, total=total, completed=done, text="")
            yield lambda count: bars.advance(task, count)

    @contextlib.contextmanager
    def bar(self, name: str, total: int) -> Iterator[Callable[[int, str], None]]:
        """A bar with a text beside it; yields ``update(completed, text)``."""
        if self._console is None:
            said = time.monotonic() - LINE_SECONDS
            begun: tuple[float, int] | None = None

            def line(completed: int, text: str) -> None:
                nonlocal said, begun
                now = time.monotonic()
                begun = begun or (now, completed)
                if now - said >= LINE_SECONDS:
                    said = now
                    self.say(
                        f"{name}: {completed / total:.0%}, {text}{_time_left(now - begun[0], completed - begun[1], total - completed)}"
                    )

            yield line
            return
        with self._bars(counted=False) as bars:
            task = bars.add_task(name, total=total, text="")
            yield lambda completed, text: bars.update(task, completed=completed, text=text)

    def _bars(self, counted: bool) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        return Bars(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn() if counted else TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=self._console,
        )


def _time_left(seconds: float, done: int, left: int) -> str:
    """How long the rest takes at the pace so far; nothing while nobody knows."""
    if done <= 0 or left <= 0:
        return ""
    rest = round(seconds * left / done)
    return f", {rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02} left"
