"""A corpus of a few shards in a folder, and a stage run on it, without the runner."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from curation import storage
from curation.documents import conform, documents_frame
from curation.shards import Shard, fingerprint_of, frame_to_parquet, read_shard
from curation.stage import Outcome, Prepared, Stage


class SmallCorpus:
    """``curation.stage.Corpus`` over frames of documents; with ``workers`` > 1, what comes last is computed first."""

    def __init__(self, folder: Path, frames: Iterable[pl.DataFrame], workers: int = 1) -> None:
        self.run = folder
        self.folder = str(folder / "prepared")
        self.workers = workers
        self.committed: dict[str, bytes] = {}
        self.published: dict[str, bytes] = {}
        self.shards = []
        for number, frame in enumerate(frames):
            content = frame_to_parquet(conform(frame))
            stored = storage.commit_bytes(str(folder / f"input-{number:05}.parquet"), content)
            self.shards.append(Shard(stored.path, len(frame), stored.bytes, stored.sha256))

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        if self.workers == 1:
            yield from map(function, items)
        else:  # not in threads, in which CPython 3.11's parser, and so numpy.load, may fail
            yield from [function(item) for item in reversed(list(items))][::-1]

    def commit(self, name: str, content: bytes) -> str:
        self.committed[name] = content
        return storage.commit_bytes(storage.join(self.folder, name), content).path

    def publish(self, name: str, content: bytes) -> str:
        self.published[name] = content
        return storage.commit_bytes(str(self.run / name), content).path

    def withdraw(self, name: str) -> None:
        storage.remove(str(self.run / name))

    def scratch(self) -> str:
        self.run.mkdir(parents=True, exist_ok=True)  # not there yet where there is no shard
        return tempfile.mkdtemp(dir=self.run)

    def progress(self, message: str) -> None:
        pass


def run_small(stage: Stage, folder: Path, frames: Iterable[pl.DataFrame], workers: int = 1) -> tuple[SmallCorpus, Prepared, list[Outcome]]:
    """Prepare and process all shards as the runner does; no document may be lost without a ledger row."""
    corpus = SmallCorpus(folder, frames, workers)
    prepared = stage.prepare(corpus)
    committed = {name: storage.sha256_of(content) for name, content in corpus.committed.items()}
    prepared = Prepared(prepared.folder, prepared.values, fingerprint_of([committed, prepared.values]))
    outcomes = []
    for number, shard in enumerate(corpus.shards):
        documents = read_shard(shard)
        outcome = stage.process(documents, replace(prepared, shard=number))
        removed = [row["id"] for row in outcome.ledger if row["action"] == "removed"]
        assert outcome.documents.schema == documents.schema
        assert sorted(outcome.documents["id"].to_list() + removed) == sorted(documents["id"].to_list())
        assert len(set(removed)) == len(removed)
        outcomes.append(outcome)
    return corpus, prepared, outcomes


def shards_of(rows: list[dict[str, Any]], size: int) -> list[pl.DataFrame]:
    """Frames of at most ``size`` documents."""
    return [documents_frame(rows[start : start + size]) for start in range(0, len(rows), size)] or [documents_frame()]
