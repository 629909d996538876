"""The train stage of a run: what is already trained stays, what has changed is trained anew."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from curation import storage
from curation.errors import IntegrityError, UsageError
from curation.finished import TRAIN, committed_manifests, model_manifest_file, read_model_manifest, read_stage_file
from curation.ledger import Counts
from curation.recipe import TrainSettings
from curation.runner import RunContext, StageResult, library_versions
from curation.shards import ManifestFile, canonical_json, file_is_intact, fingerprint_of, sealed_json
from trainer.presets import preset
from trainer.split import check_split

STAGE = TRAIN
VERSION = 1
LIBRARIES = ("torch", "safetensors")
IDENTITY = "run.json"  # written first: which run the checkpoints of a model folder belong to


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

    Raises:
        InputError: there are no tokens, or too few.
        InterruptedRun: asked to stop; a checkpoint was saved.
    """
    if storage.is_remote(context.folder):
        raise UsageError(f"training reads and writes local folders, and {context.folder} is none; copy the run to a disk first")
    started = time.monotonic()
    tokens = [file for manifest in committed_manifests(context.folder, "tokenize") for file in manifest.files if ".tokens" in file.name]
    fingerprint = fingerprint_of({
        "stage": STAGE,
        "version": VERSION,
        "settings": settings.model_dump(mode="json", exclude={"device", "keep_checkpoints"}),
        "seed": seed,
        "libraries": library_versions(LIBRARIES),
        "tokens": sorted((file.name, file.sha256) for file in tokens),
    })
    folder = storage.local_path(storage.join(context.folder, "model"))
    summary = _finished_summary(context.folder, fingerprint)
    reused = summary is not None
    if summary is None:
        _set_other_model_aside(folder, fingerprint, context)
        storage.commit_bytes(str(folder / IDENTITY), canonical_json({"fingerprint": fingerprint}))
        summary = _train(settings, seed, context, folder, fingerprint, [file.name for file in tokens], stopping)
    details[STAGE] = summary
    return StageResult(STAGE, Counts(), parts=1, reused=int(reused), seconds=time.monotonic() - started, message=_describe(summary))


def _train(
    settings: TrainSettings, seed: int, context: RunContext, folder: Path, fingerprint: str, tokens: list[str], stopping: Stopping
) -> dict[str, Any]:
    # Threads that wait must sleep: spinning ones made training eight times slower on a machine busy with other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported
    from trainer.loop import train

    tokens_folder = storage.join(context.folder, "tokens")
    names = [name.removeprefix("tokens/") for name in tokens if name.endswith(".tokens")]
    with stopping.deferred(), context.progress.bar(STAGE, settings.tokens) as update:

        def show(row: Mapping[str, Any]) -> None:
            if "message" in row:
                context.progress.say(f"{STAGE}: {row['message']}")
            elif "loss" in row:
                update(row["tokens"], f"loss {row['loss']:.3f}, {row['tokens_per_second']:,.0f} tokens/s")
            elif "validation_loss" in row:
                context.progress.say(f"{STAGE}: validation loss {row['validation_loss']:.3f} after {row['tokens']:,} tokens")

        summary = train(
            settings,
            seed,
            tokens_folder,
            str(folder),
            fingerprint=fingerprint,
            stop=lambda: stopping.requested,
            progress=show,
            names=names,
        )
    summary["checkpoint"] = Path(summary["checkpoint"]).name
    summary["sample"] = Path(summary["sample"]).name
    tokenize = read_stage_file(context.folder, "tokenize") or {}
    manifest = {
        "stage": STAGE,
        "version": VERSION,
        "fingerprint": fingerprint,
        "upstream": {"tokenize": tokenize["seal"]},
        "files": [asdict(_manifest_file(folder, path)) for path in sorted(folder.rglob("*")) if path.is_file() and path.name != IDENTITY],
        "summary": summary,
    }
    storage.commit_bytes(model_manifest_file(context.folder), sealed_json(manifest))
    return summary


def _manifest_file(folder: Path, path: Path) -> ManifestFile:
    stored = storage.hash_file(str(path))
    return ManifestFile(f"model/{path.relative_to(folder).as_posix()}", 0, stored.bytes, stored.sha256)


def _finished_summary(run: str, fingerprint: str) -> dict[str, Any] | None:
    """Summary of a training that is done under the same fingerprint and intact; else None."""
    try:
        manifest = read_model_manifest(run)
    except IntegrityError:
        return None  # vouches for nothing: the newest checkpoint is taken up again
    if manifest is None or manifest["fingerprint"] != fingerprint:
        return None
    files = [ManifestFile(**file) for file in manifest["files"]]
    if not all(file_is_intact(storage.join(run, file.name), file) for file in files):
        return None
    summary: dict[str, Any] = manifest["summary"]
    return summary


def _set_other_model_aside(folder: Path, fingerprint: str, context: RunContext) -> None:
    """A model of another recipe or other tokens cost somebody time: it is renamed, never deleted."""
    identity = folder / IDENTITY
    storage.remove(model_manifest_file(context.folder))
    if not identity.exists():
        return
    try:
        other = str(json.loads(identity.read_text(encoding="utf-8"))["fingerprint"])
    except (ValueError, KeyError, TypeError):
        other = "unknown"
    if other != fingerprint:
        aside = folder.with_name(f"model-{other[:12]}")
        number = 1
        while aside.exists():
            number += 1
            aside = folder.with_name(f"model-{other[:12]}-{number}")
        folder.rename(aside)
        context.progress.say(f"{STAGE}: recipe or tokens have changed; the earlier model is now {aside}")


def _describe(summary: Mapping[str, Any]) -> str:
    rate = summary["tokens_per_second"]
    return (
        f"{summary['parameters']:,} parameters, {summary['tokens']:,} tokens, validation loss "
        f"{summary['first_validation_loss']:.3f} -> {summary['validation_loss']:.3f}" + (f", {rate:,.0f} tokens/s" if rate else "")
    )
