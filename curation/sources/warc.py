"""Records of a WARC or WET file, each with its place, its state and its decoded body.

A record that is cut short or whose digest does not match is never plainly good.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from curation.recipe import CrawlLimits
from curation.sources.frames import LONG_RECORD, Frame, read_frames, record_headers
from curation.sources.http import HttpResponse, parse_response

GOOD, REPAIRED, DAMAGED = "good", "repaired", "damaged"


@dataclass(frozen=True)
class Record:
    """One record. ``body``: payload of an HTTP response with its codings undone, else the block.

    ``record_id`` and ``target_uri`` come without angle brackets. ``state``: good, repaired (usable, but something of it
    was wrong), or damaged; then ``problem`` says why. ``raw``: header and block as found. ``headers``: the WARC header,
    names in lower case.
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


def to_record(frame: Frame, limits: CrawlLimits) -> Record:
    """Decode and check one frame."""
    headers = record_headers(frame)
    record_type = headers.get("warc-type", "" if frame.header else "junk").lower()
    digest_matches = _digest_matches(headers, frame.content)
    problem = frame.problem or ("the block does not match its WARC-Block-Digest" if digest_matches is False else None)
    # A block that matches its digest is all there, whatever else is wrong. One that is longer than its
    # header says ends where the next record begins.
    usable = digest_matches or (digest_matches is None and problem == LONG_RECORD)
    state = GOOD if problem is None else REPAIRED if usable else DAMAGED
    http: HttpResponse | None = None
    if record_type == "response" and headers.get("content-type", "application/http").lower().startswith("application/http"):
        http = parse_response(frame.content, limits.body_bytes)
        if http.problem and state != DAMAGED:
            state, problem = (REPAIRED if http.body else DAMAGED), problem or http.problem
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


def _digest_matches(headers: dict[str, str], content: bytes) -> bool | None:
    """Whether the block is what WARC-Block-Digest says; None without one, or for algorithms unknown to us."""
    algorithm, colon, expected = headers.get("warc-block-digest", "").partition(":")
    algorithm = algorithm.strip().lower().replace("-", "")
    if not colon or algorithm not in ("sha1", "sha256", "sha512", "md5"):
        return None
    digest = hashlib.new(algorithm, content, usedforsecurity=False).digest()
    spellings = {base64.b32encode(digest).decode().rstrip("="), digest.hex(), base64.b64encode(digest).decode().rstrip("=")}
    expected = expected.strip().rstrip("=")
    return not spellings.isdisjoint({expected, expected.upper(), expected.lower()})
