"""Captures of shared pages: what the indexes say of them, and which one of a page is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from curation.recipe_links import LookupSettings
from curation.sources.urls import canonical_key

PAGE_STATUS = 200
PAGE_TYPES = ("text/html", "application/xhtml+xml", "text/plain")  # as crawl takes them
# Of a capture, by the names that the table of places has for it, and that Common Crawl's columnar index has.
COLUMNAR_NAMES = {
    "capture_url": "url",
    "timestamp": "fetch_time",
    "status": "fetch_status",
    "mime": "content_mime_type",
    "detected_mime": "content_mime_detected",
    "digest": "content_digest",
    "truncated": "content_truncated",
    "file": "warc_filename",
    "offset": "warc_record_offset",
    "length": "warc_record_length",
}
CAPTURES = pl.Schema(
    {
        "surt": pl.String,
        "capture_url": pl.String,
        "timestamp": pl.String,
        "status": pl.Int64,
        "mime": pl.String,
        "detected_mime": pl.String,
        "digest": pl.String,
        "truncated": pl.String,
        "file": pl.String,
        "offset": pl.Int64,
        "length": pl.Int64,
    }
)
# Columns of the table of places: those of a link that say why it is wanted, then those of its capture.
PLACES = ("url", "key", "karma", "capture_url", "timestamp", "status", "mime", "digest", "file", "offset", "length")


class CaptureIndex(Protocol):
    """An index of captures, in ``files`` or behind URLs."""

    @property
    def files(self) -> Sequence[str]:
        """What it is read from."""

    def find(self, surts: Sequence[str]) -> list[pl.DataFrame]:
        """All captures under SURT keys, which are sorted, each once; tables of ``CAPTURES``, in any order."""


def match_captures(links: pl.DataFrame, captures: pl.DataFrame) -> pl.DataFrame:
    """The captures of pages that are linked, beside their links: by SURT key, then by canonical key of the address.

    ``links``: with a column ``surt``, a link once for each of its SURT keys.
    """
    joined = links.join(captures, on="surt", how="inner").drop_nulls("capture_url")
    keys = pl.Series([canonical_key(url) for url in joined["capture_url"]], dtype=pl.String)
    return joined.filter(pl.col("key") == keys).unique(["key", "file", "offset"])


def is_page() -> pl.Expr:
    """Whether a capture is one that ``crawl`` makes a document of; its place must be known."""
    mime = pl.coalesce(pl.col("detected_mime"), pl.col("mime"))
    has_place = pl.col("file").is_not_null() & (pl.col("offset") >= 0) & (pl.col("length") > 0)
    return ((pl.col("status") == PAGE_STATUS) & mime.is_in(PAGE_TYPES).fill_null(True) & has_place).fill_null(False)


def choose_captures(matched: pl.DataFrame, settings: LookupSettings) -> pl.DataFrame:
    """One capture of each link that has a page among them; of equal ones the first by file and offset."""
    pages = matched.filter(is_page())
    cut = pl.col("truncated").fill_null("") != "" if settings.capture == "whole" else pl.lit(False)
    ordered = pages.with_columns(cut.alias("cut")).sort(
        ["cut", "timestamp", "file", "offset"], descending=[False, settings.capture != "oldest", False, False], nulls_last=True
    )
    return ordered.unique("key", keep="first", maintain_order=True).select(PLACES)
