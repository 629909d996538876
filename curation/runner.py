"""Run a stage: find what is already done, do the rest, check the sums, say that it is finished.

``run_parts`` is the part that every stage shares, crawl and import included; ``run_stage`` adds the
reading of shards and the two hooks of the Stage interface.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import metadata
from typing import Any

import polars as pl

from curation import storage
from curation.documents import documents_frame
from curation.engine.local import LocalEngine
from curation.errors import InputError, IntegrityError, PipelineError, QuarantineError
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.parts import Part, PartWriter, count_outcome
from curation.progress import Progress
from curation.shards import Manifest, ManifestFile, Shard, canonical_json, file_is_intact, fingerprint_of, read_shard
from curation.stage import Prepared, Stage

MAX_QUARANTINE_SHARE = 0.05  # design: a stage fails when over 5 % of its documents are quarantined
MANIFEST_FOLDERS = ("documents", "ledger", "quarantine", "manifests")


@dataclass(frozen=True)
class RunContext:
    """Where a run lives and how it works; nothing here changes an output."""

    folder: str
    workers: int
    progress: Progress


@dataclass(frozen=True)
class WorkItem:
    """What one part is made from. ``label`` names it for people; ``payload`` goes to the worker."""

    label: str
    inputs: list[dict[str, Any]]
    payload: Any


@dataclass
class StageResult:
    """What a stage did, for the summary. ``message``: in words, where counts of documents say nothing."""

    stage: str
    counts: Counts = field(default_factory=Counts)
    parts: int = 0
    reused: int = 0
    seconds: float = 0.0
    failures: list[dict[str, str]] = field(default_factory=list)
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form that summary.json holds."""
        return {**asdict(self), "counts": self.counts.to_json(), "seconds": round(self.seconds, 3)}


def library_versions(names: Sequence[str]) -> dict[str, str]:
    """Installed version of each distribution, and of Python, whose Unicode tables say what a letter is."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{name: metadata.version(name) for name in sorted(names)}}


def stage_file(run: str, stage: str) -> str:
    """The file that says that a stage is finished, and which parts it has."""
    return storage.join(run, stage, "stage.json")


def read_stage_file(run: str, stage: str) -> dict[str, Any] | None:
    """Content of the stage file; None if the stage is not finished."""
    path = stage_file(run, stage)
    if not storage.exists(path):
        return None
    try:
        values: dict[str, Any] = json.loads(storage.read_bytes(path))
        return values
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged ({error}); delete it and run the stage again") from error


def finished_stage_of(path: str) -> tuple[str, str] | None:
    """(run, stage) if the path is the folder of a finished stage, or the documents folder in it; else None."""
    for folder in (path.rstrip("/"), path.rstrip("/").removesuffix("/documents")):
        parent, _, name = folder.rpartition("/")
        if name and read_stage_file(parent or ".", name) is not None:
            return parent or ".", name
    return None


def committed_manifests(run: str, stage: str) -> list[Manifest]:
    """Manifests of a finished stage, in order.

    Raises:
        InputError: the stage has not finished in this run.
    """
    finished = read_stage_file(run, stage)
    if finished is None:
        raise InputError(f"{storage.join(run, stage)} holds no finished output; run the stage {stage} first, or give --input")
    return [Manifest.read(storage.join(run, stage, "manifests", f"{name}.json")) for name in finished["parts"]]


def committed_shards(run: str, stage: str) -> list[Shard]:
    """Documents files of a finished stage, in order; the input of the next."""
    prefix = f"{stage}/documents/"
    return [
        Shard(storage.join(run, file.name), file.rows, file.bytes, file.sha256)
        for manifest in committed_manifests(run, stage)
        for file in manifest.files
        if file.name.startswith(prefix)
    ]


def limit_shards(shards: list[Shard], limit: int | None) -> list[Shard]:
    """The first shards, the last one shortened, that together hold ``limit`` documents."""
    if limit is None:
        return shards
    limited = []
    for shard in shards:
        if limit <= 0:
            break
        limited.append(replace(shard, rows=min(shard.rows, limit)))
        limit -= shard.rows
    return limited


# --- parts: resume, map, commit, finish ---------------------------------------------------------


def run_parts(
    context: RunContext,
    stage: str,
    version: int,
    settings: dict[str, Any],
    items: list[WorkItem],
    work: Callable[[Part, Any], Counts],
    *,
    engine: LocalEngine,
    failures: list[dict[str, str]] | None = None,
    on_crash: Callable[[Part, Any], Any] | None = None,
    max_quarantine_share: float = MAX_QUARANTINE_SHARE,
) -> StageResult:
    """Make every part that is not there yet; then the stage file. One failed item does not stop the others.

    ``settings`` is everything beside the inputs that determines the output. ``failures``: inputs that
    could not even become items. ``on_crash(part, payload)``: another payload for an item whose worker
    crashed twice, or None to give it up.

    Raises:
        PipelineError: every item failed.
        QuarantineError: too large a share of the documents is in quarantine.
    """
    started = time.monotonic()
    base = {"stage": stage, "version": version, **settings}
    parts = [
        Part(context.folder, stage, version, number, fingerprint_of({**base, "inputs": item.inputs}), item.inputs)
        for number, item in enumerate(items)
    ]
    result = StageResult(stage, failures=list(failures or []))
    done: dict[int, Counts] = {}
    for part in parts:
        counts = _counts_if_done(part)
        if counts is not None:
            done[part.number] = counts
            result.reused += 1
    identity = fingerprint_of({**base, "parts": [part.fingerprint for part in parts], "failures": result.failures})
    finished = read_stage_file(context.folder, stage)
    if finished is not None and (finished["fingerprint"] != identity or len(done) < len(parts)):
        storage.remove(stage_file(context.folder, stage))  # from here on nobody mistakes old parts for new ones
    with context.progress.task(stage, total=len(parts), done=len(done)) as advance:
        todo = [(part, items[part.number].payload) for part in parts if part.number not in done]
        while todo:
            crashed = []
            for outcome in engine.map_unordered(partial(_work, work), todo):
                part = todo[outcome.index][0]
                if outcome.crashed and on_crash:
                    crashed.append(todo[outcome.index])
                    continue
                if outcome.error or outcome.crashed:
                    error = str(outcome.error or "a worker process crashed twice on it")
                    result.failures.append({"input": items[part.number].label, "error": error})
                else:
                    done[part.number] = outcome.value
                advance(1)
            todo = []
            for part, payload in crashed:
                milder = on_crash(part, payload) if on_crash else None
                if milder is None:
                    result.failures.append({"input": items[part.number].label, "error": "a worker process crashed twice on it"})
                else:
                    todo.append((part, milder))
    result.parts = len(done)
    result.counts = sum((done[number] for number in sorted(done)), Counts())
    result.failures.sort(key=lambda failure: (failure["input"], failure["error"]))
    result.seconds = time.monotonic() - started
    if not done and result.failures:
        raise PipelineError(f"{stage}: no input could be processed; {result.failures[0]['error']}")
    quarantined, entered = result.counts.quarantined.total(), result.counts.entered
    if quarantined > max_quarantine_share * entered:
        storage.remove(stage_file(context.folder, stage))
        raise QuarantineError(
            f"{stage}: {quarantined} of {entered} documents are in quarantine, more than the tolerated {max_quarantine_share:.0%}; "
            f"see {storage.join(context.folder, stage, 'ledger')}, or raise crawl.max_quarantine_share"
        )
    done_parts = [part for part in parts if part.number in done]
    _sweep(context.folder, stage, done_parts)
    values = {
        "stage": stage,
        "version": version,
        "fingerprint": identity,
        "parts": [part.name for part in done_parts],
        "counts": result.counts.to_json(),
        "failures": result.failures,
    }
    storage.commit_bytes(stage_file(context.folder, stage), canonical_json(values))
    return result


def _work(work: Callable[[Part, Any], Counts], item: tuple[Part, Any]) -> Counts:
    return work(*item)


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


def _sweep(run: str, stage: str, parts: list[Part]) -> None:
    """Delete what no longer belongs to the stage: parts of an earlier plan, temporary files."""
    wanted = {part.manifest_path for part in parts}
    manifests = [Manifest.read(path) for path in wanted]
    wanted |= {storage.join(run, file.name) for manifest in manifests for file in manifest.files}
    names = {_comparable(path) for path in wanted}
    for folder in reversed(MANIFEST_FOLDERS):  # manifests first: what has none does not exist
        for path in storage.list_folder(storage.join(run, stage, folder)):
            if _comparable(path) not in names:
                storage.remove(path)


def _comparable(path: str) -> str:
    return path if storage.is_remote(path) else str(storage.local_path(path).absolute())


# --- stages: shards in, the two hooks, shards out -------------------------------------------------


@dataclass(frozen=True)
class _ShardTask:
    stage: Stage
    shard: Shard
    prepared: Prepared
    killers: tuple[str, ...] = ()  # documents that killed their worker, to be quarantined unseen


def run_stage(stage: Stage, shards: list[Shard], context: RunContext) -> StageResult:
    """Run a stage over committed shards; what is done already and still right is not done again."""
    settings = {
        "settings": stage.settings.model_dump(mode="json"),
        "seed": stage.seed,
        "libraries": library_versions(stage.libraries),
        "resources": [_identity(path) for path in sorted(set(stage.resources()))],
    }
    with LocalEngine(context.workers) as engine:
        prepared = _prepare(stage, shards, settings, context, engine)
        items = [
            WorkItem(shard.path, [{"rows": shard.rows, "bytes": shard.bytes, "sha256": shard.sha256}], _ShardTask(stage, shard, prepared))
            for shard in shards
        ]
        return run_parts(
            context,
            stage.name,
            stage.version,
            {**settings, "prepared": prepared.version},
            items,
            _process_shard,
            engine=engine,
            on_crash=partial(_isolate, engine),
        )


def _identity(path: str) -> dict[str, Any]:
    stored = storage.hash_file(path)
    return {"bytes": stored.bytes, "sha256": stored.sha256}


def _process_shard(part: Part, task: _ShardTask) -> Counts:
    documents = read_shard(task.shard)
    spared = documents.filter(~pl.col("id").is_in(list(task.killers)))
    outcome = task.stage.process(spared, task.prepared)
    rows = [ledger_row(killer, Action.QUARANTINED, Reason.WORKER_KILLED) for killer in task.killers]
    outcome = replace(outcome, ledger=outcome.ledger + rows)
    writer = PartWriter(part)
    writer.counts = count_outcome(documents, outcome)
    if not task.stage.writes_documents:
        outcome = replace(outcome, documents=documents_frame())
    writer.add(outcome)
    writer.finish(documents_frame() if task.stage.writes_documents else None, outcome.statistics)
    return writer.counts


def _isolate(engine: LocalEngine, _part: Part, task: _ShardTask) -> _ShardTask | None:
    """The task without the documents that kill their worker, found by halving; None if none does so alone."""
    groups = [[document_id for document_id in read_shard(task.shard, ["id"])["id"] if document_id not in task.killers]]
    killers = set(task.killers)
    while groups:
        halves = [half for group in groups for half in _halves(group)]
        outcomes = engine.map_unordered(_probe, [(task, half) for half in halves])
        crashed = [halves[outcome.index] for outcome in outcomes if outcome.crashed]
        killers |= {half[0] for half in crashed if len(half) == 1}
        groups = [half for half in crashed if len(half) > 1]
    return replace(task, killers=tuple(sorted(killers))) if killers > set(task.killers) else None


def _halves(group: list[str]) -> list[list[str]]:
    middle = len(group) // 2
    return [half for half in (group[:middle], group[middle:]) if half]


def _probe(probe: tuple[_ShardTask, list[str]]) -> None:
    """Process some documents of a shard only to see whether the worker survives."""
    task, wanted = probe
    task.stage.process(read_shard(task.shard).filter(pl.col("id").is_in(wanted)), task.prepared)


# --- prepare --------------------------------------------------------------------------------------


class RunCorpus:
    """The Corpus that ``prepare`` sees; remembers what was committed."""

    def __init__(self, stage: str, shards: list[Shard], context: RunContext, engine: LocalEngine) -> None:
        self.shards = shards
        self.folder = storage.join(context.folder, stage, "prepared")
        self.files: list[ManifestFile] = []
        self._stage = stage
        self._context = context
        self._engine = engine
        self._scratch: list[str] = []

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """See ``curation.stage.Corpus``."""
        return self._engine.map(function, items)

    def commit(self, name: str, content: bytes) -> str:
        """See ``curation.stage.Corpus``."""
        return self.publish(f"{self._stage}/prepared/{name}", content)

    def publish(self, name: str, content: bytes) -> str:
        """See ``curation.stage.Corpus``."""
        path = storage.join(self._context.folder, name)
        stored = storage.commit_bytes(path, content)
        self.files.append(ManifestFile(name, 0, stored.bytes, stored.sha256))
        return path

    def scratch(self) -> str:
        """See ``curation.stage.Corpus``."""
        # Beside the run where that is local: the system's temporary folder may be small.
        parent = None if storage.is_remote(self._context.folder) else storage.join(self._context.folder, self._stage)
        if parent is not None:
            storage.local_path(parent).mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=".scratch-", dir=parent)
        self._scratch.append(folder)
        return folder

    def progress(self, message: str) -> None:
        """See ``curation.stage.Corpus``."""
        self._context.progress.say(f"{self._stage}: {message}")

    def delete_scratch(self) -> None:
        """Delete intermediate files."""
        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(stage: Stage, shards: list[Shard], settings: dict[str, Any], context: RunContext, engine: LocalEngine) -> Prepared:
    """Result of ``stage.prepare``, from the last run if nothing that it saw has changed."""
    corpus = RunCorpus(stage.name, shards, context, engine)
    path = storage.join(corpus.folder, "prepared.json")
    inputs = [{"rows": shard.rows, "sha256": shard.sha256} for shard in shards]
    fingerprint = fingerprint_of({"stage": stage.name, "version": stage.version, **settings, "shards": inputs})
    earlier = _earlier_prepared(path, fingerprint, corpus.folder, context.folder)
    if earlier is not None:
        return earlier
    storage.remove(path)
    _remove_old_scratch(context.folder, stage.name)
    try:
        prepared = stage.prepare(corpus)
    finally:
        corpus.delete_scratch()
    files = sorted((asdict(file) for file in corpus.files), key=lambda file: file["name"])
    version = fingerprint_of({"values": dict(prepared.values), "files": files})
    values = {"fingerprint": fingerprint, "version": version, "values": dict(prepared.values), "files": files}
    storage.commit_bytes(path, canonical_json(values))
    return Prepared(corpus.folder, json.loads(canonical_json(dict(prepared.values))), version)


def _earlier_prepared(path: str, fingerprint: str, folder: str, run: str) -> Prepared | None:
    if not storage.exists(path):
        return None
    try:
        values = json.loads(storage.read_bytes(path))
        files = [ManifestFile(**file) for file in values["files"]]
        if values["fingerprint"] != fingerprint or not all(file_is_intact(storage.join(run, file.name), file) for file in files):
            return None
        return Prepared(folder, values["values"], values["version"])
    except (ValueError, KeyError, TypeError):
        return None  # damaged: prepared again


def _remove_old_scratch(run: str, stage: str) -> None:
    """Delete intermediate files that a killed run left behind."""
    if not storage.is_remote(run):
        for folder in storage.local_path(storage.join(run, stage)).glob(".scratch-*"):
            shutil.rmtree(folder, ignore_errors=True)
