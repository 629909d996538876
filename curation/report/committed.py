"""Reading what a run has committed: tables by column, documents by id, published JSON files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from curation import storage
from curation.errors import IntegrityError
from curation.shards import Manifest


def tables_of(run: str, manifest: Manifest, folder: str) -> list[str]:
    """Paths of the Parquet files in one folder (``documents`` or ``ledger``) that a manifest vouches for."""
    prefix = f"{manifest.stage}/{folder}/"
    return [storage.join(run, file.name) for file in manifest.files if file.name.startswith(prefix)]


def read_columns(path: str, columns: Sequence[str], condition: pl.Expr | None = None) -> pl.DataFrame:
    """Some columns of a committed table, the rows that meet the condition, in file order.

    Raises:
        IntegrityError: the file is missing or is no such table.
    """
    try:
        source = io.BytesIO(storage.read_bytes(path)) if storage.is_remote(path) else storage.local_path(path)
        rows = pl.scan_parquet(source)
        return (rows if condition is None else rows.filter(condition)).select(columns).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(f"{path} cannot be read ({_first_line(error)}); run the stage that wrote it again") from error


def find_documents(paths: Iterable[str], ids: Iterable[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The documents with these ids, by id; those that no file holds are left out."""
    wanted = set(ids)
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        if not wanted:
            break
        rows = read_columns(path, ["id", *columns], pl.col("id").is_in(sorted(wanted)))
        found |= {row["id"]: row for row in rows.iter_rows(named=True)}
        wanted -= found.keys()
    return found


def read_published(run: str, name: str) -> Any:
    """A JSON file that a stage published below the run folder; None if it is not there.

    Raises:
        IntegrityError: the file is no JSON.
    """
    path = storage.join(run, name)
    if not storage.exists(path):
        return None
    try:
        return json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged ({_first_line(error)}); run the stage that wrote it again") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
