"""The table of links as files: written from its parts, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curation import storage
from curation.errors import InputError, UsageError
from curation.links.gathering import ROW_GROUP_ROWS
from curation.parquet import reading_parquet

COMPRESSION_LEVEL = 3
REMEDY = "give a table that `links` wrote"
NEEDED = {"url": pl.String, "key": pl.String, "karma": pl.Int64}


def check_target(target: str, inputs: Sequence[str]) -> None:
    """See that a table does not take the place of what it is made from.

    Raises:
        UsageError: it would.
    """
    for path in inputs:
        if target == path or (not storage.is_remote(target) and storage.local_path(target).resolve() == storage.local_path(path).resolve()):
            raise UsageError(f"--output {target} is an input, which it would replace; name another file")


def commit_table(parts: Sequence[Path], target: str) -> None:
    """Commit the parts of a table, one behind the other, as one Parquet file; memory does not grow with them.

    Raises:
        PipelineError: the disk is full, or the place cannot be written to.
    """
    with storage.committed_file(target) as path:
        pl.scan_parquet(list(parts)).sink_parquet(
            path, compression="zstd", compression_level=COMPRESSION_LEVEL, row_group_size=ROW_GROUP_ROWS, maintain_order=True
        )


def commit_sorted(parts: Sequence[Path], target: str, columns: list[str]) -> None:
    """As ``commit_table``, sorted by columns.

    Raises:
        PipelineError: the disk is full, or the place cannot be written to.
    """
    with storage.committed_file(target) as path:
        rows = pl.scan_parquet(list(parts)).sort(columns)
        rows.sink_parquet(path, compression="zstd", compression_level=COMPRESSION_LEVEL, row_group_size=ROW_GROUP_ROWS, maintain_order=True)


def count_links(path: str, columns: Sequence[str]) -> int:
    """How many rows of a table of links have values in all the columns.

    Raises:
        InputError: there is no such file, it is damaged, or it is no table of links.
    """
    with reading_parquet(path, REMEDY):
        return int(_scan(path, columns).select(pl.len()).collect().item())


def read_link_slices(path: str, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
    """These rows in their order, so many at once.

    Raises:
        InputError: see ``count_links``.
    """
    count = count_links(path, columns)
    with reading_parquet(path, REMEDY):
        for start in range(0, count, rows):
            yield _scan(path, columns).slice(start, rows).collect()


def _scan(path: str, columns: Sequence[str]) -> pl.LazyFrame:
    """Of a table that ``links`` wrote, or any Parquet file with ``url``, ``key`` and ``karma``, the rows in which no column is null."""
    if not storage.exists(path):
        raise InputError(f"no such file: {path}; make it with `links DUMP... --output {path}`")
    frame = pl.scan_parquet(path)
    there: dict[str, Any] = dict(frame.collect_schema())
    wrong = [f"{name} ({dtype})" for name, dtype in NEEDED.items() if there.get(name) != dtype]
    if wrong:
        raise InputError(f"{path} is no table of links: it has no column {', '.join(wrong)}; {REMEDY}")
    return frame.select(columns).drop_nulls()
