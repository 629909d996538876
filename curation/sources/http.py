"""An HTTP response as archived: status, headers, and the body with its codings undone."""

from __future__ import annotations

import codecs
import re
import zlib
from dataclasses import dataclass, field

MAX_HEADER_BYTES = 256 * 1024  # Chromium reads no more of a response header
ZSTD_MAX_WINDOW_BYTES = 8 << 20  # RFC 8878, section 3.1.1.1.2
ZSTD_SLICE_BYTES = 256  # decompresses to at most 64 blocks of 128 KiB (RFC 8878, section 3.1.1.2)
INFLATE_STEP_BYTES = 8192  # zlib copies what it leaves of a step, so thousands of tiny members need small ones
TEXT_PROBE_BYTES = 1024  # our choice: coded data shows what it is far earlier
SURE_TEXT_BYTES = 256  # of coded data, one in ten million million such stretches has no control character
GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd")
OTHER_CODINGS = ("compress", "x-compress", "exi", "pack200-gzip", "dcb", "dcz")  # the rest of IANA's list; any other name is a mistake
CUT_SHORT = "the coded body is cut short"

# Servers swap code and reason, leave the version out, or speak ICY; HTTP/2 has no reason.
_STATUS_LINE = re.compile(rb"\s*(?:HTTP(?:/\d+(?:\.\d+)?)?|ICY)[ \t]+([^\r\n]*)", re.IGNORECASE)
_STATUS_CODE = re.compile(rb"(?<!\S)[1-9]\d\d(?!\S)")
_HEADER_END = re.compile(rb"\r{0,2}\n\r{0,2}\n")  # some servers end lines in CR CR LF
_CHUNK_SIZE = re.compile(rb"\s*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_TRAILERS = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*(?:\r?\n|\Z))*\s*")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\f\r\x1b")  # the escape character is part of ISO-2022 text
_MEDIA_TYPE = re.compile(r"\s*([a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64})", re.IGNORECASE)


@dataclass(frozen=True)
class HttpResponse:
    """``body`` has transfer and content codings undone; ``problem`` says what was wrong with them.

    ``truncated``: the body is longer than the limit and only its beginning is here. ``payloads``: what a digest can be of: the
    body as stored, without chunks, and decoded.
    """

    status: int | None
    headers: list[tuple[str, str]]
    body: bytes
    problem: str | None = None
    truncated: bool = False
    payloads: tuple[bytes, ...] = field(default=(), compare=False)

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
            headers[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers.append((name.strip(), value.strip()))
    return headers


def parse_response(block: bytes, body_limit: int) -> HttpResponse:
    """Read an archived response leniently: what cannot be undone is left as it is, with a ``problem``."""
    start, match = 0, _STATUS_LINE.match(block)
    if not match:
        return HttpResponse(None, [], block[:body_limit], "no HTTP status line", len(block) > body_limit)
    while match:  # interim responses, such as "100 Continue", stand before the final one (RFC 9110, section 15.2)
        code = _STATUS_CODE.search(match.group(1))
        status = int(code.group()) if code else None
        end = _HEADER_END.search(block, match.end(), start + MAX_HEADER_BYTES)
        if end is None:
            headers = parse_headers(block[start : start + MAX_HEADER_BYTES].partition(b"\n")[2])
            return HttpResponse(status, headers, b"", "the HTTP header does not end")
        headers = parse_headers(block[match.end() : end.start()].partition(b"\n")[2])
        start, match = end.end(), _STATUS_LINE.match(block, end.end()) if status is not None and status < 200 else None
    payloads, problem = [block[start:]], None
    for coding in reversed([*_codings(headers, "content-encoding"), *_codings(headers, "transfer-encoding")]):
        body, coding_problem = _undo_coding(coding, payloads[-1], body_limit)
        problem = problem or coding_problem
        if body is not payloads[-1]:
            payloads.append(body)
    body = payloads[-1]
    return HttpResponse(status, headers, body[:body_limit], problem, len(body) > body_limit, tuple(payloads))


def _codings(headers: list[tuple[str, str]], name: str) -> list[str]:
    """The codings that headers of that name list, in the order in which they were applied (RFC 9110, 8.4)."""
    listed = ",".join(value for key, value in headers if key.lower() == name)
    return [coding.partition(";")[0].strip(" \t\"'").lower() for coding in listed.split(",")]


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
        if size == 0 and _TRAILERS.fullmatch(body, match.end()):
            return b"".join(parts), None
        if size == 0:
            return (b"".join(parts) if parts else body), "bytes follow the last chunk"
        chunk = body[match.end() : match.end() + size]
        parts.append(chunk)
        if len(chunk) < size:
            return b"".join(parts), "the chunked body ends in the middle of a chunk"
        position = match.end() + size
        position += 2 if body[position : position + 2] == b"\r\n" else body[position : position + 1] == b"\n"


def _undo_coding(coding: str, body: bytes, limit: int) -> tuple[bytes, str | None]:
    """Decode one coding, up to one byte over the limit.

    Many archives store the decoded body under the original header, so text that cannot be decoded is
    taken for what it is. Magic bytes tell for gzip and zstd, whatever the header says; deflate and brotli have none.
    """
    if coding == "chunked":
        return _join_chunks(body) if body else (body, None)
    if not body or coding not in (*CODINGS, *OTHER_CODINGS):
        return body, None
    if body.startswith(GZIP_MAGIC) and coding in CODINGS:
        return _inflate(body, 31, limit)
    if body.startswith(ZSTD_MAGIC) and coding in CODINGS:
        return _decode_zstandard(body, limit)
    if coding == "deflate":
        decoded, problem = _inflate(body, 15, limit)
        if problem and not decoded:
            decoded, problem = _inflate(body, -15, limit)  # many servers leave the zlib wrapper out
    elif coding == "br":
        decoded, problem = _decode_brotli(body, limit)
    else:
        decoded, problem = b"", "the body is not coded as its header says"
    return (body, None) if problem and _is_text(body) else (decoded, problem)


def _is_text(body: bytes) -> bool:
    """Whether the beginning reads as text: without control characters but white space, and UTF-8, markup, or long; or as UTF-16."""
    probe = body[:TEXT_PROBE_BYTES]
    if probe.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    if not _CONTROLS.isdisjoint(probe):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(probe)  # may end within a character
    except UnicodeDecodeError:
        return probe.lstrip().startswith(b"<") or len(probe) >= SURE_TEXT_BYTES
    return True


def _inflate(body: bytes, window_bits: int, limit: int) -> tuple[bytes, str | None]:
    """Inflate; further gzip members are part of the body (RFC 1952, section 2.2)."""
    decoded = bytearray()
    inflater, place = zlib.decompressobj(wbits=window_bits), 0
    while place < len(body):
        coded = body[place : place + INFLATE_STEP_BYTES]
        try:
            decoded += inflater.decompress(coded, limit + 1 - len(decoded))
        except zlib.error as error:
            return bytes(decoded), f"the content coding is broken ({error})"
        if len(decoded) > limit:
            return bytes(decoded), None
        place += len(coded) - len(inflater.unused_data)
        if inflater.eof:
            if not body.startswith(GZIP_MAGIC, place):
                return bytes(decoded), None
            inflater = zlib.decompressobj(wbits=window_bits)
    return bytes(decoded), CUT_SHORT


def _decode_brotli(body: bytes, limit: int) -> tuple[bytes, str | None]:
    import brotli

    decoder = brotli.Decompressor()
    try:
        decoded: bytes = decoder.process(body, output_buffer_limit=limit + 1)
    except brotli.error as error:
        return b"", f"the content coding is broken ({error})"
    return decoded, None if decoder.is_finished() or len(decoded) > limit else CUT_SHORT


def _decode_zstandard(body: bytes, limit: int) -> tuple[bytes, str | None]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW_BYTES)
    frame = decompressor.decompressobj()
    decoded = bytearray()
    for start in range(0, len(body), ZSTD_SLICE_BYTES):
        coded = body[start : start + ZSTD_SLICE_BYTES]
        try:
            while coded:  # further frames are part of the body (RFC 8878, section 3.1)
                frame = decompressor.decompressobj() if frame.eof else frame
                decoded += frame.decompress(coded)
                coded = frame.unused_data
        except zstandard.ZstdError as error:
            return bytes(decoded), f"the content coding is broken ({error})"
        if len(decoded) > limit:
            return bytes(decoded), None
    return bytes(decoded), None if frame.eof else CUT_SHORT
