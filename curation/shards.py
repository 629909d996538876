"""Committed shards: Parquet files of documents and ledger rows, and the manifests that vouch for them.

A file without a manifest does not exist. A manifest names each file with its rows, size and
sha256, and the fingerprint of everything that made it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from curation import storage
from curation.documents import SCHEMA, conform
from curation.errors import IntegrityError
from curation.ledger import Counts

SHARD_TEXT_BYTES = 64 << 20  # a shard closes at this much text, so that later stages parallelise
PARQUET_COMPRESSION_LEVEL = 3  # zstd's default; named because it is part of the output bytes
ROW_GROUP_ROWS = 10_000


@dataclass(frozen=True)
class Shard:
    """One committed file of documents, as a stage's input.

    ``rows`` is how many documents ``read_shard`` returns: all of the file, or the first ones of it
    where the user asked for a limited run.
    """

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ManifestFile:
    """One file that a manifest vouches for; ``name`` is relative to the run folder."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What one work item of a stage committed."""

    stage: str
    version: int
    fingerprint: str
    inputs: list[dict[str, Any]]
    files: list[ManifestFile]
    counts: Counts
    statistics: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Sealed JSON."""
        values = {
            "stage": self.stage,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "inputs": self.inputs,
            "files": [asdict(file) for file in self.files],
            "counts": self.counts.to_json(),
            "statistics": dict(self.statistics),
        }
        return sealed_json(values)

    @classmethod
    def read(cls, path: str) -> Manifest:
        """Read a manifest.

        Raises:
            IntegrityError: the file is no manifest, or not the one that was written.
        """
        values = read_sealed(path)
        try:
            return cls(
                values["stage"],
                values["version"],
                values["fingerprint"],
                values["inputs"],
                [ManifestFile(**file) for file in values["files"]],
                Counts.from_json(values["counts"]),
                values["statistics"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{path} is no manifest of this version ({error!r}); run the stage again") from error


def canonical_json(values: Any) -> bytes:
    """JSON with sorted keys and a final newline: equal values give equal bytes."""
    return (json.dumps(values, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def fingerprint_of(values: Any) -> str:
    """sha256 of the canonical JSON of everything that determines an output."""
    return hashlib.sha256(canonical_json(values)).hexdigest()


def sealed_json(values: Mapping[str, Any]) -> bytes:
    """Canonical JSON of the values and of their own sha256 (key ``seal``), so that damage to the file shows."""
    plain = json.loads(canonical_json(values))  # keys as text, tuples as lists: what a reader will see
    return canonical_json({**plain, "seal": fingerprint_of(plain)})


def read_sealed(path: str, remedy: str = "run the stage again") -> dict[str, Any]:
    """Values of a file written by ``sealed_json``, with their seal. ``remedy``: what to do about a damaged one.

    Raises:
        InputError: the file is missing.
        IntegrityError: any byte of it has changed.
    """
    content = storage.read_bytes(path)
    try:
        values: dict[str, Any] = json.loads(content)
        intact = content == sealed_json({key: value for key, value in values.items() if key != "seal"})
    except (ValueError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise IntegrityError(f"{path} is damaged: its content does not match its seal; {remedy}")
    return values


def frame_to_parquet(frame: pl.DataFrame) -> bytes:
    """Parquet (zstd) bytes of a frame: the same frame gives the same bytes."""
    stream = io.BytesIO()
    frame.write_parquet(
        stream,
        compression="zstd",
        compression_level=PARQUET_COMPRESSION_LEVEL,
        row_group_size=ROW_GROUP_ROWS,
        statistics=True,
    )
    return stream.getvalue()


def read_shard(shard: Shard, columns: list[str] | None = None) -> pl.DataFrame:
    """Documents of a committed shard, after checking size and sha256.

    Raises:
        IntegrityError: the file is not what its manifest says.
        InputError: the file is missing.
    """
    content = storage.read_bytes(shard.path)
    if len(content) != shard.bytes or storage.sha256_of(content) != shard.sha256:
        raise IntegrityError(
            f"{shard.path} is damaged: {len(content)} bytes where its manifest says {shard.bytes}, or another checksum; "
            "run the stage that wrote it again"
        )
    frame = pl.read_parquet(io.BytesIO(content), columns=columns, n_rows=shard.rows)
    return frame if columns else conform(frame.select(name for name in SCHEMA if name in frame.columns))


def file_is_intact(path: str, file: ManifestFile | Shard) -> bool:
    """Whether the file is there with the size and sha256 of its manifest entry."""
    if not storage.exists(path) or storage.file_size(path) != file.bytes:
        return False
    return storage.hash_file(path).sha256 == file.sha256
