"""Raw bytes of a file at a moving place, buffered, so that small steps back and forth cost no read."""

from __future__ import annotations

import re
from typing import Protocol

READ_BYTES = 256 * 1024
KEPT_BYTES = 128 * 1024  # bytes before the place that stay buffered


class SeekableBytes(Protocol):
    """What readers need of an open file."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most ``size``; empty at the end of the file only."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to another place; returns it."""


class Cursor:
    """A place in a seekable stream."""

    def __init__(self, stream: SeekableBytes, offset: int) -> None:
        self._stream = stream
        self._buffer = b""
        self._start = 0  # file offset of the buffer's first byte
        self._place = 0  # of the cursor, in the buffer
        self._seek(offset)

    @property
    def offset(self) -> int:
        """File offset of the next byte."""
        return self._start + self._place

    def move_to(self, offset: int) -> None:
        """Go to another place, forwards or backwards."""
        if self._start <= offset <= self._start + len(self._buffer):
            self._place = offset - self._start
        else:
            self._seek(offset)

    def _seek(self, offset: int) -> None:
        self._stream.seek(offset)
        self._buffer, self._start, self._place = b"", offset, 0

    def peek(self, size: int) -> bytes:
        """The next bytes; fewer than ``size`` at the end of the file only."""
        while len(self._buffer) - self._place < size and self._fill():
            pass
        return self._buffer[self._place : self._place + size]

    def read(self, size: int) -> bytes:
        """As ``peek``; the cursor moves behind them."""
        taken = self.peek(size)
        self._place += len(taken)
        return taken

    def find(self, pattern: re.Pattern[bytes], longest: int, end: int | None = None) -> re.Match[bytes] | None:
        """Go to the next match of a pattern whose matches have at most ``longest`` bytes; None, and the end of the file, without one.

        With ``end``, nothing is read once the cursor is at that file offset; a match behind it may still be found.
        """
        while True:
            match = pattern.search(self._buffer, self._place)
            if match:
                self._place = match.start()
                return match
            self._place = max(self._place, len(self._buffer) - longest + 1)
            if (end is not None and self.offset >= end) or not self._fill():
                self._place = len(self._buffer)
                return None

    def _fill(self) -> bool:
        """Put more bytes behind the buffer; False at the end of the file."""
        more = self._stream.read(READ_BYTES)
        dropped = max(0, self._place - KEPT_BYTES)
        self._buffer = self._buffer[dropped:] + more
        self._start += dropped
        self._place -= dropped
        return bool(more)
