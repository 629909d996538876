"""What all readers of Parquet files share: where polars reads from, and a plain error for whatever damage does to it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import polars as pl

from curation import storage
from curation.errors import InputError, PipelineError

# Of polars, for a file that is no Parquet or a damaged one: some damage makes its own code panic, which is no PolarsError, nor
# even an Exception; strings that are no UTF-8 show when they become Python's.
PARQUET_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnicodeDecodeError, MemoryError)


@contextlib.contextmanager
def reading_parquet(path: str, remedy: str, error: type[PipelineError] = InputError) -> Iterator[None]:
    """Within it, the file is read. ``remedy``: what to do about one that cannot be.

    Raises:
        PipelineError: of the type ``error``, polars cannot read the file.
    """
    try:
        yield
    except PARQUET_ERRORS as problem:
        reason = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise error(f"{path} cannot be read as Parquet ({reason}); {remedy}") from problem


def parquet_source(path: str) -> str | io.BytesIO:
    """What polars reads: a local path, or the bytes of a remote file.

    Raises:
        InputError: the file is missing.
    """
    return io.BytesIO(storage.read_bytes(path)) if storage.is_remote(path) else str(storage.local_path(path))
