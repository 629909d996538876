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
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for the host's next turn; nobody else asks it until the end of the block and of the pause behind it."""
        state = self._state(host)
        state.users += 1
        try:
            async with state.turn:
                while (seconds := state.not_before - time.monotonic()) > 0:
                    await asyncio.sleep(seconds)
                async with self._slots:
                    try:
                        yield
                    finally:
                        self.hold(host, self.delay(host))
        finally:
            state.users -= 1
            self._sweep()

    def set_delay(self, host: str, seconds: float) -> None:
        """The pause that the host asks for after each request, if that is longer than ours."""
        self._state(host).delay_seconds = seconds

    def delay(self, host: str) -> float:
        """The pause after each request to the host, seconds."""
        return max(self._state(host).delay_seconds, self._delay_seconds)

    def hold(self, host: str, seconds: float) -> None:
        """Do not ask the host for so many seconds from now."""
        state = self._state(host)
        state.not_before = max(state.not_before, time.monotonic() + seconds)

    def _state(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host())

    def _sweep(self) -> None:
        """Forget hosts that anybody may ask now; their delay is set again before they are."""
        self._turns += 1
        if self._turns % TURNS_BETWEEN_SWEEPS == 0:
            now = time.monotonic()
            self._hosts = {host: state for host, state in self._hosts.items() if state.users or state.not_before > now}
