"""After a process was killed: what its WARC file holds in whole is kept and accounted for, what was torn is cut off."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from curation.fetching.frontier import Frontier, Stored
from curation.fetching.outcomes import FetchReason
from curation.fetching.site_files import REDIRECTS
from curation.fetching.warc_files import OPEN, SUFFIX, Place, finish
from curation.sources.http import parse_headers, parse_response

READ_BYTES = 1 << 16
GZIP_WBITS = 31


@dataclass(frozen=True)
class _Member:
    offset: int
    end: int
    content: bytes


def recover(folder: Path, frontier: Frontier) -> int:
    """Close the files that were left open; returns how many links were found stored though the frontier did not know."""
    found = 0
    for path in sorted(folder.glob(f"*{SUFFIX}{OPEN}")):
        name = path.name.removesuffix(OPEN)
        synced = frontier.synced_bytes(name)
        end = synced if synced <= path.stat().st_size else 0
        known = frontier.offsets(name, end)
        with open(path, "rb") as stream:
            answer: _Member | None = None
            for member in _whole_members(stream, end):
                kind = _fields(member).get("warc-type")
                if kind in ("response", "revisit"):
                    answer = member
                    continue
                if kind == "request" and answer is not None and answer.offset not in known:
                    found += _account(frontier, answer, name)
                answer, end = None, member.end
        frontier.reopen(name, end)
        if end == 0:
            path.unlink()
            continue
        os.truncate(path, end)
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())
        finish(path)
    return found


def _whole_members(stream: IO[bytes], offset: int) -> Iterator[_Member]:
    """The gzip members from an offset on, up to the first that is not whole."""
    stream.seek(offset)
    data = b""
    while True:
        inflater, content, size = zlib.decompressobj(wbits=GZIP_WBITS), bytearray(), 0
        while not inflater.eof:
            if not data and not (data := stream.read(READ_BYTES)):
                return
            try:
                content += inflater.decompress(data)
            except zlib.error:
                return
            size += len(data) - len(inflater.unused_data)
            data = inflater.unused_data
        yield _Member(offset, offset + size, bytes(content))
        offset += size


def _fields(member: _Member) -> dict[str, str]:
    header = member.content.partition(b"\r\n\r\n")[0]
    return {name.lower(): value for name, value in parse_headers(header.partition(b"\r\n")[2])}


def _account(frontier: Frontier, member: _Member, file: str) -> bool:
    """Tell the frontier of an answer that it does not know; whether a link waited for it."""
    place, fields = Place(file, member.offset), _fields(member)
    block = member.content.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n\r\n")
    status = parse_response(block, len(block)).status or 0
    # A redirect of which the frontier does not know is asked for again; those that it knows of are in no link.
    number = None if status in REDIRECTS else frontier.waiting_for(fields["warc-target-uri"])
    if number is None:
        return False
    cut = fields.get("warc-truncated")
    reason = FetchReason.SAME_PAYLOAD if fields["warc-type"] == "revisit" else FetchReason(f"cut_{cut}" if cut else "whole")
    frontier.store(number, Stored(reason, status, len(block), place, fields["warc-date"]), None)
    return True
