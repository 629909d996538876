"""SIGINT and SIGTERM end a run in order: what is committed stays, workers end, the exit code says why."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

from curation.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, InterruptedRun

_CODES = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}


class StopSignals:
    """Turns signals into ``InterruptedRun``; inside ``deferred`` they only set ``requested``. Use as a context manager."""

    def __init__(self) -> None:
        self.requested: int | None = None  # the exit code asked for
        self._deferred = False
        self._earlier: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        """Take over both signals for this process."""
        self._earlier = {number: signal.signal(number, self._handle) for number in _CODES}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.requested = _CODES[signal.Signals(number)]
        if not self._deferred:
            raise InterruptedRun("stopped; what is committed stays, run the same command again to go on", self.requested)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """While inside, the work polls ``requested`` itself (training saves a checkpoint first)."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
