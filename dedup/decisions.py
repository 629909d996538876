"""Decisions on their way from the components, where they are made, to the shards, where they are applied."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curation import storage
from curation.shards import frame_to_parquet
from curation.stage import Corpus
from dedup.summary import SIMILARITY_DIGITS, Summary

if TYPE_CHECKING:
    from dedup.sketches import ShardWork

HELD_DECISIONS = 500_000  # removed documents told in memory before they are written to their shards' files
EXCERPTS = ["excerpt", "survivor_excerpt"]  # columns for the summary alone


class Decided:
    """Decisions as they are made: told shard by shard, with no more than ``HELD_DECISIONS`` of them in memory."""

    def __init__(self, corpus: Corpus, works: list[ShardWork]) -> None:
        self.summary = Summary()
        self._corpus = corpus
        self._works = works
        self._frames: list[pl.DataFrame] = []
        self._held = 0
        self._flushes = 0

    def add(self, decisions: pl.DataFrame, summary: Summary) -> None:
        """Take over the decisions (``dedup.clusters.DECISIONS``) on whole clusters."""
        self.summary.add(summary)
        self._frames.append(decisions.drop(EXCERPTS))
        self._held += len(decisions)
        if self._held >= HELD_DECISIONS:
            self._flush()

    def commit(self) -> None:
        """Commit the decisions on each shard."""
        self._flush()
        folders = [work.sketch.folder for work in self._works]
        for number, content in enumerate(self._corpus.map(_decisions_of_shard, folders)):
            self._corpus.commit(decisions_file(number), content)

    def _flush(self) -> None:
        if self._held:
            for (shard,), frame in pl.concat(self._frames).partition_by("shard", as_dict=True).items():
                frame.write_ipc(f"{self._works[shard].sketch.folder}/decisions-{self._flushes}.arrow")
        self._frames, self._held, self._flushes = [], 0, self._flushes + 1


def _decisions_of_shard(folder: str) -> bytes:
    """The decisions on one shard as Parquet, sorted by id."""
    from dedup.clusters import DECISIONS

    empty = pl.DataFrame(schema=DECISIONS).drop(EXCERPTS)
    frames = [pl.read_ipc(path) for path in sorted(Path(folder).glob("decisions-*.arrow"))]
    decisions = pl.concat([empty, *frames]).drop("shard").sort("id")
    return frame_to_parquet(decisions.with_columns(pl.col("similarity").round(SIMILARITY_DIGITS)))


def read_decisions(folder: str, shard: int) -> pl.DataFrame:
    """The committed decisions on one shard; ``folder``: of the prepared files."""
    return pl.read_parquet(io.BytesIO(storage.read_bytes(storage.join(folder, decisions_file(shard)))))


def decisions_file(shard: int) -> str:
    """Name of the decisions on one shard, among the prepared files."""
    return f"decisions-{shard:05}.parquet"
