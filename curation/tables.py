"""The tables that a stage has committed, documents and ledger, read by column and never unless they are what their manifest says."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import polars as pl

from curation import storage
from curation.errors import IntegrityError
from curation.parquet import parquet_source, reading_parquet
from curation.shards import Manifest, Shard, file_is_intact

REMEDY = "run the stage that wrote it again"


def tables_of(run: str, manifest: Manifest, folder: str) -> list[Shard]:
    """The Parquet files in one folder (``documents`` or ``ledger``) that a manifest vouches for."""
    prefix = f"{manifest.stage}/{folder}/"
    files = [file for file in manifest.files if file.name.startswith(prefix)]
    return [Shard(storage.join(run, file.name), file.rows, file.bytes, file.sha256) for file in files]


def read_table(table: Shard, columns: Sequence[str], condition: pl.Expr | None = None) -> pl.DataFrame:
    """Some columns of a committed table, the rows that meet the condition, in file order.

    The checksum is of the whole file; it is worked out once for each state of a local file.

    Raises:
        IntegrityError: the file is missing, or is not what its manifest says.
    """
    local = not storage.is_remote(table.path) and storage.exists(table.path)
    if not _is_intact(table, storage.local_path(table.path).stat().st_mtime_ns if local else None):
        raise IntegrityError(f"{table.path} is missing or damaged: it is not what its manifest says; {REMEDY}")
    with reading_parquet(table.path, REMEDY, IntegrityError):
        rows = pl.scan_parquet(parquet_source(table.path))
        return (rows if condition is None else rows.filter(condition)).select(columns).collect()


@functools.lru_cache(maxsize=1 << 16)
def _is_intact(table: Shard, modified: int | None) -> bool:
    """``modified``: when, so that what is known of a file does not outlive a change of it."""
    return file_is_intact(table.path, table)
