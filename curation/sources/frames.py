"""Extents of the records of a WARC, WET or ARC file, plain or compressed: where each begins and ends, and its bytes.

The extent of a record is found from its header, and every record is then taken by itself, so that
damage costs the damaged record only. After junk, reading goes on where the next record begins.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from curation import storage
from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.blocks import TRUNCATED_MEMBER, is_compressed, member_blocks, plain_blocks
from curation.sources.cursor import SeekableBytes
from curation.sources.endings import JUNK_FOLLOWS, LONG_RECORD, Follows, judge_end
from curation.sources.grammars import ARC, EITHER, Grammar, cut_header, declared_lengths, record_headers, separator
from curation.sources.window import SHORT_RECORD, TRUNCATED_RECORD, Window

TWO_LENGTHS = "the header has more than one Content-Length"
NO_LENGTH = "the header has no usable Content-Length"
CUT_HEADER = "another record begins before the header ends"
TRUNCATIONS = (TRUNCATED_MEMBER, TRUNCATED_RECORD)

_BEHIND_BYTES = 64  # white space behind a block, and where more than any writer puts there


@dataclass(frozen=True)
class Frame:
    """The extent of a record, or of junk between records (empty ``header``, no ``grammar``).

    ``offset`` and ``length`` count compressed bytes where the record has members to itself
    (``own_member``), else decompressed bytes of the file. ``position`` is always the decompressed offset;
    ``file_offset`` is where reading can begin with this record, or None inside a member.
    """

    offset: int
    length: int
    position: int
    header: bytes
    content: bytes
    problem: str | None = None
    own_member: bool = False
    file_offset: int | None = None
    grammar: Grammar | None = None

    def headers(self) -> dict[str, str]:
        """The fields of the header, names in lower case and as in WARC; of a repeated field the first value."""
        return record_headers(self.grammar, self.header)


def read_frames(path: str, start: int, end: int | None, position: int, limits: CrawlLimits) -> Iterator[Frame]:
    """Every record of a file that begins in the byte range [start, end), in order, before any filter.

    ``start`` is 0 or the ``file_offset`` of a frame, and ``position`` that frame's offset in the decompressed file.

    Raises:
        InputError: the file is missing, empty, or holds no record.
    """
    with open_archive(path) as stream:
        yield from frames_of(stream, path, start, end, position, limits)


@contextlib.contextmanager
def open_archive(path: str) -> Iterator[IO[bytes]]:
    """Open a file for ``frames_of``; what fails while it is read names it.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        with storage.open_binary(path) as stream:
            yield stream
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; fetch it again or leave it out") from error


def frames_of(stream: SeekableBytes, path: str, start: int, end: int | None, position: int, limits: CrawlLimits) -> Iterator[Frame]:
    """As ``read_frames``, of an open file; ``path`` names it in errors.

    Raises:
        InputError: the file is empty, or holds no record.
    """
    if is_compressed(stream):
        window = Window(member_blocks(stream, start, limits), position)
    else:
        window = Window(plain_blocks(stream, start), start, plain=True)
    found = False
    for frame in _cut_frames(window, end, limits):
        found = found or frame.grammar is not None
        yield frame
    if found or start > 0 or end is not None:
        return
    if not window.first_bytes:
        raise InputError(f"{path} is empty or holds no readable compressed member; fetch it again or leave it out")
    beginning = repr(window.first_bytes.decode("ascii", "backslashreplace"))
    raise InputError(f"{path} is no WARC file: it begins with {beginning}; give WARC, WET or ARC files, plain, .gz, .zst, .lz4 or .bz2")


def _cut_frames(window: Window, end: int | None, limits: CrawlLimits) -> Iterator[Frame]:
    expected = EITHER  # once a record was seen, junk ends at its like only
    while window.seek_record() and (end is None or window.origin < end):
        if window.lost:
            yield Frame(window.position, 0, window.position, b"", b"", window.lost)
            window.lost = None
            continue
        grammar = window.grammar_at(0)
        if grammar is None:
            start, content = window.position, _take_until_record(window, expected, limits)
            yield Frame(start, window.position - start, start, b"", content, _junk_problem(window, content, expected))
        else:
            expected = grammar
            yield _cut_record(window, grammar, limits)


def _junk_problem(window: Window, content: bytes, expected: Grammar) -> str:
    if window.suspect or window.stop == TRUNCATED_MEMBER:
        return window.suspect or TRUNCATED_MEMBER
    opening = b"WARC/"[: len(content)]
    is_opening = b"\n" not in content and (expected is ARC or content[: len(opening)].upper() == opening)
    return TRUNCATED_RECORD if is_opening and window.stop == TRUNCATED_RECORD else "bytes that are no record"


def _cut_record(window: Window, grammar: Grammar, limits: CrawlLimits) -> Frame:
    start, restart = window.position, window.restart
    header_end = window.search(grammar.header_end, limits.header_bytes)
    if header_end is None:
        problem = window.stop if len(window.buffer) < limits.header_bytes else f"the header is longer than {limits.header_bytes} bytes"
        header, content = window.take(limits.header_bytes), _take_until_record(window, grammar, limits)
        return Frame(start, window.position - start, start, header, content, problem, grammar=grammar)
    header = window.peek(header_end.end())
    cut = cut_header(grammar, header)
    if cut is not None:
        if grammar is ARC:  # whose header is one line, of which something is missing
            return Frame(start, cut, start, b"", window.take(cut), CUT_HEADER)
        return Frame(start, cut, start, window.take(cut), b"", CUT_HEADER, False, restart, grammar)
    window.drop(len(header))
    lengths = declared_lengths(grammar, header)
    if len(lengths) != 1:
        content = _take_until_record(window, grammar, limits)
        problem = NO_LENGTH if len(content) not in lengths else TWO_LENGTHS
        return Frame(start, window.position - start, start, header, content, problem, grammar=grammar)
    (length,) = lengths
    if length > limits.decompressed_bytes:
        _pass_over(window, grammar, length)
        problem = f"the block has {length} bytes, more than the limit of {limits.decompressed_bytes}"
        return Frame(start, window.position - start, start, header, b"", problem, grammar=grammar)
    content, problem = _take_content(window, grammar, header, length, limits)
    if restart is not None and window.at_member_end():
        assert window.member_end is not None
        return Frame(restart, window.member_end - restart, start, header, content, problem, True, restart, grammar)
    return Frame(start, window.position - start, start, header, content, problem, False, restart, grammar)


def _take_content(window: Window, grammar: Grammar, header: bytes, length: int, limits: CrawlLimits) -> tuple[bytes, str | None]:
    """The block of a record, and what is wrong with it."""
    if not window.ensure(length):
        # A too large Content-Length must not swallow the records behind it.
        content = _take_until_record(window, grammar, limits)
        return content, SHORT_RECORD if window.buffer else window.stop
    follows, blanks = _look_behind(window, length)
    if follows is Follows.OTHER and not blanks.startswith(separator(grammar, header)):
        content = _take_until_record(window, grammar, limits)
        return content, window.suspect or (SHORT_RECORD if len(content) < length else LONG_RECORD)
    block = window.peek(length)
    content, problem = judge_end(grammar, header, block, blanks, follows)
    if problem == JUNK_FOLLOWS and grammar.next_record.search(block):  # by chance a line ends where the length says
        content = _take_until_record(window, grammar, limits)
        return content, window.suspect or SHORT_RECORD
    window.drop(length)
    if window.stop == TRUNCATED_MEMBER and follows is Follows.END:
        problem = TRUNCATED_MEMBER  # nothing says that the bytes before the cut were decoded to the end
    if problem == LONG_RECORD:
        window.drop(len(content) - length)
    return content, window.suspect or problem


def _look_behind(window: Window, length: int) -> tuple[Follows, bytes]:
    """What stands behind the next ``length`` bytes, and the white space before it."""
    if not window.at_member_end(length):
        window.ensure(length + _BEHIND_BYTES)
    blanks_end = window.blanks_end(length)
    blanks = bytes(window.buffer[length : min(blanks_end, length + _BEHIND_BYTES)])
    if blanks_end >= len(window.buffer):
        return Follows.END, blanks
    return Follows.RECORD if window.grammar_at(blanks_end) else Follows.OTHER, blanks


def _take_until_record(window: Window, grammar: Grammar, limits: CrawlLimits) -> bytes:
    """Bytes up to the next record or interruption, without the line ends before it; beyond the limit they are only passed over."""
    kept = bytearray()
    while not grammar.opening.match(window.buffer):
        match = grammar.next_record.search(window.buffer)
        size = match.start() if match else len(window.buffer) - (grammar.search_bytes if window.stop is None else 0)
        kept += window.take(size)[: max(0, limits.decompressed_bytes - len(kept))] if size > 0 else b""
        if match or (not window.more() and not window.buffer):
            break
    content = bytes(kept)
    return next((content[: -len(end)] for end in grammar.separators if content.endswith(end)), content)


def _pass_over(window: Window, grammar: Grammar, size: int) -> None:
    """Drop the block of an oversized record; a record behind the line ends that part records ends it early."""
    while size > 0:
        match = grammar.early_record.search(window.buffer, 0, size)
        keep = grammar.search_bytes if window.stop is None else 0
        step = match.start() if match else max(0, min(size, len(window.buffer) - keep))
        window.drop(step)
        size -= step
        if match or (step == 0 and not window.more() and not window.buffer):
            return
