"""Records of a WARC or WET file, plain or gzip, each with its place, its state and its decoded body.

Framing comes first: the extent of a record is found from its header, and every record is then read
by itself, so that damage costs the damaged record only. After junk, reading goes on at the next
version line. A record that is cut short or whose digest does not match is never plainly good.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from curation import storage
from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.blocks import TRUNCATED_MEMBER, Block, gzip_blocks, is_gzip, plain_blocks
from curation.sources.http import HttpResponse, parse_headers, parse_response

GOOD, REPAIRED, DAMAGED = "good", "repaired", "damaged"
TRUNCATED_RECORD = "the file ends in the middle of a record"
SHORT_RECORD = "the record ends before its Content-Length"
LONG_RECORD = "the record is longer than its Content-Length"
TRUNCATIONS = (TRUNCATED_MEMBER, TRUNCATED_RECORD)

_VERSION = re.compile(rb"WARC/\d\.\d{1,2}\r?\n", re.IGNORECASE)
_NEXT_VERSION = re.compile(rb"(?<=\n)WARC/\d\.\d{1,2}\r?\n", re.IGNORECASE)
_EARLY_VERSION = re.compile(rb"\r?\n\r?\nWARC/\d\.\d{1,2}\r?\n", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_VERSION_BYTES = 12  # the longest version line, "WARC/0.17" CR LF, and one more


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


@dataclass(frozen=True)
class Record:
    """One record. ``body``: payload of an HTTP response with its codings undone, else the block.

    ``record_id`` and ``target_uri`` come without angle brackets. ``state``: good, repaired (usable, but something of it was wrong), or damaged; then ``problem``
    says why. ``raw``: header and block as found. ``headers``: the WARC header, names in lower case.
    ``body_truncated``: the decoded body was longer than the limit and only its beginning is here.
    """

    record_id: str | None
    target_uri: str | None
    record_type: str
    date: str | None
    offset: int
    length: int
    http_status: int | None
    http_headers: list[tuple[str, str]]
    body: bytes
    state: str
    problem: str | None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    body_truncated: bool = False
    own_member: bool = False


def read_records(
    path: str, start: int = 0, end: int | None = None, position: int = 0, limits: CrawlLimits | None = None
) -> Iterator[Record]:
    """Every record of a file that begins in the byte range [start, end), in order, before any filter.

    ``start`` is 0 or the file offset of a gzip member (or, in a plain file, of a record) and
    ``position`` its offset in the decompressed file.

    Raises:
        InputError: the file is missing, empty, or holds no WARC record.
    """
    limits = limits or CrawlLimits()
    for frame in read_frames(path, start, end, position, limits):
        yield to_record(frame, limits)


def read_frames(path: str, start: int, end: int | None, position: int, limits: CrawlLimits) -> Iterator[Frame]:
    """As ``read_records``, but only the extents: nothing is decoded or checked."""
    with storage.open_binary(path) as stream:
        try:
            if is_gzip(stream):
                window = _Window(gzip_blocks(stream, start, end, limits), position)
            else:
                window = _Window(plain_blocks(stream, start, end), start, plain=True)
            found = False
            for frame in _cut_frames(window, limits):
                found = found or bool(frame.header)
                yield frame
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; fetch it again or leave it out") from error
    if not found and not window.first_bytes:
        raise InputError(f"{path} is empty or holds no readable gzip member; fetch it again or leave it out")
    if not found:
        beginning = repr(window.first_bytes.decode("ascii", "backslashreplace"))
        raise InputError(f"{path} is no WARC file: it begins with {beginning}; give WARC or WET files, plain or .gz")


class _Window:
    """The decompressed bytes ahead, up to the next place where they are interrupted.

    An interruption is the end of the file, the end of a broken gzip member, or a new member that
    begins with a version line while a record is still incomplete. ``stop`` names it once reached.
    """

    def __init__(self, blocks: Iterator[Block], position: int, plain: bool = False) -> None:
        self._blocks = blocks
        self.plain = plain
        self._held: Block | None = None
        self.buffer = bytearray()
        self.position = position  # decompressed position of the buffer's first byte
        self.member_starts: dict[int, int] = {}  # decompressed position -> file offset of a member
        self.member_end: int | None = None  # file offset after the last buffered member, if it is all there
        self.stop: str | None = None
        self.suspect: str | None = None  # what is wrong with the member that the buffered bytes come from
        self.unreported: str | None = None  # a broken member of which not a byte is left
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
        if block.member_start is not None and self.buffer.strip() and _VERSION.match(block.data):
            self._held, self.stop = block, SHORT_RECORD
            return False
        if block.member_start is not None:
            self.member_starts[self.position + len(self.buffer)] = block.member_start
        self.buffer += block.data
        self.member_end = block.member_end
        self.stop = self.suspect = block.broken
        if block.broken and not block.data.strip():
            self.unreported = block.broken
        self.first_bytes = self.first_bytes or block.data[:24]
        return True

    def skip_blank(self) -> bool:
        """Go to the next byte that is no white space, past interruptions; False at the end of the file."""
        while True:
            self.drop(len(self.buffer) - len(self.buffer.lstrip(b"\r\n\t ")))
            if self.buffer:
                return True
            if self.stop == TRUNCATED_RECORD:
                return False
            self.stop = self.suspect = None
            if not self.more() and self.stop == TRUNCATED_RECORD:
                return False

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

    def at_member_end(self) -> bool:
        """Whether the rest of a whole gzip member, if any, is white space."""
        return self.member_end is not None and not self.buffer.strip()

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


def _cut_frames(window: _Window, limits: CrawlLimits) -> Iterator[Frame]:
    more = True
    while more:
        more = window.skip_blank()
        if window.unreported:
            yield Frame(window.position, 0, window.position, b"", b"", window.unreported)
            window.unreported = None
        if not more:
            return
        window.member_starts = {place: offset for place, offset in window.member_starts.items() if place >= window.position}
        start = window.position
        window.ensure(_VERSION_BYTES)
        if not _VERSION.match(window.buffer):
            content = _take_until_version(window, limits)
            yield Frame(start, window.position - start, start, b"", content, window.suspect or "bytes that are no record")
            continue
        header_end = window.search(_HEADER_END, limits.header_bytes)
        if header_end is None:
            problem = window.stop if len(window.buffer) < limits.header_bytes else f"the header is longer than {limits.header_bytes} bytes"
            content = _take_until_version(window, limits)
            yield Frame(start, window.position - start, start, content, b"", problem)
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
            offset = start if window.plain else window.member_starts.get(start)
            yield replace(_take_content(window, start, header, content_length, limits), file_offset=offset)


def _take_content(window: _Window, start: int, header: bytes, content_length: int, limits: CrawlLimits) -> Frame:
    if not window.ensure(content_length):
        # A too large Content-Length must not swallow the records behind it.
        content = _take_until_version(window, limits)
        problem = window.stop if not window.buffer else SHORT_RECORD
    elif _ends_at(window, content_length):
        content, problem = window.take(content_length), window.suspect
    elif swallowed := _EARLY_VERSION.search(window.buffer, 0, content_length):
        content, problem = window.take(swallowed.start()), SHORT_RECORD
    else:
        content, problem = _take_until_version(window, limits).rstrip(b"\r\n"), window.suspect or LONG_RECORD
    if start in window.member_starts and window.at_member_end():
        assert window.member_end is not None
        offset = window.member_starts[start]
        return Frame(offset, window.member_end - offset, start, header, content, problem, own_member=True)
    return Frame(start, window.position - start, start, header, content, problem)


def _ends_at(window: _Window, size: int) -> bool:
    """Whether an empty line, a version line or an interruption follows ``size`` bytes."""
    if window.member_end is None or window.buffer[size:].strip():
        window.ensure(size + _VERSION_BYTES)
    following = bytes(window.buffer[size : size + _VERSION_BYTES])
    return not following.strip() or following.startswith((b"\r\n", b"\n")) or _VERSION.match(following) is not None


def _take_until_version(window: _Window, limits: CrawlLimits) -> bytes:
    """Bytes up to the next version line or interruption; beyond the limit they are only passed over."""
    kept = bytearray()
    while True:
        match = _NEXT_VERSION.search(window.buffer)
        size = match.start() if match else len(window.buffer) - (_VERSION_BYTES if window.stop is None else 0)
        kept += window.take(size)[: max(0, limits.decompressed_bytes - len(kept))] if size > 0 else b""
        if match or (not window.more() and not window.buffer):
            return bytes(kept)


def _pass_over(window: _Window, size: int) -> None:
    """Drop the block of an oversized record; a version line behind an empty line ends it early."""
    while size > 0:
        match = _EARLY_VERSION.search(window.buffer, 0, size)
        keep = _VERSION_BYTES if window.stop is None else 0
        step = match.start() if match else max(0, min(size, len(window.buffer) - keep))
        window.drop(step)
        size -= step
        if match or (step == 0 and not window.more()):
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


def to_record(frame: Frame, limits: CrawlLimits) -> Record:
    """Decode and check one frame."""
    headers = record_headers(frame)
    record_type = headers.get("warc-type", "" if frame.header else "junk").lower()
    digest_problem = _digest_problem(headers, frame.content)
    problem = frame.problem or digest_problem
    # A record that is longer than it says is all there; its end is where the next one begins.
    state = GOOD if problem is None else REPAIRED if problem == LONG_RECORD and digest_problem is None else DAMAGED
    http: HttpResponse | None = None
    if record_type == "response" and headers.get("content-type", "application/http").lower().startswith("application/http"):
        http = parse_response(frame.content, limits.body_bytes)
        if http.problem and not problem:
            state, problem = (REPAIRED if http.body else DAMAGED), http.problem
    body_truncated = http.truncated if http else len(frame.content) > limits.body_bytes
    if body_truncated and not problem:
        state, problem = REPAIRED, f"the decoded body is longer than the limit of {limits.body_bytes} bytes"
    return Record(
        record_id=headers["warc-record-id"].strip("<>") if headers.get("warc-record-id") else None,
        target_uri=headers["warc-target-uri"].strip("<>") if headers.get("warc-target-uri") else None,
        record_type=record_type,
        date=headers.get("warc-date"),
        offset=frame.offset,
        length=frame.length,
        http_status=http.status if http else None,
        http_headers=http.headers if http else [],
        body=http.body if http else frame.content[: limits.body_bytes],
        state=state,
        problem=problem,
        headers=headers,
        raw=frame.header + frame.content,
        body_truncated=body_truncated,
        own_member=frame.own_member,
    )


def _digest_problem(headers: dict[str, str], content: bytes) -> str | None:
    """Why WARC-Block-Digest contradicts the block, or None (also for algorithms unknown to us)."""
    algorithm, colon, expected = headers.get("warc-block-digest", "").partition(":")
    algorithm = algorithm.strip().lower().replace("-", "")
    if not colon or algorithm not in ("sha1", "sha256", "sha512", "md5"):
        return None
    digest = hashlib.new(algorithm, content, usedforsecurity=False).digest()
    spellings = {base64.b32encode(digest).decode().rstrip("="), digest.hex(), base64.b64encode(digest).decode().rstrip("=")}
    expected = expected.strip().rstrip("=")
    if expected in spellings or expected.upper() in spellings or expected.lower() in spellings:
        return None
    return "the block does not match its WARC-Block-Digest"
