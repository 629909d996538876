"""Shared links of any number → one row a page, with memory for one part of them: a group-by on the disk.

Every link goes into one of a power of two of partitions, by the first bits of a hash of its key, and a partition is brought together
by itself. The table is in the order of the hash, whatever the number of partitions, dumps and workers: any beginning of
it is a random sample, and the pages of a host are spread over all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl

from curation.ids import hash_ids
from curation.links.blocklists import domain_of_host
from curation.links.judging import RowFate, SharedLink
from curation.links.partitions import append_to_partition, take_partition
from curation.recipe_links import LinksSettings
from curation.sources.urls import host_of

FLUSH_ROWS = 200_000  # our choice: links of a dump that are held before they go to the disk, some 100 MB
FRAME_ROWS = 20_000  # links that become a table at once: as Python objects they take several times the room
DUMP_BYTES_PER_PARTITION = 32 << 20  # compressed, some 100,000 submissions; the more partitions, the less memory
MAX_PARTITIONS = 256  # files that a dump's links go to; all of Reddit up to 2017 has some 500,000 shared links in each
ROW_GROUP_ROWS = 1 << 17
SPILLED = pl.Schema(
    {
        "hash": pl.UInt64,
        "key": pl.String,
        "url": pl.String,
        "score": pl.Int64,
        "subreddit": pl.String,
        "created": pl.Int64,
        "id": pl.String,
    }
)
COLUMNS = ("url", "key", "domain", "karma", "submissions", "subreddits", "first_date", "last_date")


def partition_count(dump_bytes: int) -> int:
    """How many partitions the links of so many bytes of dumps go to."""
    wanted = max(1, dump_bytes // DUMP_BYTES_PER_PARTITION)
    return min(1 << (wanted - 1).bit_length(), MAX_PARTITIONS)


class Spill:
    """Takes the links of one dump and writes them to the partitions' files in a folder of its own."""

    def __init__(self, folder: Path, partitions: int) -> None:
        """``partitions``: a power of two."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._bits = partitions.bit_length() - 1
        self._links: list[SharedLink] = []
        self._frames: list[pl.DataFrame] = []

    def add(self, links: list[SharedLink]) -> None:
        """Take some links."""
        self._links += links
        if len(self._links) >= FRAME_ROWS:
            self._frame()
            if sum(map(len, self._frames)) >= FLUSH_ROWS:
                self.flush()

    def _frame(self) -> None:
        links = self._links
        columns: dict[str, Any] = {name: list(map(attrgetter(name), links)) for name in SPILLED if name != "hash"}
        self._frames.append(pl.DataFrame({"hash": hash_ids(columns["key"]), **columns}, schema=SPILLED))
        self._links = []

    def flush(self) -> None:
        """Write what has been taken."""
        if self._links:
            self._frame()
        if not self._frames:
            return
        rows = pl.concat(self._frames)
        self._frames = []
        part = pl.lit(0, pl.UInt64) if self._bits == 0 else pl.col("hash") // (1 << (64 - self._bits))
        for (number,), frame in rows.with_columns(part.alias("part")).partition_by("part", as_dict=True, include_key=False).items():
            append_to_partition(self._folder, number, frame)


def gather(folders: list[Path], partitions: int, settings: LinksSettings, scratch: Path) -> tuple[Iterator[Path], Counter[str]]:
    """Bring the partitions of all spills together; yields the files of the table in order, one at a time.

    The counter is complete when all files have been taken: rows by fate, and ``links``.
    """
    counts: Counter[str] = Counter()
    return _gathered(folders, partitions, settings, scratch, counts), counts


def _gathered(folders: list[Path], partitions: int, settings: LinksSettings, scratch: Path, counts: Counter[str]) -> Iterator[Path]:
    for number in range(partitions):
        tables = [table for folder in folders for table in take_partition(folder, number)]
        rows = pl.concat(tables) if tables else pl.DataFrame(schema=SPILLED)
        target = scratch / f"links-{number:04}.parquet"
        links_of(rows, settings, counts).write_parquet(target, compression="lz4", row_group_size=ROW_GROUP_ROWS)
        yield target


def links_of(rows: pl.DataFrame, settings: LinksSettings, counts: Counter[str]) -> pl.DataFrame:
    """One row a link, in the order of the hash; rows are added to ``counts`` by fate.

    A link's ``url`` is the spelling of its best submission, the earliest of these. The order of ``rows`` has no influence.
    """
    rows = rows.sort(
        ["hash", "key", "score", "created", "url", "subreddit", "id"],
        descending=[False, False, True, False, False, False, False],
        nulls_last=True,
    )
    repeated = pl.col("id").is_not_null() & ~pl.struct("key", "id").is_first_distinct()
    first = rows.filter(~repeated)
    karma = pl.col("score").sum() if settings.karma == "sum" else pl.col("score").max()
    links = first.group_by("key", maintain_order=True).agg(
        pl.col("url").first(),
        karma.alias("karma"),
        pl.len().cast(pl.Int64).alias("submissions"),
        pl.col("subreddit").drop_nulls().unique().sort().alias("subreddits"),
        _iso(pl.col("created").min()).alias("first_date"),
        _iso(pl.col("created").max()).alias("last_date"),
    )
    kept = links.filter(pl.col("karma") >= settings.min_karma)
    selected = int(kept["submissions"].sum())
    counts[RowFate.SELECTED] += selected
    counts[RowFate.REPEATED_SUBMISSION] += len(rows) - len(first)
    counts[RowFate.LOW_KARMA] += len(first) - selected
    counts["links"] += len(kept)
    domains = pl.Series("domain", [domain_of_host(host_of(key)) for key in kept["key"]], pl.String)
    return kept.with_columns(domains).select(COLUMNS)


def _iso(seconds: pl.Expr) -> pl.Expr:
    return pl.from_epoch(seconds, time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
