"""Reddit's submission dumps → their rows, streamed: Pushshift's monthly files (``RS_2015-01.zst``, ``.xz``, ``.bz2``, ``.gz`` or plain).

One JSON object a line, of which only the fields of ``Submission`` are decoded. Lines are cut from bytes, so that no character
can straddle the edge of a block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from curation import storage
from curation.sources.compressed import open_decompressed

READ_BYTES = 1 << 16  # our choice: with 1 MiB, decoding and judging take 15 % more processor time
MAX_ROW_BYTES = 16 << 20  # our choice; a submission's text ends at 40,000 characters


class Submission(msgspec.Struct, gc=False):
    """The fields of a row that decide about its link, of whatever type they are; None where absent."""

    id: Any = None
    url: Any = None
    score: Any = None
    is_self: Any = None
    over_18: Any = None
    subreddit: Any = None
    created_utc: Any = None
    title: Any = None
    removed_by_category: Any = None


_DECODER = msgspec.json.Decoder(Submission)
_ODD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_submissions(path: str) -> Iterator[list[Submission | None]]:
    """The rows of a dump, some thousand at a time; None stands for a row that is no JSON object. Blank lines are no rows.

    Raises:
        InputError: the file is missing, cut short, or cannot be decompressed.
    """
    with storage.open_binary(path) as stream, open_decompressed(stream, path) as content:
        for lines in _lines(content):
            try:
                rows: list[Submission | None] = list(map(_DECODER.decode, lines))
            except _ODD:
                rows = [row for row in map(_decode, lines) if row is not _BLANK]
            yield rows


def _lines(content: IO[bytes]) -> Iterator[list[bytes]]:
    """The lines of a stream, as many at a time as a read gives; of one over ``MAX_ROW_BYTES`` only that there was one."""
    pieces: list[bytes] = []  # of the line in whose middle the last block ended
    size = 0
    while block := content.read(READ_BYTES):
        lines = block.split(b"\n")
        if len(lines) > 1:
            lines[0] = _joined([*pieces, lines[0]], size + len(lines[0]))
            pieces, size = [], 0
        rest = lines.pop()
        size += len(rest)
        pieces = [*pieces, rest] if size <= MAX_ROW_BYTES else []
        yield lines
    yield [_joined(pieces, size)] if size else []


def _joined(pieces: list[bytes], size: int) -> bytes:
    return b"".join(pieces) if size <= MAX_ROW_BYTES else _TOO_LONG


_TOO_LONG = b"["  # no JSON, so it counts as unreadable
_BLANK = Submission()


def _decode(line: bytes) -> Submission | None:
    try:
        return _DECODER.decode(line)
    except _ODD:
        return _decode_odd(line) if line.strip() else _BLANK


def _decode_odd(line: bytes) -> Submission | None:
    """What Python's own reader makes of a row: it takes lone surrogates and NaN. A broken character in a title must not cost the link,
    nor a byte order mark the first one.
    """
    try:
        row = json.loads(line.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError):
        return None
    return Submission(**{name: row.get(name) for name in Submission.__struct_fields__}) if isinstance(row, dict) else None
