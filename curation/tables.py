"""The tables that a stage has committed, documents and ledger, read by column; no row comes from one that is not what its manifest says."""

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


def read_table(table: Shard, columns: Sequence[str], condition: pl.Expr | None = None, at_a_glance: bool = False) -> pl.DataFrame:
    """Some columns of a committed table, the rows that meet the condition, in file order.

    The checksum is of the whole file; it is worked out once for each state of a local file. ``at_a_glance``: only if a row
    meets the condition, so that it takes a few columns, not all bytes of a run, to find one document.

    Raises:
        IntegrityError: the file is missing, or is not what its manifest says.
    """
    damaged = IntegrityError(f"{table.path} is missing or damaged: it is not what its manifest says; {REMEDY}")
    there = storage.exists(table.path) and storage.file_size(table.path) == table.bytes
    if not there or not (at_a_glance or _is_intact(table, _modified(table.path))):
        raise damaged
    with reading_parquet(table.path, REMEDY, IntegrityError):
        lazy = pl.scan_parquet(parquet_source(table.path))
        rows = (lazy if condition is None else lazy.filter(condition)).select(columns).collect()
    if at_a_glance and rows.height and not _is_intact(table, _modified(table.path)):
        raise damaged
    return rows


def _modified(path: str) -> int | None:
    return None if storage.is_remote(path) else storage.local_path(path).stat().st_mtime_ns


@functools.lru_cache(maxsize=1 << 16)
def _is_intact(table: Shard, modified: int | None) -> bool:
    """``modified``: when, so that what is known of a file does not outlive a change of it."""
    return file_is_intact(table.path, table)
