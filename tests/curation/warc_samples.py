"""WARC bytes made by hand from ISO 28500, so that tests know every byte without asking the reader."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

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
