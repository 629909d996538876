"""Lists of links: a Parquet file with a column ``url``, as ``links`` writes it, or a text file with an address a line, also compressed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

from curation import storage
from curation.errors import InputError

ROWS_AT_ONCE = 100_000
PARQUET_MAGIC = b"PAR1"
COLUMN = "url"
MAX_LINE_BYTES = 1 << 16  # our choice; what is longer is no address


def read_links(path: str, limit: int | None = None) -> Iterator[str]:
    """The addresses of a list, in its order; ``limit``: only the first ones.

    Raises:
        InputError: the file is missing, or is no list of links.
    """
    with storage.open_binary(path) as stream:
        is_table = stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    return itertools.islice(_from_table(path) if is_table else _from_text(path), limit)


def _from_table(path: str) -> Iterator[str]:
    import polars as pl

    try:
        table = pl.scan_parquet(path)
        schema = table.collect_schema()
        if schema.get(COLUMN) != pl.String:
            raise InputError(f"{path} has no text column {COLUMN!r}; give a list that `python cli.py links` made, or a text file")
        for start in itertools.count(0, ROWS_AT_ONCE):
            urls = table.select(COLUMN).slice(start, ROWS_AT_ONCE).collect()[COLUMN]
            yield from (url or "" for url in urls)
            if len(urls) < ROWS_AT_ONCE:
                return
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"cannot read {path}: {(str(error).splitlines() or [''])[0]}; make the list anew") from error


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
