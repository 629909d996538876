"""Decompressed bytes of a WARC file, in blocks that know their place in the file.

A gzip member is the unit of damage: it is inflated on its own, its checksum is verified before any
of its bytes are handed on, and after a broken one reading goes on at the next member that holds a record.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

from curation.recipe import CrawlLimits

GZIP_MAGIC = b"\x1f\x8b\x08"  # RFC 1952: ID1, ID2, deflate
READ_BYTES = 64 * 1024
BLOCK_BYTES = 1 << 20  # members of up to this size come as one block
RATIO_FLOOR_BYTES = 1 << 20  # below this, a high ratio harms nobody (a page of one repeated letter)
PROBE_BYTES = 4096  # enough for a gzip header, a Huffman table and the first bytes behind them

TRUNCATED_MEMBER = "the file ends in the middle of a gzip member"
ENDLESS_MEMBER = "damaged gzip member (it has no end)"


@dataclass(frozen=True)
class Block:
    """Consecutive decompressed bytes.

    ``member_start``: file offset of the gzip member, in its first block; else None.
    ``member_end``: file offset after the member, in its last block; else None.
    ``broken``: why the bytes that should follow are missing; the block's own bytes are suspect.
    ``suspect``: why the block's bytes may be wrong, although more of the member follow.
    """

    data: bytes
    member_start: int | None = None
    member_end: int | None = None
    broken: str | None = None
    suspect: str | None = None


def is_gzip(stream: IO[bytes]) -> bool:
    """Whether a file begins with a gzip member."""
    stream.seek(0)
    return stream.read(2) == GZIP_MAGIC[:2]


def plain_blocks(stream: IO[bytes], start: int) -> Iterator[Block]:
    """Blocks of an uncompressed file, from ``start`` on."""
    stream.seek(start)
    while data := stream.read(BLOCK_BYTES):
        yield Block(data)


class _Cursor:
    """Buffered raw bytes at a file offset."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.offset = 0
        self.buffer = b""

    def fill(self) -> bool:
        """Put more bytes behind the buffer; False at the end of the file."""
        more = self._stream.read(READ_BYTES)
        self.buffer += more
        return bool(more)

    def take(self) -> bytes:
        """All buffered bytes; the offset moves behind them."""
        taken, self.buffer = self.buffer, b""
        self.offset += len(taken)
        return taken

    def give_back(self, unused: bytes) -> None:
        """Put bytes that were taken, but not used, back."""
        self.buffer = unused + self.buffer
        self.offset -= len(unused)

    def seek(self, offset: int) -> None:
        """Go to another place."""
        self._stream.seek(offset)
        self.offset, self.buffer = offset, b""


def gzip_blocks(stream: IO[bytes], start: int, limits: CrawlLimits) -> Iterator[Block]:
    """Blocks of the gzip members from file offset ``start`` on."""
    cursor = _Cursor(stream)
    cursor.seek(start)
    while True:
        while len(cursor.buffer) < len(GZIP_MAGIC) and cursor.fill():
            pass
        if not cursor.buffer.strip(b"\0"):  # zero padding and the end of the file
            cursor.take()
            if not cursor.fill():
                return
            continue
        start = cursor.offset
        last = yield from _member_blocks(cursor, limits)
        found = last.broken is None or _seek_next_member(cursor, start + 1)
        # A damaged member can swallow all that follows; the file is cut short only if no member follows.
        yield replace(last, broken=ENDLESS_MEMBER) if found and last.broken == TRUNCATED_MEMBER else last
        if not found:
            return


def _member_blocks(cursor: _Cursor, limits: CrawlLimits) -> Generator[Block, None, Block]:
    """Blocks of one member but the last, which is returned. The cursor ends behind a member that is whole."""
    start = cursor.offset
    opening: int | None = start
    suspect: str | None = None
    member = _Member(cursor, limits)
    data = member.read()
    if not member.finished:  # too large for one block: look at all of it before handing any of it on
        while not member.finished:
            member.read()
        suspect = member.broken if member.broken != TRUNCATED_MEMBER else None  # what precedes a cut is sound
        cursor.seek(start)
        member = _Member(cursor, limits)
        data = member.read()
    while not member.finished:
        yield Block(data, opening, suspect=suspect)
        opening = None
        data = member.read()
    return Block(data, opening, None if member.broken else cursor.offset, member.broken, suspect)


class _Member:
    """A gzip member that begins at the cursor, inflated in blocks. At its end ``finished``, and ``broken`` says why, if it is."""

    def __init__(self, cursor: _Cursor, limits: CrawlLimits) -> None:
        self.finished = False
        self.broken: str | None = None
        self._cursor = cursor
        self._start = cursor.offset
        self._ratio = limits.decompression_ratio
        self._produced = 0
        self._inflater = zlib.decompressobj(wbits=31)  # gzip framing with its checksum

    def read(self) -> bytes:
        """The next ``BLOCK_BYTES``, or less at the member's end."""
        block = bytearray()
        while len(block) < BLOCK_BYTES and self.broken is None and not self._inflater.eof:
            self._inflate(block)
        self._produced += len(block)
        self.finished = self._inflater.eof or self.broken is not None
        return bytes(block)

    def _inflate(self, block: bytearray) -> None:
        cursor = self._cursor
        if not cursor.buffer and not cursor.fill():
            self.broken = TRUNCATED_MEMBER
            return
        raw, before = cursor.take(), self._inflater.copy()
        try:
            block += self._inflater.decompress(raw, BLOCK_BYTES - len(block))
        except zlib.error as error:
            self.broken = f"damaged gzip member ({str(error).partition(': ')[2] or error})"
            block += _salvage(before, raw, BLOCK_BYTES - len(block))
            return
        # At the member's end unconsumed_tail can hold what unused_data holds, too.
        cursor.give_back(self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail)
        if self._produced + len(block) > max(RATIO_FLOOR_BYTES, (cursor.offset - self._start) * self._ratio):
            self.broken = f"decompresses to more than {self._ratio} times its size"


def _salvage(inflater: Any, raw: bytes, room: int) -> bytes:
    """What inflates before the error that ``raw`` leads to; zlib keeps the output of a failed call to itself."""
    salvaged = bytearray()
    size = len(raw)
    while size and raw and len(salvaged) < room:
        attempt = inflater.copy()
        try:
            salvaged += attempt.decompress(raw[:size], room - len(salvaged))
        except zlib.error:
            size //= 16
        else:
            inflater, raw = attempt, attempt.unconsumed_tail + raw[size:]
    return bytes(salvaged)


def _seek_next_member(cursor: _Cursor, after: int) -> bool:
    """Go to the next member at or behind ``after`` that begins with a record; False if there is none."""
    cursor.seek(after)
    place = 0
    while True:
        place = cursor.buffer.find(GZIP_MAGIC, place)
        if place < 0:
            keep = cursor.buffer[-len(GZIP_MAGIC) + 1 :]
            cursor.take()
            cursor.give_back(keep)
            if not cursor.fill():
                return False
            place = 0
            continue
        while len(cursor.buffer) - place < PROBE_BYTES and cursor.fill():
            pass
        if _begins_record(cursor.buffer[place : place + PROBE_BYTES]):
            cursor.give_back(cursor.take()[place:])
            return True
        place += 1
        if place > READ_BYTES:  # what was searched need not stay
            cursor.give_back(cursor.take()[place:])
            place = 0


def _begins_record(raw: bytes) -> bool:
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, 64).lstrip().startswith(b"WARC/")
    except zlib.error:
        return False
