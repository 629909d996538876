"""An HTTP response as archived: status, headers, and the body with its codings undone."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_STATUS_LINE = re.compile(rb"\s*HTTP(?:/\d+(?:\.\d+)?)?\s+(\d{3})\b", re.IGNORECASE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"\s*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"\s*([a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64})", re.IGNORECASE)


@dataclass(frozen=True)
class HttpResponse:
    """``body`` has transfer and content codings undone; ``problem`` says what was wrong with them.

    ``truncated``: the body is longer than the limit and only its beginning is here.
    """

    status: int | None
    headers: list[tuple[str, str]]
    body: bytes
    problem: str | None = None
    truncated: bool = False

    def header(self, name: str) -> str | None:
        """Value of the first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def media_type(content_type: str | None) -> str | None:
    """``text/html`` from ``Text/HTML; charset=x``; None if there is none."""
    match = _MEDIA_TYPE.match(content_type or "")
    return match.group(1).lower() if match else None


def declared_charset(content_type: str | None) -> str | None:
    """The charset parameter of a Content-Type value."""
    match = _CHARSET.search(content_type or "")
    return match.group(1) if match else None


def parse_headers(raw: bytes) -> list[tuple[str, str]]:
    """Name and value pairs in order; folded lines are joined, lines without a colon passed over."""
    text = raw.decode("utf-8", "replace")
    headers: list[tuple[str, str]] = []
    for line in re.split(r"\r?\n", text):
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers.append((name.strip(), value.strip()))
    return headers


def parse_response(block: bytes, body_limit: int) -> HttpResponse:
    """Read an archived response leniently: what cannot be undone is left as it is, with a ``problem``."""
    match = _STATUS_LINE.match(block)
    if not match:
        return HttpResponse(None, [], block[:body_limit], "no HTTP status line", len(block) > body_limit)
    end = _HEADER_END.search(block)
    if end is None:
        return HttpResponse(int(match.group(1)), parse_headers(block), b"", "the HTTP header does not end")
    headers = parse_headers(block[: end.start()].partition(b"\n")[2])
    response = HttpResponse(int(match.group(1)), headers, block[end.end() :])
    body, problem = response.body, None
    if "chunked" in (response.header("transfer-encoding") or "").lower():
        body, problem = _join_chunks(body)
    codings = [coding.strip().lower() for coding in (response.header("content-encoding") or "").split(",")]
    for coding in reversed(codings):  # applied in order, so undone in reverse (RFC 9110, 8.4)
        body, coding_problem = _undo_coding(coding, body, body_limit)
        problem = problem or coding_problem
    return HttpResponse(response.status, headers, body[:body_limit], problem, len(body) > body_limit)


def _join_chunks(body: bytes) -> tuple[bytes, str | None]:
    """Undo chunked coding. A body without a chunk size at its start was stored decoded already."""
    if not _CHUNK_SIZE.match(body):
        return body, None
    parts: list[bytes] = []
    position = 0
    while True:
        match = _CHUNK_SIZE.match(body, position)
        if not match:
            return b"".join(parts), "the chunked body ends without its last chunk" if position >= len(body) else "broken chunk size"
        size = int(match.group(1), 16)
        if size == 0:
            return b"".join(parts), None
        chunk = body[match.end() : match.end() + size]
        parts.append(chunk)
        if len(chunk) < size:
            return b"".join(parts), "the chunked body ends in the middle of a chunk"
        position = match.end() + size
        position += 2 if body[position : position + 2] == b"\r\n" else body[position : position + 1] == b"\n"


def _undo_coding(coding: str, body: bytes, limit: int) -> tuple[bytes, str | None]:
    """Decode one content coding, up to one byte over the limit."""
    if not body or coding in ("", "identity", "none"):
        return body, None
    if coding in ("gzip", "x-gzip"):
        # Many archives store the decoded body under the original header.
        return _inflate(body, 31, limit) if body[:2] == b"\x1f\x8b" else (body, None)
    if coding == "deflate":
        decoded, problem = _inflate(body, 15, limit)
        if problem and not decoded:
            decoded, problem = _inflate(body, -15, limit)
        return (decoded, problem) if decoded else (body, None)
    if coding == "br":
        return _decode_brotli(body, limit)
    if coding == "zstd":
        return _decode_zstandard(body, limit)
    return body, f"unknown content coding {coding[:20]!r}"


def _inflate(body: bytes, window_bits: int, limit: int) -> tuple[bytes, str | None]:
    inflater = zlib.decompressobj(wbits=window_bits)
    return _decode(lambda: inflater.decompress(body, limit + 1), lambda: inflater.eof, limit)


def _decode_brotli(body: bytes, limit: int) -> tuple[bytes, str | None]:
    import brotli

    decoder = brotli.Decompressor()
    decoded, problem = _decode(lambda: decoder.process(body, output_buffer_limit=limit + 1), decoder.is_finished, limit)
    # Stored decoded under the original header: brotli has no magic, so a failure on text tells.
    return (body, None) if problem and not decoded else (decoded, problem)


def _decode_zstandard(body: bytes, limit: int) -> tuple[bytes, str | None]:
    import zstandard

    if body[:4] != b"\x28\xb5\x2f\xfd":
        return body, None
    reader = zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(body)  # RFC 8878, 3.1.1.1.2: 8 MiB
    return _decode(lambda: reader.read(limit + 1), lambda: True, limit)


def _decode(step: Callable[[], bytes], finished: Callable[[], Any], limit: int) -> tuple[bytes, str | None]:
    try:
        decoded = step()
    except Exception as error:  # each decoder has an error class of its own, none of them public API
        return b"", f"the content coding is broken ({str(error)[:80]})"
    if len(decoded) <= limit and not finished():
        return decoded, "the coded body is cut short"
    return decoded, None
