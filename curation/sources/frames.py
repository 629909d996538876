"""Extents of the records of a WARC or WET file, plain or gzip: where each begins and ends, and its bytes.

The extent of a record is found from its header, and every record is then taken by itself, so that
damage costs the damaged record only. After junk, reading goes on at the next version line.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from curation import storage
from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.blocks import TRUNCATED_MEMBER, Block, gzip_blocks, is_gzip, plain_blocks
from curation.sources.http import parse_headers

TRUNCATED_RECORD = "the file ends in the middle of a record"
SHORT_RECORD = "the record ends before its Content-Length"
LONG_RECORD = "the record is longer than its Content-Length"
TRUNCATIONS = (TRUNCATED_MEMBER, TRUNCATED_RECORD)

_VERSION = re.compile(rb"WARC/\d\.\d{1,2}\r?\n", re.IGNORECASE)
# A version line; within a line only if a field follows, as where a writer was killed and another went on.
_NEXT_VERSION = re.compile(rb"(?:(?<=\n)WARC/\d\.\d{1,2}\r?\n|WARC/\d\.\d{1,2}\r?\n(?=[a-z-]{1,40}:))", re.IGNORECASE)
_EARLY_VERSION = re.compile(rb"\r?\n\r?\n(?=WARC/\d\.\d{1,2}\r?\n)", re.IGNORECASE)
_RECORD_END = re.compile(rb"\r?\n\r?\n|(?:\r?\n)?WARC/\d\.\d{1,2}\r?\n", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(?:\r?\n[ \t]+)?(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_BLANKS = re.compile(rb"[\r\n\t ]*")
_VERSION_BYTES = 12  # the longest version line, "WARC/0.17" CR LF, and one more
_BOUNDARY_BYTES = 16  # an empty line and a version line behind it
_SEARCH_BYTES = 64  # a version line and the name of a field behind it


@dataclass(frozen=True)
class Frame:
    """The extent of a record, or of junk between records (empty ``header``).

    ``offset`` and ``length`` count compressed bytes where the record has gzip members to itself
    (``own_member``), else decompressed bytes of the file. ``position`` is always the decompressed offset;
    ``file_offset`` is where reading can begin with this record, or None inside a gzip member.
    """

    offset: int
    length: int
    position: int
    header: bytes
    content: bytes
    problem: str | None = None
    own_member: bool = False
    file_offset: int | None = None


def read_frames(path: str, start: int, end: int | None, position: int, limits: CrawlLimits) -> Iterator[Frame]:
    """Every record of a file that begins in the byte range [start, end), in order, before any filter.

    ``start`` is 0 or the ``file_offset`` of a frame, and ``position`` that frame's offset in the decompressed file.

    Raises:
        InputError: the file is missing, empty, or holds no WARC record.
    """
    with storage.open_binary(path) as stream:
        try:
            if is_gzip(stream):
                window = _Window(gzip_blocks(stream, start, limits), position)
            else:
                window = _Window(plain_blocks(stream, start), start, plain=True)
            found = False
            for frame in _cut_frames(window, end, limits):
                found = found or bool(frame.header)
                yield frame
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; fetch it again or leave it out") from error
    if found or start > 0 or end is not None:
        return
    if not window.first_bytes:
        raise InputError(f"{path} is empty or holds no readable gzip member; fetch it again or leave it out")
    beginning = repr(window.first_bytes.decode("ascii", "backslashreplace"))
    raise InputError(f"{path} is no WARC file: it begins with {beginning}; give WARC or WET files, plain or .gz")


class _Window:
    """The decompressed bytes ahead, up to the next place where they are interrupted.

    An interruption is the end of the file, the end of a broken gzip member, or a new member that
    begins with a version line while a record is still incomplete. ``stop`` names it once reached.
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
        if block.member_start is not None and not self._between_records and _VERSION.match(block.data):
            self._held, self.stop = block, SHORT_RECORD
            return False
        if block.member_start is not None:
            self._member_starts.append((self.position + len(self.buffer), block.member_start))
        self.buffer += block.data
        self.member_end = block.member_end
        self.stop = block.broken
        self.suspect = block.broken or block.suspect
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
        self.drop(self._blanks_end(0))
        return bool(self.buffer)

    def _blanks_end(self, place: int) -> int:
        match = _BLANKS.match(self.buffer, place)
        return match.end() if match else place

    @property
    def origin(self) -> int:
        """File offset of the next byte, or of the gzip member that holds it."""
        return self.position if self._plain or not self._member_starts else self._member_starts[0][1]

    @property
    def restart(self) -> int | None:
        """File offset at which reading can begin with the next byte; None inside a gzip member."""
        if self._plain:
            return self.position
        return next((offset for place, offset in self._member_starts if place == self.position), None)

    def ensure(self, size: int) -> bool:
        """Whether ``size`` bytes are ahead without interruption."""
        while len(self.buffer) < size:
            if not self.more():
                return False
        return True

    def search(self, pattern: re.Pattern[bytes], limit: int) -> re.Match[bytes] | None:
        """First match that ends within ``limit`` bytes, reading on as far as needed."""
        match = pattern.search(self.buffer, 0, limit)
        while match is None and len(self.buffer) < limit and self.more():
            match = pattern.search(self.buffer, 0, limit)
        return match

    def at_member_end(self, place: int = 0) -> bool:
        """Whether nothing but white space is left of a whole gzip member behind the next ``place`` bytes."""
        return self.member_end is not None and self._blanks_end(place) >= len(self.buffer)

    def take(self, size: int) -> bytes:
        """The next bytes, at most ``size``."""
        taken = bytes(self.buffer[:size])
        self.drop(size)
        return taken

    def drop(self, size: int) -> None:
        """Pass over bytes."""
        size = min(size, len(self.buffer))
        del self.buffer[:size]
        self.position += size


def _cut_frames(window: _Window, end: int | None, limits: CrawlLimits) -> Iterator[Frame]:
    while window.seek_record() and (end is None or window.origin < end):
        start, restart = window.position, window.restart
        if window.lost:
            yield Frame(start, 0, start, b"", b"", window.lost)
            window.lost = None
            continue
        window.ensure(_VERSION_BYTES)
        if not _VERSION.match(window.buffer):
            content = _take_until_version(window, limits)
            yield Frame(start, window.position - start, start, b"", content, _junk_problem(window, content))
            continue
        header_end = window.search(_HEADER_END, limits.header_bytes)
        if header_end is None:
            problem = window.stop if len(window.buffer) < limits.header_bytes else f"the header is longer than {limits.header_bytes} bytes"
            header, content = window.take(limits.header_bytes), _take_until_version(window, limits)
            yield Frame(start, window.position - start, start, header, content, problem)
            continue
        header = window.take(header_end.end())
        content_length = _content_length(header)
        if content_length is None:
            content = _take_until_version(window, limits)
            yield Frame(start, window.position - start, start, header, content, "the header has no usable Content-Length")
        elif content_length > limits.decompressed_bytes:
            _pass_over(window, content_length)
            problem = f"the block has {content_length} bytes, more than the limit of {limits.decompressed_bytes}"
            yield Frame(start, window.position - start, start, header, b"", problem)
        else:
            content, problem = _take_content(window, content_length, limits)
            if restart is not None and window.at_member_end():
                assert window.member_end is not None
                yield Frame(restart, window.member_end - restart, start, header, content, problem, True, restart)
            else:
                yield Frame(start, window.position - start, start, header, content, problem, False, restart)


def _junk_problem(window: _Window, content: bytes) -> str:
    if window.suspect:
        return window.suspect
    begins_record = len(content) < _VERSION_BYTES and content[:5].upper() == b"WARC/"[: len(content)]
    return TRUNCATED_RECORD if begins_record and window.stop == TRUNCATED_RECORD else "bytes that are no record"


def _take_content(window: _Window, content_length: int, limits: CrawlLimits) -> tuple[bytes, str | None]:
    """The block of a record, and what is wrong with it."""
    if not window.ensure(content_length):
        # A too large Content-Length must not swallow the records behind it.
        content = _take_until_version(window, limits)
        return content, SHORT_RECORD if window.buffer else window.stop
    if _ends_at(window, content_length):
        return window.take(content_length), window.suspect
    content = _take_until_version(window, limits)
    return content, window.suspect or (SHORT_RECORD if len(content) < content_length else LONG_RECORD)


def _ends_at(window: _Window, size: int) -> bool:
    """Whether an empty line, a version line or an interruption follows ``size`` bytes."""
    if not window.at_member_end(size):
        window.ensure(size + _BOUNDARY_BYTES)
    following = bytes(window.buffer[size : size + _BOUNDARY_BYTES])
    return not following.strip() or _RECORD_END.match(following) is not None


def _take_until_version(window: _Window, limits: CrawlLimits) -> bytes:
    """Bytes up to the next version line or interruption, without the empty line; beyond the limit they are only passed over."""
    kept = bytearray()
    while True:
        match = _NEXT_VERSION.search(window.buffer)
        size = match.start() if match else len(window.buffer) - (_SEARCH_BYTES if window.stop is None else 0)
        kept += window.take(size)[: max(0, limits.decompressed_bytes - len(kept))] if size > 0 else b""
        if match or (not window.more() and not window.buffer):
            content = bytes(kept)
            return content[:-4] if content.endswith(b"\r\n\r\n") else content.removesuffix(b"\n\n")


def _pass_over(window: _Window, size: int) -> None:
    """Drop the block of an oversized record; a version line behind an empty line ends it early."""
    while size > 0:
        match = _EARLY_VERSION.search(window.buffer, 0, size)
        keep = _BOUNDARY_BYTES if window.stop is None else 0
        step = match.start() if match else max(0, min(size, len(window.buffer) - keep))
        window.drop(step)
        size -= step
        if match or (step == 0 and not window.more() and not window.buffer):
            return


def _content_length(header: bytes) -> int | None:
    match = _CONTENT_LENGTH.search(header)
    return int(match.group(1)) if match else None


def record_headers(frame: Frame) -> dict[str, str]:
    """The WARC header, names in lower case; of a repeated field the first value."""
    headers: dict[str, str] = {}
    for name, value in parse_headers(frame.header.partition(b"\n")[2]):
        headers.setdefault(name.lower(), value)
    return headers
