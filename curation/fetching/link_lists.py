"""Lists of links: a Parquet file with a column ``url``, as ``links`` writes it, or a text file with an address a line, also compressed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

from curation import storage
from curation.errors import InputError

ROWS_AT_ONCE = 100_000
PARQUET_MAGIC = b"PAR1"
COLUMN, KARMA = "url", "karma"
MAX_LINE_BYTES = 1 << 16  # our choice; what is longer is no address


def read_links(path: str, limit: int | None = None) -> Iterator[str]:
    """The addresses of a list, in its order; ``limit``: only the first ones.

    Raises:
        InputError: the file is missing, or is no list of links.
    """
    return itertools.islice((url or "" for url in _column(path, COLUMN)) if _is_table(path) else _from_text(path), limit)


def _is_table(path: str) -> bool:
    with storage.open_binary(path) as stream:
        return stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def read_karma(path: str, limit: int | None = None) -> Iterator[int | None]:
    """The karma of each link of a list, in its order; without end of nothing where a list has none.

    Raises:
        InputError: the file is missing, or is no list of links.
    """
    if not _is_table(path):
        return itertools.repeat(None)
    return itertools.islice(_column(path, KARMA), limit)


def _column(path: str, name: str) -> Iterator[Any]:
    """The values of a column of a table; for each row None where it has no such whole numbers as karma."""
    import polars as pl

    from curation.parquet import reading_parquet

    with reading_parquet(path, "make the list anew"):
        table = pl.scan_parquet(path)
        schema = table.collect_schema()
        if schema.get(COLUMN) != pl.String:
            raise InputError(f"{path} has no text column {COLUMN!r}; give a list that `python cli.py links` made, or a text file")
        column = pl.col(name) if name == COLUMN or (name in schema and schema[name].is_integer()) else pl.lit(None)
        for start in itertools.count(0, ROWS_AT_ONCE):
            values = table.slice(start, ROWS_AT_ONCE).select(COLUMN, column.alias("value")).collect()["value"]
            yield from values
            if len(values) < ROWS_AT_ONCE:
                return


def _from_text(path: str) -> Iterator[str]:
    from curation.sources.compressed import open_decompressed

    with storage.open_binary(path) as stored, open_decompressed(stored, path) as stream:
        while line := stream.readline(MAX_LINE_BYTES):
            text = line.decode("utf-8", "replace").lstrip("\ufeff").strip()
            if text:
                yield text


def identity(path: str, limit: int | None) -> str:
    """What tells a list of links from all others: its content, and how much of it is meant."""
    digest = storage.hash_file(path).sha256
    return digest if limit is None else hashlib.sha256(f"{digest} {limit}".encode()).hexdigest()
