"""WARC bytes made by hand from ISO 28500, so that tests know every byte without asking the reader."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import zstandard

from curation.recipe import CrawlLimits
from curation.sources.warc import Record, read_records

HTML_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
WORDS = ["river", "bridge", "morning", "letter", "window", "garden", "station", "teacher", "market", "winter", "harbour", "engine"]


def html_page(seed: int, paragraphs: int = 3) -> bytes:
    """A page of sentences that differ from seed to seed."""
    rng = random.Random(seed)
    sentences = (
        f"The {rng.choice(WORDS)} near the {rng.choice(WORDS)} was quiet that day, and {rng.randrange(10**6)} people walked past it."
        for _ in range(3 * paragraphs)
    )
    body = "".join(f"<p>{next(sentences)} {next(sentences)} {next(sentences)}</p>\n" for _ in range(paragraphs))
    return f"<!doctype html><html><head><title>Page {seed}</title></head><body><article>\n{body}</article></body></html>\n".encode()


def record_id(number: int) -> str:
    """The id of the record that ``page_record`` makes."""
    return f"urn:uuid:{number:08x}-0000-4000-8000-000000000000"


def warc_record(block: bytes, headers: dict[str, str], content_length: int | None = None) -> bytes:
    """Header, block and the two line ends behind it; ``content_length`` other than the true one to lie."""
    fields = {**headers, "Content-Length": str(len(block) if content_length is None else content_length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return b"WARC/1.0\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n"


def page_headers(number: int, record_type: str = "response") -> dict[str, str]:
    """The WARC header of a page record."""
    return {
        "WARC-Type": record_type,
        "WARC-Record-ID": f"<{record_id(number)}>",
        "WARC-Target-URI": f"http://site{number}.example/page",
        "WARC-Date": "2024-05-18T01:02:03Z",
        "Content-Type": "application/http; msgtype=response" if record_type == "response" else "text/plain",
    }


def page_record(number: int, body: bytes | None = None, http_head: bytes = HTML_HEAD, **changes: str) -> bytes:
    """A response record; further arguments replace header fields, ``_`` standing for ``-``, and an empty value removes one."""
    headers = page_headers(number)
    for name, value in changes.items():
        headers[name.replace("_", "-")] = value
    return warc_record(http_head + (html_page(number) if body is None else body), {name: value for name, value in headers.items() if value})


def member(content: bytes) -> bytes:
    """One gzip member."""
    return gzip.compress(content, mtime=0)


def digested_record(number: int, body: bytes | None = None) -> bytes:
    """As ``page_record``, with a block digest."""
    block = HTML_HEAD + (html_page(number) if body is None else body)
    digest = base64.b32encode(hashlib.sha1(block).digest()).decode()
    return warc_record(block, {**page_headers(number), "WARC-Block-Digest": f"sha1:{digest}"})


def arc_record(number: int, body: bytes | None = None, date: str = "20080601123456", length: int | None = None) -> bytes:
    """A version 1 ARC record of the page that ``page_record`` makes (Internet Archive, ARC file format, 1996)."""
    block = HTML_HEAD + (html_page(number) if body is None else body)
    line = f"http://site{number}.example/page 192.0.2.7 {date} text/html {len(block) if length is None else length}\n"
    return line.encode() + block + b"\n"


def arc_file_header(version: int = 1) -> bytes:
    """The record that begins an ARC file."""
    body = f"{version} 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n\n".encode()
    return f"filedesc://pages.arc 0.0.0.0 20080601120000 text/plain {len(body)}\n".encode() + body + b"\n"


# Each with a checksum of the content, as the formats' command line tools write it.
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": member,
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
    "lz4": lambda content: lz4.frame.compress(content, content_checksum=True),
    "bzip2": bz2.compress,
}


def write(path: Path, content: bytes) -> str:
    """Write a file and return its path as the reader takes it."""
    path.write_bytes(content)
    return str(path)


def records_of(content: bytes, folder: Path, **limits: int) -> list[Record]:
    """Records of a file with that content."""
    return list(read_records(write(folder / "records.warc", content), limits=CrawlLimits(**limits)))


def ids(records: list[Record]) -> list[str | None]:
    """Their ids."""
    return [record.record_id for record in records]
