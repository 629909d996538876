"""Tables on their way through the disk: a file a partition, to which tables are appended, and which is read once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl

SIZE_BYTES = 8  # before each table: how long it is


def append_to_partition(folder: Path, number: int, frame: pl.DataFrame) -> None:
    """Put a table behind those of a partition."""
    content = io.BytesIO()
    frame.write_ipc(content, compression="lz4")
    with open(_file(folder, number), "ab") as stream:
        stream.write(content.getbuffer().nbytes.to_bytes(SIZE_BYTES, "little"))
        stream.write(content.getbuffer())


def take_partition(folder: Path, number: int) -> Iterator[pl.DataFrame]:
    """The tables of a partition, in the order in which they came; its file is deleted behind the last."""
    path = _file(folder, number)
    if not path.exists():
        return
    with open(path, "rb") as stream:
        while size := stream.read(SIZE_BYTES):
            yield pl.read_ipc(stream.read(int.from_bytes(size, "little")))
    path.unlink()


def _file(folder: Path, number: int) -> Path:
    return folder / f"partition-{number:04}"
