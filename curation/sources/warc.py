"""Records of a WARC, WET or ARC file, each with its place, its state and its decoded body.

A record that is cut short, or that does not match its digest, is never plainly good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from curation.recipe import CrawlLimits
from curation.sources.digests import block_digest_matches, payload_digest_matches
from curation.sources.endings import REPAIRABLE, ends_page
from curation.sources.frames import TWO_LENGTHS, Frame, read_frames
from curation.sources.http import HttpResponse, parse_response

GOOD, REPAIRED, DAMAGED = "good", "repaired", "damaged"
NO_TYPE = "the header has no WARC-Type"
DIGESTED_TYPES = ("response", "resource")  # a revisit's payload digest is that of another record


@dataclass(frozen=True)
class Record:
    """One record. ``body``: payload of an HTTP response with its codings undone, else the block.

    ``record_id`` and ``target_uri`` come without angle brackets. ``state``: good, repaired (usable, but something of it
    was wrong), or damaged; then ``problem`` says why. ``header`` and ``block``: as found. ``headers``: the WARC header,
    names in lower case; that of an ARC record under the names of WARC.
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
    header: bytes = b""
    block: bytes = b""
    body_truncated: bool = False
    own_member: bool = False

    @property
    def raw(self) -> bytes:
        """Header and block as found."""
        return self.header + self.block


def read_records(
    path: str, start: int = 0, end: int | None = None, position: int = 0, limits: CrawlLimits | None = None
) -> Iterator[Record]:
    """Every record of a file that begins in the byte range [start, end), in order, before any filter.

    ``start`` is 0 or the file offset of a compressed member (or, in a plain file, of a record) and
    ``position`` its offset in the decompressed file.

    Raises:
        InputError: the file is missing, empty, or holds no record.
    """
    limits = limits or CrawlLimits()
    for frame in read_frames(path, start, end, position, limits):
        yield to_record(frame, limits)


def to_record(frame: Frame, limits: CrawlLimits) -> Record:
    """Decode and check one frame."""
    headers = frame.headers()
    record_type = headers.get("warc-type", "" if frame.grammar else "junk").lower()
    http = _http_response(headers, record_type, frame.content, limits)
    body = http.body if http else frame.content[: limits.body_bytes]
    body_truncated = http.truncated if http else len(frame.content) > limits.body_bytes
    state, problem = _judge(frame, headers, record_type, http)
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
        body=body,
        state=state,
        problem=problem,
        headers=headers,
        header=frame.header,
        block=frame.content,
        body_truncated=body_truncated,
        own_member=frame.own_member,
    )


def _http_response(headers: dict[str, str], record_type: str, block: bytes, limits: CrawlLimits) -> HttpResponse | None:
    is_http = headers.get("content-type", "application/http").lower().startswith("application/http") or block.startswith(b"HTTP/")
    return parse_response(block, limits.body_bytes) if record_type == "response" and is_http else None


def _judge(frame: Frame, headers: dict[str, str], record_type: str, http: HttpResponse | None) -> tuple[str, str | None]:
    """State and problem of a record."""
    block_matches = block_digest_matches(headers, frame.content)
    problem = frame.problem or ("the block does not match its WARC-Block-Digest" if block_matches is False else None)
    problem = problem or (None if record_type else NO_TYPE)
    # A block that matches its digest is all there, whatever else is wrong.
    usable = block_matches or (block_matches is None and problem in (*REPAIRABLE, TWO_LENGTHS, NO_TYPE))
    if problem and not usable:
        return DAMAGED, problem
    incomplete = None if record_type == "revisit" else _why_incomplete(headers)  # a revisit leaves its payload out on purpose
    if not incomplete and record_type in DIGESTED_TYPES and not (http and http.truncated):
        payloads = (*(http.payloads if http else ()), frame.content)  # some writers repeat the block's digest
        if payload_digest_matches(headers, payloads) is False:
            if not block_matches:
                return DAMAGED, problem or "the payload does not match its WARC-Payload-Digest"
            problem = problem or "the payload does not match its WARC-Payload-Digest, though the block matches its own"
    if http and http.problem and not http.body:
        return DAMAGED, problem or http.problem
    problem = problem or incomplete or (http.problem or _why_short(http) if http else None)
    return (REPAIRED if problem else GOOD), problem


def _why_incomplete(headers: dict[str, str]) -> str | None:
    """How a sound record says itself that it is not all of what was fetched."""
    if headers.get("warc-truncated"):
        return f"the crawler cut the record short (WARC-Truncated: {headers['warc-truncated']})"
    if headers.get("warc-segment-number"):
        return f"the record is one of several segments (WARC-Segment-Number: {headers['warc-segment-number']})"
    return None


def _why_short(http: HttpResponse) -> str | None:
    """How a response without codings falls short of what its own header says, as where a crawler stopped at a limit.

    A page with its end tag is whole, and an empty body was left out on purpose, whatever the server says.
    """
    body = http.payloads[0] if http.payloads else b""
    length = http.header("content-length") or ""
    if http.header("content-encoding") or http.header("transfer-encoding") or not length.isdecimal() or not body:
        return None
    return (
        f"the body has {len(body)} of the {length} bytes of its Content-Length" if len(body) < int(length) and not ends_page(body) else None
    )
