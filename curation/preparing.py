"""The whole-corpus half of a stage: what ``prepare`` works with, and whether its last result still holds."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation import storage
from curation.engine.local import LocalEngine
from curation.errors import InputError, IntegrityError
from curation.finished import prepared_file, prepared_files, stage_file
from curation.ids import hash_id, repeated_hashes
from curation.progress import Progress
from curation.shards import ManifestFile, Shard, file_is_intact, fingerprint_of, read_sealed, read_shard, sealed_json
from curation.stage import Prepared, Stage


class RunCorpus:
    """The Corpus that ``prepare`` sees; remembers what was committed."""

    def __init__(self, run: str, stage: str, shards: list[Shard], engine: LocalEngine, progress: Progress) -> None:
        self.shards = shards
        self.folder = storage.join(run, stage, "prepared")
        self.files: list[ManifestFile] = []
        self._run = run
        self._stage = stage
        self._engine = engine
        self._progress = progress
        self._scratch: list[str] = []

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """See ``curation.stage.Corpus``."""
        return self._engine.map(function, items)

    def commit(self, name: str, content: bytes) -> str:
        """See ``curation.stage.Corpus``."""
        return self.publish(f"{self._stage}/prepared/{name}", content)

    def publish(self, name: str, content: bytes) -> str:
        """See ``curation.stage.Corpus``."""
        path = storage.join(self._run, name)
        stored = storage.commit_bytes(path, content)
        self.files.append(ManifestFile(name, 0, stored.bytes, stored.sha256))
        return path

    def withdraw(self, name: str) -> None:
        """See ``curation.stage.Corpus``."""
        storage.remove(storage.join(self._run, name))

    def scratch(self) -> str:
        """See ``curation.stage.Corpus``."""
        # Beside the run where that is local: the system's temporary folder may be small.
        parent = None if storage.is_remote(self._run) else storage.join(self._run, self._stage)
        if parent is not None:
            storage.local_path(parent).mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=".scratch-", dir=parent)
        self._scratch.append(folder)
        return folder

    def progress(self, message: str) -> None:
        """See ``curation.stage.Corpus``."""
        self._progress.say(f"{self._stage}: {message}")

    def delete_scratch(self) -> None:
        """Delete intermediate files."""
        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)


def prepare_stage(
    run: str, stage: Stage, shards: list[Shard], settings: dict[str, Any], engine: LocalEngine, progress: Progress
) -> Prepared:
    """Result of ``stage.prepare``, from the last run if nothing that it saw has changed.

    ``settings``: everything beside the shards that determines it.
    """
    corpus = RunCorpus(run, stage.name, shards, engine, progress)
    inputs = [{"rows": shard.rows, "sha256": shard.sha256} for shard in shards]
    fingerprint = fingerprint_of({"stage": stage.name, "version": stage.version, **settings, "shards": inputs})
    earlier = _earlier_prepared(run, stage.name, fingerprint)
    if earlier is not None:
        return earlier
    # From here on nobody mistakes an earlier output for one of these settings.
    storage.remove(stage_file(run, stage.name))
    storage.remove(prepared_file(run, stage.name))
    _remove_old_scratch(run, stage.name)
    _check_ids(shards, engine)
    try:
        prepared = stage.prepare(corpus)
    finally:
        corpus.delete_scratch()
    return commit_prepared(run, stage.name, fingerprint, prepared.values, corpus.files)


def _check_ids(shards: list[Shard], engine: LocalEngine) -> None:
    """Shards of one stage have ids of their own already; those of several stages or runs may share some.

    Raises:
        InputError: two documents have the same id, which decisions and the ledger could not tell apart.
    """
    places = sorted({shard.path.rpartition("/")[0] for shard in shards})
    if len(places) > 1:
        repeated = repeated_hashes(engine.map(_id_hashes, shards))
        if repeated:
            raise InputError(
                f"{len(repeated)} ids stand in more than one of {', '.join(places)}; "
                "give inputs with different documents, or import them as files"
            )


def _id_hashes(shard: Shard) -> NDArray[np.uint64]:
    return np.array([hash_id(document_id) for document_id in read_shard(shard, ["id"])["id"]], dtype=np.uint64)


def commit_prepared(run: str, stage: str, fingerprint: str, values: Mapping[str, Any], files: Sequence[ManifestFile]) -> Prepared:
    """Vouch for prepared files and values; ``fingerprint``: of everything that they were made from."""
    listed = sorted((asdict(file) for file in files), key=lambda file: file["name"])
    version = fingerprint_of({"values": dict(values), "files": listed})
    content = sealed_json({"fingerprint": fingerprint, "version": version, "values": dict(values), "files": listed})
    storage.commit_bytes(prepared_file(run, stage), content)
    return Prepared(storage.join(run, stage, "prepared"), json.loads(content)["values"], version)


def _earlier_prepared(run: str, stage: str, fingerprint: str) -> Prepared | None:
    path = prepared_file(run, stage)
    if not storage.exists(path):
        return None
    try:
        values = read_sealed(path)
    except IntegrityError:
        return None  # damaged: prepared again
    intact = all(file_is_intact(storage.join(run, file.name), file) for file in prepared_files(run, stage))
    if values["fingerprint"] != fingerprint or not intact:
        return None
    return Prepared(storage.join(run, stage, "prepared"), values["values"], values["version"])


def _remove_old_scratch(run: str, stage: str) -> None:
    """Delete intermediate files that a killed run left behind."""
    if not storage.is_remote(run):
        for folder in storage.local_path(storage.join(run, stage)).glob(".scratch-*"):
            shutil.rmtree(folder, ignore_errors=True)
