"""A snapshot as Common Crawl lays it out: WARC files, the columnar index and the CDX index of them, made without our own code."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from warcio.archiveiterator import ArchiveIterator

from tests.curation.runs import write_pages

SNAPSHOT = "CC-MAIN-2024-22"
TABLE = f"cc-index/table/cc-main/warc/crawl={SNAPSHOT}/subset=warc"
CDX = f"cc-index/collections/{SNAPSHOT}/indexes"
FIRST_FETCH = datetime(2024, 5, 18, 1, 2, 3, tzinfo=UTC)
BLOCK_LINES = 2  # of a CDX block; Common Crawl's have 3,000
ROW_GROUP_ROWS = 5


@dataclass(frozen=True)
class Capture:
    """A record as the index names it."""

    surt: str
    url: str
    file: str
    offset: int
    length: int
    time: datetime
    status: int = 200
    mime: str = "text/html"
    truncated: str | None = None

    @property
    def digest(self) -> str:
        return f"DIGEST{self.offset}"


def warc_name(number: int) -> str:
    return f"crawl-data/{SNAPSHOT}/segments/1/warc/file-{number:05d}.warc.gz"


def make_snapshot(folder: Path, files: list[Mapping[str, str]]) -> list[Capture]:
    """Write a WARC file for each mapping of addresses to texts, fetched a day after the one before; their captures."""
    captures = []
    for number, pages in enumerate(files):
        name = warc_name(number)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_pages(folder / name, pages, first=1000 * number)
        with open(folder / name, "rb") as stream:
            records = ArchiveIterator(stream)
            for record in records:
                record.content_stream().read()
                offset, length = records.get_record_offset(), records.get_record_length()
                if record.rec_type == "response":
                    url = record.rec_headers.get_header("WARC-Target-URI")
                    captures.append(Capture(plain_surt(url), url, name, offset, length, FIRST_FETCH + timedelta(days=number)))
    return captures


def plain_surt(url: str) -> str:
    """The key of an address that is lower case already, without ``www.`` and parameters."""
    host, _, path = url.partition("://")[2].partition("/")
    return ",".join(reversed(host.split("."))) + ")/" + path


def write_columnar(folder: Path, captures: list[Capture]) -> None:
    """The columnar index: two files, the list of them, and a file of another subset."""
    ordered = sorted(captures, key=lambda capture: (capture.surt, capture.time))
    half = len(ordered) // 2
    paths = []
    for number, rows in enumerate((ordered[:half], ordered[half:])):
        paths.append(f"{TABLE}/part-{number:05d}.c000.gz.parquet")
        (folder / paths[-1]).parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame([_columns(row) for row in rows], schema_overrides={"content_truncated": pl.String}).write_parquet(
            folder / paths[-1], compression="gzip", row_group_size=ROW_GROUP_ROWS
        )
    paths.append(paths[-1].replace("subset=warc", "subset=robotstxt"))
    lists = folder / f"crawl-data/{SNAPSHOT}/cc-index-table.paths.gz"
    lists.parent.mkdir(parents=True, exist_ok=True)
    lists.write_bytes(gzip.compress("".join(f"{path}\n" for path in paths).encode()))


def _columns(capture: Capture) -> dict[str, Any]:
    host = capture.url.split("/")[2]
    return {
        "url_surtkey": capture.surt,
        "url": capture.url,
        "url_host_name": host,
        "url_host_registered_domain": ".".join(host.split(".")[-2:]),
        "fetch_time": capture.time,
        "fetch_status": capture.status,
        "content_digest": capture.digest,
        "content_mime_type": capture.mime,
        "content_mime_detected": capture.mime,
        "content_charset": "UTF-8",
        "content_languages": "eng",
        "content_truncated": capture.truncated,
        "warc_filename": capture.file,
        "warc_record_offset": capture.offset,
        "warc_record_length": capture.length,
        "warc_segment": "1",
    }


def cdx_line(capture: Capture) -> str:
    fields = {
        "url": capture.url,
        "mime": capture.mime,
        "mime-detected": capture.mime,
        "status": str(capture.status),
        "digest": capture.digest,
        "length": str(capture.length),
        "offset": str(capture.offset),
        "filename": capture.file,
        **({"truncated": capture.truncated} if capture.truncated else {}),
    }
    return f"{capture.surt} {capture.time:%Y%m%d%H%M%S} {json.dumps(fields)}"


def write_cdx(folder: Path, captures: list[Capture]) -> Path:
    """The CDX index: two files of blocks and their ``cluster.idx``."""
    lines = sorted(cdx_line(capture) for capture in captures)
    blocks = [lines[start : start + BLOCK_LINES] for start in range(0, len(lines), BLOCK_LINES)]
    (folder / CDX).mkdir(parents=True, exist_ok=True)
    cluster = []
    for number, part in enumerate((blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :])):
        content = b""
        for block in part:
            packed = gzip.compress("".join(f"{line}\n" for line in block).encode())
            first = " ".join(block[0].split(" ")[:2])
            cluster.append(f"{first}\tcdx-{number:05d}.gz\t{len(content)}\t{len(packed)}\t{len(cluster) + 1}\n")
            content += packed
        (folder / CDX / f"cdx-{number:05d}.gz").write_bytes(content)
    (folder / CDX / "cluster.idx").write_text("".join(cluster))
    return folder / CDX / "cluster.idx"
