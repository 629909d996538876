"""Running the fetcher in a test, and reading what it left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from warcio.archiveiterator import ArchiveIterator

from curation.fetching.fetch import fetch_links
from curation.progress import Progress
from curation.recipe_fetch import FetchSettings

CONTACT = "crawler@example.org"


def settings(**values: Any) -> FetchSettings:
    """Settings of a fast crawl of loopback servers."""
    fast = {"contact": CONTACT, "allow_private_hosts": True, "delay_seconds": 0.0, "retry_seconds": 0.01, "timeout_seconds": 5.0}
    return FetchSettings.model_validate({**fast, **values})


async def loopback(host: str) -> list[str]:
    """Every name is this machine's."""
    return ["127.0.0.1"]


def lookup_in(names: Mapping[str, list[str]]) -> Any:
    """A resolver that knows these names, and that the others are this machine's."""

    async def look_up(host: str) -> list[str]:
        return names.get(host, ["127.0.0.1"])

    return look_up


def crawl(folder: Path, urls: list[str], lookup: Any = loopback, **values: Any) -> dict[str, dict[str, Any]]:
    """Fetch the URLs into ``folder/warc``; the row of each."""
    links = folder / "links.txt"
    links.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8", errors="surrogatepass")
    fetch_links(settings(**values), str(links), str(folder / "warc"), Progress(quiet=True), lookup=lookup)
    return rows(folder / "warc")


def rows(output: Path) -> dict[str, dict[str, Any]]:
    """The outcomes, by URL; the summary's sums are checked on the way."""
    table = pl.concat([pl.read_parquet(path) for path in sorted((output / "outcomes").iterdir())])
    summary = json.loads((output / "summary.json").read_text())
    assert summary["links"] == len(table) == sum(sum(reasons.values()) for reasons in summary["outcomes"].values())
    return {row["url"]: row for row in table.iter_rows(named=True)}


def records(output: Path) -> list[Any]:
    """Every record of every closed file: type, address, header fields and content."""
    found = []
    for path in sorted(output.glob("*.warc.gz")):
        with open(path, "rb") as stream:
            for record in ArchiveIterator(stream, check_digests="raise"):
                record.content_stream().read()
        with open(path, "rb") as stream:
            for record in ArchiveIterator(stream, no_record_parse=True):  # so that the content begins with the HTTP header
                fields = dict(record.rec_headers.headers)
                found.append((record.rec_type, fields.get("WARC-Target-URI"), fields, record.content_stream().read()))
    return found
