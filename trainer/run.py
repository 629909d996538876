"""The train stage of a run: what is already trained stays, what has changed is trained anew."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from curation import storage
from curation.errors import EXIT_DONE, IntegrityError, InterruptedRun, PipelineError, UsageError
from curation.finished import TRAIN, committed_manifests, model_manifest_file, read_model_manifest, read_stage_file
from curation.ledger import Counts
from curation.progress import Progress
from curation.recipe_train import TrainSettings
from curation.runner import RunContext, StageResult, library_versions
from curation.shards import ManifestFile, file_is_intact, sealed_json
from trainer.identity import IDENTITY_FILE, Identity, continued, make_room
from trainer.presets import preset
from trainer.processes import Processes, joined, processes_of_environment
from trainer.split import check_split
from trainer.token_shards import TOKENS_SUFFIX

STAGE = TRAIN
VERSION = 2
TOKENS_FOLDER = "tokens/"
LIBRARIES = ("torch", "safetensors")
# Threads that wait must sleep: spinning ones made training eight times slower on a machine busy with other work.
WAITING_THREADS = ("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported


class Stopping(Protocol):
    """Whether the run was asked to stop, polled while ``deferred``."""

    requested: int | None

    def deferred(self) -> AbstractContextManager[None]:
        """While inside, a signal only sets ``requested``."""
        ...


def check_tokens(run: str, settings: TrainSettings | None) -> None:
    """Make sure that both splits can be used: by this training, or at all where there is none.

    Raises:
        InputError: the training or the validation split is empty or too short.
    """
    length = (settings.context_length or preset(settings.preset).context_length) if settings else 0
    check_split([manifest.statistics for manifest in committed_manifests(run, "tokenize")], length)


def run_train(settings: TrainSettings, seed: int, context: RunContext, stopping: Stopping, details: dict[str, Any]) -> StageResult:
    """Train on the tokens of the run; ``details["train"]`` becomes the summary in numbers.

    Under torchrun this is what the first process does, and ``follow_train`` what the others do.

    Raises:
        InputError: there are no tokens, too few, or others than an unfinished training was begun on.
        InterruptedRun: asked to stop; a checkpoint was saved.
    """
    started = time.monotonic()
    os.environ.setdefault(*WAITING_THREADS)
    tokens = token_files(context.folder)
    identity = identity_of(settings, seed, tokens)
    folder = _model_folder(context.folder)
    summary = _finished_summary(context.folder, identity)
    if summary is None:
        from trainer.preparation import check_training

        check_training(settings, context.folder, tokens, processes_of_environment())
        finished = storage.exists(model_manifest_file(context.folder))
        make_room(folder, identity, finished, lambda message: context.progress.say(f"{STAGE}: {message}"))
        summary = _finished_summary(context.folder, identity)
    reused = summary is not None
    with joined(settings.device) as processes:
        processes.share(reused)
        if summary is None:
            storage.remove(model_manifest_file(context.folder))
            identity.commit(folder)
            _announce(settings, seed, context, tokens, processes)
            summary = _train(settings, seed, context.folder, context.progress, tokens, identity, stopping, processes)
            _commit_manifest(context.folder, folder, identity, summary)
    details[STAGE] = summary
    return StageResult(STAGE, Counts(), parts=1, reused=int(reused), seconds=time.monotonic() - started, message=_describe(summary))


def follow_train(command: str, settings: TrainSettings, seed: int, run: str, stopping: Stopping) -> int:
    """What torchrun's further processes do: their part of the work, writing nothing; returns the exit code."""
    os.environ.setdefault(*WAITING_THREADS)
    try:
        if command != STAGE:
            raise UsageError(f"only {STAGE} is for several processes; start {command} without torchrun")
        with joined(settings.device) as processes:
            if not processes.share(None):  # the first process has found that there is something to do
                tokens = token_files(run)
                _train(settings, seed, run, Progress(quiet=True), tokens, identity_of(settings, seed, tokens), stopping, processes)
    except InterruptedRun as error:
        return error.exit_code
    except PipelineError as error:
        print(f"error: process {os.environ['RANK']}: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_DONE


def token_files(run: str) -> list[ManifestFile]:
    """The token shards, with the headers beside them, that the finished stage tokenize vouches for.

    Raises:
        UsageError: the run is on no local disk.
        InputError: tokenize has not finished.
    """
    if storage.is_remote(run):
        raise UsageError(f"training reads and writes local folders, and {run} is none; copy the run to a disk first")
    return [file for manifest in committed_manifests(run, "tokenize") for file in manifest.files if file.name.startswith(TOKENS_FOLDER)]


def identity_of(settings: TrainSettings, seed: int, tokens: list[ManifestFile]) -> Identity:
    """What the model depends on."""
    by_name = {file.name: file.sha256 for file in tokens if file.name.endswith(TOKENS_SUFFIX)}  # a header adds nothing to its shard
    return Identity(VERSION, settings.model_dump(mode="json"), seed, library_versions(LIBRARIES), by_name)


def _model_folder(run: str) -> Path:
    return storage.local_path(storage.join(run, "model"))


def _announce(settings: TrainSettings, seed: int, context: RunContext, tokens: list[ManifestFile], processes: Processes) -> None:
    """Say what is to come, unless nobody listens."""
    if not context.progress.quiet:
        from trainer.preparation import forecast_lines

        for line in forecast_lines(settings, seed, context.folder, tokens, processes):
            context.progress.say(f"{STAGE}: {line}")


def say_forecast(settings: TrainSettings, seed: int, run: str, vocabulary_size: int) -> None:
    """Print what a training would take, for ``--dry-run``.

    Raises:
        UsageError: it does not fit the machine.
    """
    os.environ.setdefault(*WAITING_THREADS)
    from trainer.preparation import dry_run_lines

    tokens = token_files(run) if read_stage_file(run, "tokenize") else []
    reached = _say_where_to_begin(settings, seed, run, tokens) if tokens else 0
    for line in dry_run_lines(settings, seed, run, tokens, vocabulary_size, reached):
        print(f"# {STAGE}: {line}")


def _say_where_to_begin(settings: TrainSettings, seed: int, run: str, tokens: list[ManifestFile]) -> int:
    """Print what a run would make of the model folder, changing nothing; returns the sequences that it need not train again."""
    from trainer.checkpoint import newest_checkpoint

    def say(message: str) -> None:
        print(f"# {STAGE}: {message}")

    identity, folder = identity_of(settings, seed, tokens), _model_folder(run)
    finished = storage.exists(model_manifest_file(run))
    found = continued(folder, identity, finished)
    checkpoint = newest_checkpoint(found, identity.resumable, say) if found else None
    if checkpoint is None:
        if (folder / IDENTITY_FILE).exists():
            say(f"would begin anew: {folder} holds another training")
        return 0
    state = checkpoint.state
    if _finished_summary(run, identity):
        say(f"is finished: {folder} stays as it is")
    else:
        say(f"would go on from {checkpoint.path}: {state.tokens:,} tokens are behind it")
    return state.samples


def _train(
    settings: TrainSettings,
    seed: int,
    run: str,
    progress: Progress,
    tokens: list[ManifestFile],
    identity: Identity,
    stopping: Stopping,
    processes: Processes,
) -> dict[str, Any]:
    from trainer.loop import train
    from trainer.memory import exhaustion_told
    from trainer.preparation import token_names

    with stopping.deferred(), exhaustion_told(), progress.bar(STAGE, settings.tokens) as update:
        return train(
            settings,
            seed,
            storage.join(run, "tokens"),
            str(_model_folder(run)),
            fingerprint=identity.resumable,
            stop=lambda: stopping.requested,
            progress=show_rows(STAGE, progress, update),
            names=token_names(tokens),
            processes=processes,
        )


def show_rows(name: str, progress: Progress, update: Callable[[int, str], None] | None = None) -> Callable[[Mapping[str, Any]], None]:
    """What shows the rows of a training log and its messages; ``update`` moves a bar, where there is one."""

    def show(row: Mapping[str, Any]) -> None:
        if "message" in row:
            progress.say(f"{name}: {row['message']}")
        elif "skipped" in row:
            progress.say(f"{name}: step {row['step']} is skipped: {row['skipped']}")
        elif "loss" in row and update is not None:
            update(row["tokens"], f"loss {row['loss']:.3f}, {row['tokens_per_second']:,.0f} tokens/s")
        elif "validation_loss" in row:
            progress.say(f"{name}: validation loss {row['validation_loss']:.3f} after {row['tokens']:,} tokens")

    return show


def _commit_manifest(run: str, folder: Path, identity: Identity, summary: dict[str, Any]) -> None:
    """Vouch for the finished model."""
    summary["checkpoint"] = Path(summary["checkpoint"]).name
    summary["sample"] = Path(summary["sample"]).name
    tokenize = read_stage_file(run, "tokenize") or {}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != IDENTITY_FILE]
    manifest = {
        "stage": STAGE,
        "version": VERSION,
        "fingerprint": identity.fingerprint,
        "upstream": {"tokenize": tokenize["seal"]},
        "files": [asdict(_manifest_file(folder, path)) for path in files],
        "summary": summary,
    }
    storage.commit_bytes(model_manifest_file(run), sealed_json(manifest))


def _manifest_file(folder: Path, path: Path) -> ManifestFile:
    stored = storage.hash_file(str(path))
    return ManifestFile(f"model/{path.relative_to(folder).as_posix()}", 0, stored.bytes, stored.sha256)


def _finished_summary(run: str, identity: Identity) -> dict[str, Any] | None:
    """Summary of a training that is done under the same fingerprint and intact; else None."""
    try:
        manifest = read_model_manifest(run)
    except IntegrityError:
        return None  # vouches for nothing: the newest checkpoint is taken up again
    if manifest is None or manifest["fingerprint"] != identity.fingerprint:
        return None
    files = [ManifestFile(**file) for file in manifest["files"]]
    if not all(file_is_intact(storage.join(run, file.name), file) for file in files):
        return None
    summary: dict[str, Any] = manifest["summary"]
    return summary


def _describe(summary: Mapping[str, Any]) -> str:
    rate = summary["tokens_per_second"]
    return (
        f"{summary['parameters']:,} parameters, {summary['tokens']:,} tokens, validation loss "
        f"{summary['first_validation_loss']:.3f} -> {summary['validation_loss']:.3f}" + (f", {rate:,.0f} tokens/s" if rate else "")
    )
