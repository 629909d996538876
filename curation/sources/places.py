"""Single records out of large archives: places (file, offset, length) → a small archive of these records, with their true offsets.

A record of Common Crawl's files is a compressed member of its own, so that records of one file, one behind the other, are an archive again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation import storage
from curation.errors import InputError
from curation.parquet import reading_parquet
from curation.sources.ranges import read_range
from curation.sources.transfer import Receipt
from curation.sources.web import Client

NEEDED = {"file": pl.String, "offset": pl.Int64, "length": pl.Int64}
GZIP_MAGIC = b"\x1f\x8b"
MAX_RECORD_BYTES = 1 << 30  # our choice: no index has records that long, and a range is held in memory


@dataclass(frozen=True)
class Places:
    """Where records lie in a file: pairs of offset and length, int64, little-endian, in the order of the offsets."""

    pairs: bytes

    @cached_property
    def offsets(self) -> npt.NDArray[np.int64]:
        """Where each record begins in the file."""
        return self._array[:, 0]

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Bytes of each record."""
        return self._array[:, 1]

    @property
    def _array(self) -> npt.NDArray[np.int64]:
        return np.frombuffer(self.pairs, "<i8").reshape(-1, 2)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]])

    def true_offset(self, offset: int) -> int:
        """Where a byte of the small archive lies in the file."""
        place = int(np.searchsorted(self._starts, offset, "right")) - 1
        return int(self.offsets[place]) + offset - int(self._starts[place])

    @property
    def digest(self) -> str:
        """What tells these places from others of the same file."""
        return hashlib.sha256(self.pairs).hexdigest()[:16]


def read_places(tables: Sequence[str]) -> dict[str, Places]:
    """The places of tables by file, in the order of the files' names; a place that stands in several is taken once.

    Raises:
        InputError: there is no such table, or it is none of places.
    """
    parts = [_read_table(path) for path in tables]
    rows = pl.concat(parts).unique().sort("file", "offset", "length").unique(["file", "offset"], keep="last", maintain_order=True)
    return {name: Places(_pairs(frame)) for (name,), frame in rows.partition_by("file", as_dict=True, maintain_order=True).items()}


def _pairs(frame: pl.DataFrame) -> bytes:
    return np.ascontiguousarray(frame.select("offset", "length").to_numpy(), "<i8").tobytes()


def _read_table(path: str) -> pl.DataFrame:
    if not storage.exists(path):
        raise InputError(f"no such file: {path}; make it with `lookup LINKS --output {path}`")
    with reading_parquet(path, "give a table that `lookup` wrote"):
        frame = pl.scan_parquet(path)
        columns: dict[str, Any] = dict(frame.collect_schema())
        wrong = [name for name, dtype in NEEDED.items() if columns.get(name) != dtype]
        if wrong:
            raise InputError(f"{path} is no table of places: it has no column {', '.join(wrong)}; give a table that `lookup` wrote")
        rows = frame.select(*NEEDED).drop_nulls().collect()
        odd = rows.filter(~(pl.col("offset").is_between(0, 1 << 62) & pl.col("length").is_between(1, MAX_RECORD_BYTES)))
    if len(odd):
        file, offset, length = odd.row(0)
        raise InputError(f"{path}: {length:,} bytes at {offset:,} of {file} is no place of a record; make the table again with `lookup`")
    return rows


def fetch_places(client: Client, location: str, address: str, places: Places, target: Path) -> Receipt:
    """Write the records of a file, one behind the other, to ``target``; ``address`` is what the receipt calls it.

    Raises:
        InputError: there is no such file, it has no compressed record at a place, or its server gives no ranges.
        PipelineError: the disk is full or cannot be written to.
    """
    digest, size = hashlib.sha256(), 0
    with storage.committed_file(str(target)) as path, open(path, "wb") as stream:
        for offset, length in zip(places.offsets.tolist(), places.lengths.tolist(), strict=True):
            content = read_range(client, location, offset, length)
            if not content.startswith(GZIP_MAGIC):
                raise InputError(f"{location} has no compressed record at byte {offset:,}; the table of places is of other files")
            stream.write(content)
            digest.update(content)
            size += length
    return Receipt(address, size, digest.hexdigest(), None)
