"""WARC files of any size for measuring memory: pages of made-up words, and records that are no pages."""

from __future__ import annotations

import gzip
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qui", "ro", "su", "ta", "ve", "wi", "xo", "zu"]
PARAGRAPHS, WORDS = 8, 60  # of a page: 3 KB, so that 100,000 take minutes
OTHER_BYTES = 1_000_000  # of a record that is no page
OTHERS_TO_A_PAGE = 10


def make_small_records(path: Path, records: int) -> Path:
    """A WARC with a gzip member for each of ``records`` pages."""
    with open(path, "wb") as stream:
        for page in _pages(records):
            stream.write(gzip.compress(page, compresslevel=1, mtime=0))
    return path


def make_large_file(path: Path, size: int) -> Path:
    """A plain WARC of about ``size`` bytes, most of them in records that are no pages."""
    noise = random.Random(1).randbytes(OTHER_BYTES)
    with open(path, "wb") as stream:
        for number, page in enumerate(_pages(size // OTHER_BYTES)):
            stream.write(page)
            for other in range(OTHERS_TO_A_PAGE):
                stream.write(_record("resource", "application/octet-stream", f"https://example.com/{number}/{other}", noise))
            if stream.tell() >= size:
                break
    return path


def _pages(count: int) -> Iterator[bytes]:
    draws = random.Random(0)
    for number in range(count):
        words = ["".join(draws.choices(SYLLABLES, k=3)) for _ in range(WORDS)]
        paragraphs = []
        for _ in range(PARAGRAPHS):
            draws.shuffle(words)
            paragraphs.append(f"<p>{' '.join(words).capitalize()}.</p>")
        html = f"<!doctype html><html><head><title>Page {number}</title></head><body><main>{''.join(paragraphs)}</main></body></html>"
        http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(html)}\r\n\r\n{html}"
        yield _record("response", "application/http; msgtype=response", f"https://example.com/{number}", http.encode())


def _record(kind: str, media_type: str, url: str, block: bytes) -> bytes:
    record_id = uuid.uuid5(uuid.NAMESPACE_URL, url)
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{record_id}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: {media_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"
