"""One work item's outputs: committed one by one, then vouched for by one manifest.

RUN/<stage>/documents/part-00000.parquet     documents that stay
RUN/<stage>/ledger/part-00000.parquet        what happened to the others
RUN/<stage>/manifests/part-00000.json        written last
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curation import storage
from curation.errors import IntegrityError, PipelineError
from curation.finished import stage_file
from curation.ledger import Action, Counts, ledger_frame
from curation.shards import SHARD_TEXT_BYTES, Manifest, ManifestFile, file_is_intact, fingerprint_of, frame_to_parquet
from curation.stage import Outcome


@dataclass(frozen=True)
class Part:
    """Identity of one work item's outputs."""

    run: str
    stage: str
    version: int
    number: int
    fingerprint: str
    inputs: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """Such as ``part-00000``."""
        return f"part-{self.number:05d}"

    @property
    def manifest_path(self) -> str:
        """Where the manifest is committed."""
        return storage.join(self.run, self.stage, "manifests", f"{self.name}.json")


@dataclass(frozen=True)
class WorkItem:
    """What one part is made from. ``label`` names it for people; ``payload`` goes to the worker.

    ``number``: of its part, where that is not simply its place among the items.
    """

    label: str
    inputs: list[dict[str, Any]]
    payload: Any
    number: int | None = None


class StageParts:
    """The parts of one stage of a run in the order of their items, and which of them are done.

    ``settings``: everything beside the inputs that determines the output.
    """

    def __init__(self, run: str, stage: str, version: int, settings: Mapping[str, Any]) -> None:
        self.run = run
        self.stage = stage
        self.version = version
        self.base = {"stage": stage, "version": version, **settings}
        self.parts: dict[int, Part] = {}
        self.items: dict[int, WorkItem] = {}
        self.done: dict[int, Counts] = {}
        self.reused = 0

    def enter(self, item: WorkItem) -> Part | None:
        """The part that is to be made of the next item; None if it is there already, under the same fingerprint and intact."""
        number = len(self.parts) if item.number is None else item.number
        part = Part(self.run, self.stage, self.version, number, fingerprint_of({**self.base, "inputs": item.inputs}), item.inputs)
        self.parts[number], self.items[number] = part, item
        counts = _counts_if_done(part)
        if counts is None:
            storage.remove(stage_file(self.run, self.stage))  # from here on nobody mistakes old parts for new ones
            return part
        self.done[number] = counts
        self.reused += 1
        return None


def _counts_if_done(part: Part) -> Counts | None:
    """Counts of a part that is committed under the same fingerprint and intact; else None."""
    if not storage.exists(part.manifest_path):
        return None
    try:
        manifest = Manifest.read(part.manifest_path)
    except PipelineError:
        return None  # a damaged manifest vouches for nothing: the part is made again
    if manifest.fingerprint != part.fingerprint:
        return None
    intact = all(file_is_intact(storage.join(part.run, file.name), file) for file in manifest.files)
    return manifest.counts if intact else None


@dataclass
class PartWriter:
    """Commits the files of one part; documents are flushed whenever a shard is full."""

    part: Part
    counts: Counts = field(default_factory=Counts)
    _files: list[ManifestFile] = field(default_factory=list)
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _ledger: list[dict[str, str]] = field(default_factory=list)
    _text_bytes: int = 0
    _shards: int = 0

    def add(self, outcome: Outcome) -> None:
        """Take over documents, ledger rows and files."""
        self._ledger += outcome.ledger
        if outcome.documents.height:
            self._frames.append(outcome.documents)
            self._text_bytes += int(outcome.documents["text"].str.len_bytes().sum())
        if self._text_bytes >= SHARD_TEXT_BYTES:
            self._flush()
        for name, content in outcome.files.items():
            self.write_file(name.replace("{part}", f"{self.part.number:05d}"), content, rows=0)

    def write_file(self, name: str, content: bytes, rows: int) -> None:
        """Commit a file below the run folder."""
        stored = storage.commit_bytes(storage.join(self.part.run, name), content)
        self._files.append(ManifestFile(name, rows, stored.bytes, stored.sha256))

    def _flush(self) -> None:
        frame = pl.concat(self._frames) if self._frames else None
        if frame is not None:
            suffix = f"-{self._shards:03d}" if self._shards else ""
            name = self._name("documents", f"{self.part.name}{suffix}", "parquet")
            self.write_file(name, frame_to_parquet(frame), frame.height)
            self._shards += 1
        self._frames, self._text_bytes = [], 0

    def _name(self, folder: str, name: str, suffix: str) -> str:
        # On an object store a key is never written with two contents: an attempt that outlives its
        # run could overwrite what a newer manifest vouches for.
        attempt = f".{self.part.fingerprint[:12]}" if storage.is_remote(self.part.run) else ""
        return f"{self.part.stage}/{folder}/{name}{attempt}.{suffix}"

    def write_frame(self, folder: str, frame: pl.DataFrame) -> None:
        """Commit a table of this part, such as its ledger."""
        self.write_file(self._name(folder, self.part.name, "parquet"), frame_to_parquet(frame), frame.height)

    def finish(self, empty: pl.DataFrame | None, statistics: Mapping[str, Any]) -> Manifest:
        """Commit what is left, then the manifest. ``empty`` is written if there was no document at all.

        Raises:
            IntegrityError: the sums do not match: a document was lost.
        """
        if not self._shards and not self._frames and empty is not None:
            self._frames = [empty]
        self._flush()
        if self.counts.accounted != self.counts.entered:
            raise IntegrityError(
                f"{self.part.stage} {self.part.name}: {self.counts.entered} documents came in, {self.counts.accounted} are "
                "accounted for; this is a bug, please report it"
            )
        self.write_frame("ledger", ledger_frame(self._ledger, self.part.stage))
        manifest = Manifest(
            self.part.stage, self.part.version, self.part.fingerprint, self.part.inputs, self._files, self.counts, statistics
        )
        storage.commit_bytes(self.part.manifest_path, manifest.to_bytes())
        return manifest


def count_outcome(documents: pl.DataFrame, outcome: Outcome) -> Counts:
    """Account for every document of a shard, from what came in, what goes out and the ledger.

    Raises:
        IntegrityError: a document has no fate or two, is changed into nothing, stays twice or out of
            order, or came from nowhere.
    """
    entered = documents["id"].to_list()
    places = {document_id: place for place, document_id in enumerate(entered)}
    fates = {row["id"]: Action(row["action"]) for row in outcome.ledger}
    stayed = outcome.documents["id"].to_list()
    origins = [document_id if document_id in places else _parent(document_id, fates) for document_id in stayed]
    for what, ids in (("came in", entered), ("have ledger rows", [row["id"] for row in outcome.ledger]), ("stay", stayed)):
        if repeated := [document_id for document_id, times in Counter(ids).items() if times > 1]:
            raise _unexplained(f"documents that {what} twice", repeated)
    if unknown := [document_id for document_id in (*fates, *origins) if document_id not in places]:
        raise _unexplained("documents that did not come in", unknown)
    gone = [document_id for document_id, action in fates.items() if action is not Action.CHANGED]
    if set(gone) & set(origins) or set(gone) | set(origins) != set(entered):
        raise _unexplained("documents that were lost, or that stay and do not", sorted(set(entered) ^ (set(gone) | set(origins))) or gone)
    cut = {origin for document_id, origin in zip(stayed, origins, strict=True) if document_id != origin}
    if both := sorted(cut & set(stayed)):
        raise _unexplained("documents that stay whole and in pieces", both)
    order = [places[document_id] for document_id in origins]
    if order != sorted(order):
        raise _unexplained("documents out of order", stayed)
    counts = Counts(entered=len(entered), kept=len(entered) - len(fates), changed=len(fates) - len(gone))
    for row in outcome.ledger:
        if row["action"] == Action.REMOVED:
            counts.removed[row["reason"]] += 1
        elif row["action"] == Action.QUARANTINED:
            counts.quarantined[row["reason"]] += 1
    counts.characters_in = int(documents["text"].str.len_chars().sum())
    counts.characters_out = int(outcome.documents["text"].str.len_chars().sum())
    return counts


def _parent(document_id: str, fates: Mapping[str, Action]) -> str:
    """The changed document that a piece ``parent#0`` is of; the id itself if there is none."""
    parent = document_id.rpartition("#")[0]
    return parent if fates.get(parent) is Action.CHANGED else document_id


def _unexplained(what: str, ids: Sequence[str]) -> IntegrityError:
    return IntegrityError(f"{what}, such as {', '.join(ids[:3])}; this is a bug, please report it")
