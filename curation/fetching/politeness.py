"""When a host may be asked: one request at a time, a pause after each, and longer ones where the server wants them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

TURNS_BETWEEN_SWEEPS = 1000


@dataclass
class _Host:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    delay_seconds: float = 0.0
    not_before: float = 0.0  # in time.monotonic
    users: int = 0


class Politeness:
    """Turns of all hosts, and the limit of requests that are under way at the same time."""

    def __init__(self, connections: int, delay_seconds: float) -> None:
        self._slots = asyncio.Semaphore(connections)
        self._delay_seconds = delay_seconds
        self._hosts: dict[str, _Host] = {}
        self._turns = 0

    @contextlib.asynccontextmanager
    async def turn(self, host: str, delay_seconds: float = 0.0) -> AsyncIterator[None]:
        """Wait for the host's next turn; nobody else asks it until the end of the block and of the pause behind it.

        ``delay_seconds``: the pause that the host asks for after each request, where it is known; it counts if it is longer than ours.
        """
        state = self._state(host)
        state.users += 1
        longer_by = max(delay_seconds, self._delay_seconds) - state.delay_seconds
        if longer_by > 0:
            state.delay_seconds += longer_by
            state.not_before += longer_by  # also behind the request by which this became known
        try:
            async with state.turn:
                while (seconds := state.not_before - time.monotonic()) > 0:
                    await asyncio.sleep(seconds)
                async with self._slots:
                    try:
                        yield
                    finally:
                        self.hold(host, state.delay_seconds)
        finally:
            state.users -= 1
            self._sweep()

    def hold(self, host: str, seconds: float) -> None:
        """Do not ask the host for so many seconds from now."""
        state = self._state(host)
        state.not_before = max(state.not_before, time.monotonic() + seconds)

    def _state(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host())

    def _sweep(self) -> None:
        """Forget hosts that anybody may ask now."""
        self._turns += 1
        if self._turns % TURNS_BETWEEN_SWEEPS == 0:
            now = time.monotonic()
            self._hosts = {host: state for host, state in self._hosts.items() if state.users or state.not_before > now}
