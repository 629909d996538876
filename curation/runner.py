"""Run a stage: find what is already done, do the rest, check the sums, say that it is finished.

``run_parts`` is the part that every stage shares, crawl and import included; ``run_stage`` adds the
reading of shards and the two hooks of the Stage interface.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import metadata
from typing import Any

import polars as pl

from curation import storage
from curation.documents import documents_frame
from curation.engine.local import NOT_YET, LocalEngine
from curation.errors import IntegrityError, PipelineError, QuarantineError
from curation.finished import prepared_file, prepared_files, read_stage_file, stage_file, upstream_seals
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.parts import Part, PartWriter, StageParts, WorkItem, count_outcome
from curation.preparing import prepare_stage
from curation.progress import Progress
from curation.shards import Manifest, Shard, fingerprint_of, read_shard, sealed_json
from curation.stage import Prepared, Stage
from curation.workers import open_engine

MAX_QUARANTINE_SHARE = 0.05  # design: a stage fails when over 5 % of its documents are quarantined
OUTPUT_FOLDERS = ("documents", "ledger", "quarantine", "prepared")


@dataclass(frozen=True)
class RunContext:
    """Where a run lives and how it works; nothing here changes an output. ``engine``: of workers that are there already."""

    folder: str
    workers: int
    progress: Progress
    engine: LocalEngine | None = None


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
    """Versions of these distributions, of polars, which writes every table, and of Python, whose Unicode tables say what a letter is."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{name: metadata.version(name) for name in sorted({*names, "polars"})}}


# --- parts: resume, map, commit, finish ---------------------------------------------------------


def run_parts(
    context: RunContext,
    stage: str,
    version: int,
    settings: dict[str, Any],
    items: list[WorkItem],
    work: Callable[[Part, Any], Counts],
    **options: Any,
) -> StageResult:
    """Make every part that is not there yet; then the stage file. One failed item does not stop the others.

    ``settings`` is everything beside the inputs that determines the output. ``options``: those of ``make_parts``.

    Raises:
        PipelineError: every item failed.
        QuarantineError: too large a share of the documents is in quarantine.
    """
    parts = StageParts(context.folder, stage, version, settings)
    todo = [part for item in items if (part := parts.enter(item)) is not None]
    return make_parts(context, parts, todo, work, total=len(items), **options)


def make_parts(
    context: RunContext,
    parts: StageParts,
    todo: Iterable[Any],
    work: Callable[[Part, Any], Counts],
    *,
    engine: LocalEngine,
    total: int | None = None,
    failures: list[dict[str, str]] | None = None,
    on_crash: Callable[[Part, Any], Any] | None = None,
    on_end: Callable[[Part], None] | None = None,
    max_quarantine_share: float = MAX_QUARANTINE_SHARE,
    upstream: dict[str, str] | None = None,
    started: float | None = None,
) -> StageResult:
    """Make the parts that have been entered; then the stage file. The second half of ``run_parts``.

    ``todo``: the parts to make, or ``NOT_YET`` where the next must be waited for; it may enter items while it is read.
    ``total``: how many parts there will be, where that is known. ``failures``: inputs that could not even become items; read
    when ``todo`` has ended. ``on_crash(part, payload)``: another payload for an item whose worker crashed twice, or None to give
    it up. ``on_end(part)``: called when a part is made or given up. ``upstream``: seals of the stages that the inputs come from.
    ``started``: when the stage began by ``time.monotonic``, where it has done something before.

    Raises:
        PipelineError, QuarantineError: as ``run_parts``.
    """
    started = time.monotonic() if started is None else started
    stage, done = parts.stage, parts.done
    result = StageResult(stage)

    def jobs(wanted: Iterable[Any]) -> Iterator[Any]:
        for part in wanted:
            if part is not NOT_YET:
                begun.append(part)
            yield part if part is NOT_YET else (part, parts.items[part.number].payload)

    def end(part: Part, counts: Counts | None, error: PipelineError | None) -> None:
        if counts is None:
            reason = str(error or "a worker process crashed twice on it")
            result.failures.append({"input": parts.items[part.number].label, "error": reason})
        else:
            done[part.number] = counts
        if on_end:
            on_end(part)
        advance(1)

    with context.progress.task(stage, total, len(done)) as advance:
        while True:
            begun: list[Part] = []
            crashed: list[Part] = []
            for outcome in engine.map_unordered(partial(_work, work), jobs(todo)):
                part = begun[outcome.index]
                if outcome.crashed and on_crash:
                    crashed.append(part)
                else:
                    end(part, outcome.value, outcome.error)
            todo = again = []
            for part in crashed:
                item = parts.items[part.number]
                milder = on_crash(part, item.payload) if on_crash else None
                if milder is None:
                    end(part, None, None)
                else:
                    parts.items[part.number] = replace(item, payload=milder)
                    again.append(part)
            if not again:
                break
    failures = failures or []
    identity = fingerprint_of({**parts.base, "parts": [part.fingerprint for part in parts.parts.values()], "failures": failures})
    if not _is_finished(context.folder, stage, identity):
        storage.remove(stage_file(context.folder, stage))
    result.failures += failures
    result.reused = parts.reused
    result.parts = len(done)
    result.counts = sum((done[number] for number in sorted(done)), Counts())
    result.failures.sort(key=lambda failure: (failure["input"], failure["error"]))
    result.seconds = time.monotonic() - started
    if not done and result.failures:
        others = f" ({len(result.failures) - 1} more failed)" if len(result.failures) > 1 else ""
        raise PipelineError(f"{stage}: no input could be processed; {result.failures[0]['error']}{others}")
    quarantined, entered = result.counts.quarantined.total(), result.counts.entered
    if quarantined > max_quarantine_share * entered:
        storage.remove(stage_file(context.folder, stage))
        raise QuarantineError(
            f"{stage}: {quarantined} of {entered} documents are in quarantine, more than the tolerated {max_quarantine_share:.0%}; "
            f"see {storage.join(context.folder, stage, 'ledger')} and leave such inputs out; a crawl tolerates crawl.max_quarantine_share"
        )
    done_parts = [part for number, part in parts.parts.items() if number in done]
    _sweep(context.folder, stage, done_parts)
    values = {
        "stage": stage,
        "version": parts.version,
        "fingerprint": identity,
        "parts": [part.name for part in done_parts],
        "counts": result.counts.to_json(),
        "failures": result.failures,
        "upstream": upstream or {},
    }
    storage.commit_bytes(stage_file(context.folder, stage), sealed_json(values))
    return result


def _is_finished(run: str, stage: str, identity: str) -> bool:
    """Whether the stage is finished under the same identity; a damaged stage file says nothing."""
    try:
        finished = read_stage_file(run, stage)
    except IntegrityError:
        return False
    return finished is not None and finished["fingerprint"] == identity


def _work(work: Callable[[Part, Any], Counts], item: tuple[Part, Any]) -> Counts:
    return work(*item)


def _sweep(run: str, stage: str, parts: list[Part]) -> None:
    """Delete what no longer belongs to the stage: parts of an earlier plan, files that only they had."""
    files = [file.name for part in parts for file in Manifest.read(part.manifest_path).files]
    prepared = [file.name for file in prepared_files(run, stage)]
    wanted = {part.manifest_path for part in parts} | {storage.join(run, name) for name in files + prepared}
    wanted = {_comparable(path) for path in [*wanted, prepared_file(run, stage)]}
    # Folders at the top of the run that the parts write to, such as tokens, are the stage's own, too.
    tops = {name.partition("/")[0] for name in files} - {stage.partition("/")[0]}
    # Manifests first: what has none does not exist.
    for folder in ["/".join([stage, inner]) for inner in ("manifests", *OUTPUT_FOLDERS)] + sorted(tops):
        for path in storage.list_folder(storage.join(run, folder)):
            if _comparable(path) not in wanted:
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
    started = time.monotonic()
    settings = {
        "settings": stage.settings.model_dump(mode="json"),
        "seed": stage.seed,
        "libraries": library_versions(stage.libraries),
        "resources": [_identity(path) for path in sorted(set(stage.resources()))],
    }
    with open_engine(context) as engine:
        prepared = prepare_stage(context.folder, stage, shards, settings, engine, context.progress)
        items = [
            WorkItem(
                shard.path,
                [{"rows": shard.rows, "bytes": shard.bytes, "sha256": shard.sha256}],
                _ShardTask(stage, shard, replace(prepared, shard=number)),
            )
            for number, shard in enumerate(shards)
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
            upstream=upstream_seals(context.folder, shards),
            started=started,
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
