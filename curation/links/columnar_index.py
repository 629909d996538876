"""Common Crawl's columnar index: Parquet files, sorted by SURT key, that lie on a disk, on a web server or in an object store.

Polars reads the columns that are needed. Few keys are pushed down to it: then it reads just the row groups whose statistics allow
one of them. Many keys are joined with the files as they stream by.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from curation import storage
from curation.errors import InputError
from curation.links.captures import CAPTURES, COLUMNAR_NAMES
from curation.parquet import reading_parquet
from curation.recipe import RemoteSettings
from curation.sources.commoncrawl import snapshot_list
from curation.sources.compressed import open_decompressed
from curation.sources.web import Client, is_web

SURT = "url_surtkey"
OPTIONAL = ("content_mime_detected", "content_truncated")  # columns that the oldest snapshots lack
MAX_PUSHED_KEYS = 20_000  # our choice: so many keys are pushed down; with more, nearly every row group holds one of them
PUSHED_AT_ONCE = 2_000
LIST_KIND = "cc-index-table"  # of the list of its files, beside warc.paths.gz
SUBSET = "/subset=warc/"  # captures with content; the others are robots.txt files and errors


@dataclass(frozen=True)
class ColumnarIndex:
    """The files of an index. ``settings``: how remote ones are read."""

    files: list[str]
    settings: RemoteSettings

    def find(self, surts: Sequence[str]) -> list[pl.DataFrame]:
        """All captures under the keys, which are sorted.

        Raises:
            InputError: a file cannot be read, or is none of such an index.
        """
        return [table for file in self.files for table in self._find_in(file, surts)]

    def _find_in(self, file: str, surts: Sequence[str]) -> list[pl.DataFrame]:
        with reading_parquet(file, "give Parquet files of Common Crawl's index"):
            rows = _captures(pl.scan_parquet(file, storage_options=self._options(file), hive_partitioning=False), file)
            if len(surts) > MAX_PUSHED_KEYS:
                wanted = pl.LazyFrame({"surt": surts}, schema={"surt": pl.String})
                near = rows.filter(pl.col("surt") >= surts[0], pl.col("surt") <= surts[-1])
                return [near.join(wanted, on="surt", how="semi").collect(engine="streaming")]
            chunks = (list(surts[start : start + PUSHED_AT_ONCE]) for start in range(0, len(surts), PUSHED_AT_ONCE))
            return [rows.filter(pl.col("surt").is_in(chunk)).collect(engine="streaming") for chunk in chunks]

    def _options(self, file: str) -> dict[str, Any] | None:
        if not storage.is_remote(file):
            return None
        settings = self.settings
        options: dict[str, Any] = {"max_retries": settings.retries, "timeout": f"{settings.timeout_seconds:.0f}s", "allow_http": "true"}
        if settings.anonymous and not is_web(file):
            options["skip_signature"] = "true"
        return options


def _captures(rows: pl.LazyFrame, file: str) -> pl.LazyFrame:
    """The rows of a file with the names and types of ``CAPTURES``."""
    there = rows.collect_schema()
    missing = [name for name in (SURT, *COLUMNAR_NAMES.values()) if name not in there and name not in OPTIONAL]
    if missing:
        raise InputError(f"{file} has no column {', '.join(missing)}; give Parquet files of Common Crawl's columnar index")
    time = pl.col("fetch_time")
    if isinstance(there["fetch_time"], pl.Datetime):
        time = time.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {name: pl.col(column) for name, column in COLUMNAR_NAMES.items() if column in there}
    given |= {"surt": pl.col(SURT), "timestamp": time}
    return rows.select(given.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in CAPTURES.items())


def columnar_files(client: Client, snapshot: str) -> list[str]:
    """The files of a snapshot's index, as its list has them.

    Raises:
        InputError: the list cannot be read, or names none.
    """
    base_url = client.settings.base_url
    location = snapshot_list(snapshot, LIST_KIND, base_url)
    content = client.read_all(location) if storage.is_remote(location) else storage.read_bytes(location)
    with open_decompressed(io.BytesIO(content), location) as stream:
        paths = [line.decode("utf-8", "replace").strip() for line in stream]
    files = [storage.join(base_url, path) for path in paths if SUBSET in path]
    if not files:
        raise InputError(f"{location} names no index file below {SUBSET.strip('/')}; give the files with --index")
    return files
