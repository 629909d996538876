"""Reading what a run has committed: documents by id, published JSON files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from curation import storage
from curation.errors import IntegrityError
from curation.shards import Shard
from curation.tables import read_table


def find_documents(tables: Iterable[Shard], ids: Iterable[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The documents with these ids, by id; those that no table holds are left out."""
    wanted = set(ids)
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        if not wanted:
            break
        rows = read_table(table, ["id", *columns], pl.col("id").is_in(sorted(wanted)))
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
