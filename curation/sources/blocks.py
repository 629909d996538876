"""Decompressed bytes of an archive file, in blocks that know their place in the file.

A compressed member is the unit of damage: it is decoded on its own, its checksum is verified before
any of its bytes are handed on, and after a broken one reading goes on at the next member that holds a record.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from curation.recipe import CrawlLimits
from curation.sources.cursor import READ_BYTES, Cursor, SeekableBytes
from curation.sources.grammars import begins_record, find_record
from curation.sources.members import LONGEST_MAGIC, SKIPPABLE_FRAME, DecodeError, Format, formats

FEED_BYTES = 32 * 1024  # most raw bytes of one decoding step
CAREFUL_FEED_BYTES = 16  # the same from where a step is known to fail, so that little of what precedes the failure is lost
BLOCK_BYTES = 1 << 20  # members of up to this size come as one block
HELD_BYTES = 16 << 20  # a member that decodes to more is decoded twice: once to check it, once to hand it on
RATIO_FLOOR_BYTES = 1 << 20  # below this, a high ratio harms nobody (a page of one repeated letter)
RECORD_PROBE_BYTES = 4096  # decoded bytes that show whether a member begins with a record
SNIFF_BYTES = 1 << 20  # where the first member or record is looked for, if the file does not begin with one

TRUNCATED_MEMBER = "the file ends in the middle of a compressed member"
ENDLESS_MEMBER = "damaged compressed member (it has no end)"
NO_MEMBER = "bytes that belong to no compressed member"


@dataclass(frozen=True)
class Block:
    """Consecutive decompressed bytes.

    ``member_start``: file offset of the member, in its first block; else None.
    ``member_end``: file offset after the member, in its last block if it is whole; else None.
    ``broken``: why the bytes that should follow are missing; the block's own bytes are suspect, unless the file is just cut short.
    ``suspect``: why the block's bytes may be wrong, although more of the member follow.
    """

    data: bytes
    member_start: int | None = None
    member_end: int | None = None
    broken: str | None = None
    suspect: str | None = None


def is_compressed(stream: SeekableBytes) -> bool:
    """Whether a file holds compressed members, as its content says.

    Where it begins with neither a member nor a record, what comes first within ``SNIFF_BYTES`` tells.
    """
    known = formats(stream)
    cursor = Cursor(stream, 0)
    beginning = cursor.peek(LONGEST_MAGIC)
    if _format_at(beginning, known) or SKIPPABLE_FRAME.match(beginning):
        return True
    beginning = cursor.peek(SNIFF_BYTES)
    record = find_record(beginning)
    return _seek_member(cursor, known, len(beginning) if record is None else record)


def _format_at(raw: bytes, known: list[Format]) -> Format | None:
    return next((kind for kind in known if kind.magic.match(raw)), None)


def _seek_member(cursor: Cursor, known: list[Format], end: int | None = None) -> bool:
    """Go to the next member that begins with a record, and before file offset ``end``; False if there is none."""
    pattern = re.compile(b"|".join(kind.magic.pattern for kind in known), re.DOTALL)
    while (match := cursor.find(pattern, LONGEST_MAGIC, end)) and (end is None or cursor.offset < end):
        start, kind = cursor.offset, _format_at(match.group(), known)
        if kind and _holds_record(cursor, kind):
            cursor.move_to(start)
            return True
        cursor.move_to(start + 1)
    return False


def _holds_record(cursor: Cursor, kind: Format) -> bool:
    """Whether the first decoded bytes of the member at the cursor are those of a record."""
    decoder, data, start = kind.new_decoder(), b"", cursor.offset
    while len(data) < RECORD_PROBE_BYTES and not decoder.eof and cursor.offset - start < kind.probe_bytes:
        raw = cursor.read(FEED_BYTES) if decoder.needs_input else b""
        try:
            more = decoder.decode(raw, RECORD_PROBE_BYTES)
        except DecodeError:
            break
        if not raw and not more:
            break
        data += more
    return begins_record(data)


def plain_blocks(stream: SeekableBytes, start: int) -> Iterator[Block]:
    """Blocks of an uncompressed file, from ``start`` on."""
    stream.seek(start)
    while data := stream.read(BLOCK_BYTES):
        yield Block(data)


def member_blocks(stream: SeekableBytes, start: int, limits: CrawlLimits) -> Iterator[Block]:
    """Blocks of the compressed members from file offset ``start`` on."""
    known = formats(stream)
    like = known  # after damage, members of the format before it are looked for: another's can be the content of a page
    cursor = Cursor(stream, start)
    while cursor.peek(1) and not _only_padding(cursor):
        start = cursor.offset
        kind = _format_at(cursor.peek(LONGEST_MAGIC), known)
        if kind is None and _skip_frame(cursor, known):
            continue
        if kind:
            like = [kind]
            last = yield from _member(cursor, kind, limits)
        else:
            last = Block(b"", start, broken=TRUNCATED_MEMBER if _begins_member(cursor.peek(LONGEST_MAGIC), known) else NO_MEMBER)
        if last.broken is None or _ends_here(cursor, start, like, limits):
            yield last
            continue
        cursor.move_to(start + 1)
        found = _seek_member(cursor, like)
        # A damaged member can swallow all that follows; the file is cut short only if no member follows.
        yield replace(last, broken=ENDLESS_MEMBER) if found and last.broken == TRUNCATED_MEMBER else last


def _begins_member(raw: bytes, known: list[Format]) -> bool:
    """Whether the last bytes of a file can be the first of a member."""
    return len(raw) < LONGEST_MAGIC and any(kind.signature.startswith(raw[: len(kind.signature)]) for kind in known)


def _only_padding(cursor: Cursor) -> bool:
    """Whether nothing but zero bytes is left of the file; then the cursor goes to its end."""
    start = cursor.offset
    while raw := cursor.read(READ_BYTES) if cursor.peek(1) in (b"\0", b"") else b"x":
        if raw.strip(b"\0"):
            cursor.move_to(start)
            return False
    return True


def _is_border(cursor: Cursor, known: list[Format]) -> bool:
    """Whether a member can begin at the cursor, or the file ends there."""
    raw = cursor.peek(LONGEST_MAGIC)
    return not raw or _format_at(raw, known) is not None or SKIPPABLE_FRAME.match(raw) is not None


def _ends_here(cursor: Cursor, start: int, known: list[Format], limits: CrawlLimits) -> bool:
    """Whether a member with a wrong checksum that began at ``start`` ends at the cursor, and did not run through sound ones up to there.

    Otherwise it would take them along; but what only looks like a member, as an archive within a page does, ends before it.
    """
    end = cursor.offset
    if end == start or not _is_border(cursor, known):
        return False
    cursor.move_to(start + 1)
    while _seek_member(cursor, known, end):
        inner_start, kind = cursor.offset, _format_at(cursor.peek(LONGEST_MAGIC), known)
        assert kind
        inner = _Member(cursor, kind, limits)
        for _ in inner:
            pass
        if inner.is_whole and not inner.broken and cursor.offset == end:
            return False
        cursor.move_to(inner_start + 1)
    cursor.move_to(end)
    return True


def _skip_frame(cursor: Cursor, known: list[Format]) -> bool:
    """Pass over a skippable frame, if one is at the cursor and ends where a member can begin."""
    start = cursor.offset
    match = SKIPPABLE_FRAME.match(cursor.peek(LONGEST_MAGIC))
    if match:
        cursor.move_to(start + match.end() + int.from_bytes(match.group(1), "little") - 1)
        if cursor.read(1) and _is_border(cursor, known):
            return True
        cursor.move_to(start)
    return False


def _member(cursor: Cursor, kind: Format, limits: CrawlLimits) -> Generator[Block, None, Block]:
    """Blocks of the member at the cursor but the last, which is returned. All of it is checked before any of it is handed on.

    The cursor ends behind the member where its end is known, else at its beginning.
    """
    start = cursor.offset
    member = _Member(cursor, kind, limits)
    held = [member.read()]
    while not member.finished and sum(map(len, held)) < HELD_BYTES:
        held.append(member.read())
    while not member.finished:
        held = []
        member.read()
    broken, end = member.broken, cursor.offset if member.is_whole else start
    if held and member.failed_at is None:
        contents = iter(held)
    else:
        cursor.move_to(start)
        contents = iter(_Member(cursor, kind, limits, member.failed_at))
    # What precedes a cut is sound; what precedes any other damage may be wrong.
    suspect = broken if broken != TRUNCATED_MEMBER else None
    opening: int | None = start
    data = next(contents)
    for following in contents:
        yield Block(data, opening, suspect=suspect)
        opening, data = None, following
    cursor.move_to(end)
    return Block(data, opening, None if broken else end, broken, suspect)


class _Member:
    """The member that begins at the cursor, decoded in blocks.

    At its end ``finished``; then ``broken`` says what is wrong with it, ``is_whole`` whether its end was found, and
    ``failed_at`` from which file offset on it could not be decoded. A second pass that knows ``failed_at`` saves what precedes it.
    """

    def __init__(self, cursor: Cursor, kind: Format, limits: CrawlLimits, failed_at: int | None = None) -> None:
        self.finished = self.is_whole = False
        self.broken: str | None = None
        self.failed_at = failed_at
        self._cursor = cursor
        self._noun = kind.noun
        self._ratio = limits.decompression_ratio
        self._start = cursor.offset
        self._produced = 0
        self._decoder = kind.new_decoder()

    def __iter__(self) -> Iterator[bytes]:
        while not self.finished:
            yield self.read()

    def read(self) -> bytes:
        """The next ``BLOCK_BYTES``, or less at the member's end."""
        parts: list[bytes] = []
        room = BLOCK_BYTES
        while room > 0 and not self.finished:
            parts.append(self._step(room))
            room -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _step(self, room: int) -> bytes:
        cursor, decoder, before = self._cursor, self._decoder, self._cursor.offset
        raw = cursor.read(self._feed_bytes()) if decoder.needs_input else b""
        try:
            data = decoder.decode(raw, room)
        except DecodeError as error:
            if self.failed_at is None:  # without new bytes, it was some of those taken last
                self.failed_at = before if raw else max(self._start, before - FEED_BYTES)
            self._finish(f"damaged {self._noun} ({error})")
            return b""
        self._produced += len(data)
        if decoder.eof:
            cursor.move_to(cursor.offset - decoder.unused)
            self.is_whole = True
            self._finish(decoder.problem and f"damaged {self._noun} ({decoder.problem})")
        elif not data and not raw and decoder.needs_input:
            self._finish(TRUNCATED_MEMBER)
        elif self._produced > max(RATIO_FLOOR_BYTES, (cursor.offset - self._start) * self._ratio):
            self._finish(f"decompresses to more than {self._ratio} times its size")
        return data

    def _feed_bytes(self) -> int:
        if self.failed_at is None:
            return FEED_BYTES
        return min(FEED_BYTES, self.failed_at - self._cursor.offset) if self._cursor.offset < self.failed_at else CAREFUL_FEED_BYTES

    def _finish(self, broken: str | None) -> None:
        self.finished, self.broken = True, broken
