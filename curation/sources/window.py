"""The decompressed bytes ahead of a reader, and what interrupts them."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator

from curation.sources.blocks import TRUNCATED_MEMBER, Block
from curation.sources.grammars import ARC, WARC, Grammar, begins_record

TRUNCATED_RECORD = "the file ends in the middle of a record"
SHORT_RECORD = "the record ends before its Content-Length"

_BLANKS = re.compile(rb"[\r\n\t ]*")
_LINE_END = re.compile(rb"\n")


class Window:
    """The decompressed bytes ahead, up to the next place where they are interrupted.

    An interruption is the end of the file, the end of a broken member, or a new member that
    begins with a record while another is still incomplete. ``stop`` names it once reached.
    """

    def __init__(self, blocks: Iterator[Block], position: int, plain: bool = False) -> None:
        self._blocks = blocks
        self._plain = plain
        self._held: Block | None = None
        self._between_records = True
        self._member_starts: deque[tuple[int, int]] = deque()  # decompressed position and file offset of the members ahead
        self.buffer = bytearray()
        self.position = position  # decompressed position of the buffer's first byte
        self.member_end: int | None = None  # file offset after the last buffered member, if it is all there
        self.stop: str | None = None
        self.suspect: str | None = None  # what is wrong with the member that the buffered bytes come from
        self.lost: str | None = None  # what is wrong with a member of which not a byte is left
        self.first_bytes = b""

    def more(self) -> bool:
        """Put the next block behind the buffer; False at an interruption."""
        if self.stop is not None:
            return False
        block = self._held or next(self._blocks, None)
        self._held = None
        if block is None:
            self.stop = TRUNCATED_RECORD
            return False
        if block.member_start is not None and not self._between_records and begins_record(block.data):
            self._held, self.stop = block, SHORT_RECORD
            return False
        if block.member_start is not None:
            self._member_starts.append((self.position + len(self.buffer), block.member_start))
        self.buffer += block.data
        self.member_end = block.member_end
        self.stop = block.broken
        self.suspect = block.suspect or (block.broken if block.broken != TRUNCATED_MEMBER else None)
        if block.broken and not block.data.strip():
            self.lost = block.broken
        self.first_bytes = self.first_bytes or block.data[:24]
        return True

    def seek_record(self) -> bool:
        """Go to the next byte that is no white space, or to a lost member, past interruptions; False at the end of the file."""
        self._between_records = True
        while self.lost is None and not self._drop_blanks():
            self.stop = self.suspect = None
            if not self.more():
                return False
        self._between_records = False
        while len(self._member_starts) > 1 and self._member_starts[1][0] <= self.position:
            self._member_starts.popleft()
        return True

    def _drop_blanks(self) -> bool:
        """Pass over white space; whether anything is left."""
        if self.position == 0 and self.buffer.startswith(BOM_UTF8):
            self.drop(len(BOM_UTF8))
        self.drop(self.blanks_end(0))
        return bool(self.buffer)

    def blanks_end(self, place: int) -> int:
        """Where the white space that begins at a place of the buffer ends."""
        match = _BLANKS.match(self.buffer, place)
        return match.end() if match else place

    @property
    def origin(self) -> int:
        """File offset of the next byte, or of the member that holds it."""
        return self.position if self._plain or not self._member_starts else self._member_starts[0][1]

    @property
    def restart(self) -> int | None:
        """File offset at which reading can begin with the next byte; None inside a member."""
        if self._plain:
            return self.position
        return next((offset for place, offset in self._member_starts if place == self.position), None)

    def ensure(self, size: int) -> bool:
        """Whether ``size`` bytes are ahead without interruption."""
        while len(self.buffer) < size:
            if not self.more():
                return False
        return True

    def search(self, pattern: re.Pattern[bytes], limit: int, start: int = 0) -> re.Match[bytes] | None:
        """First match behind ``start`` that ends within ``limit`` bytes, reading on as far as needed."""
        match = pattern.search(self.buffer, start, limit)
        while match is None and len(self.buffer) < limit and self.more():
            match = pattern.search(self.buffer, start, limit)
        return match

    def grammar_at(self, place: int) -> Grammar | None:
        """The grammar of the record that begins ``place`` bytes ahead; None if none begins there."""
        self.ensure(place + WARC.opening_bytes)
        if WARC.opening.match(self.buffer, place):
            return WARC
        if not self.buffer[place : place + 1].isalpha():
            return None
        self.search(_LINE_END, place + ARC.opening_bytes, place)
        return ARC if ARC.opening.match(self.buffer, place) else None

    def at_member_end(self, place: int = 0) -> bool:
        """Whether nothing but white space is left of a whole member behind the next ``place`` bytes."""
        return self.member_end is not None and self.blanks_end(place) >= len(self.buffer)

    def peek(self, size: int) -> bytes:
        """The next bytes, at most ``size`` of those that are buffered."""
        with memoryview(self.buffer) as view:
            return bytes(view[:size])

    def take(self, size: int) -> bytes:
        """As ``peek``, and pass over them."""
        taken = self.peek(size)
        self.drop(size)
        return taken

    def drop(self, size: int) -> None:
        """Pass over bytes."""
        size = min(size, len(self.buffer))
        del self.buffer[:size]
        self.position += size
