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
from curation.recipe_train import TrainSettings
from curation.runner import RunContext, StageResult, library_versions
from curation.shards import ManifestFile, canonical_json, file_is_intact, fingerprint_of, sealed_json
from trainer.presets import preset
from trainer.split import check_split

STAGE = TRAIN
VERSION = 2
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
    fingerprint = fingerprint_of(
        {
            "stage": STAGE,
            "version": VERSION,
            "settings": settings.model_dump(mode="json", exclude={"device", "keep_checkpoints"}),
            "seed": seed,
            "libraries": library_versions(LIBRARIES),
            "tokens": sorted((file.name, file.sha256) for file in tokens),
        }
    )
    folder = storage.local_path(storage.join(context.folder, "model"))
    summary = _finished_summary(context.folder, fingerprint)
    if summary is None:
        _check_plan(settings, context.folder, tokens)
        _set_other_model_aside(folder, fingerprint, context)
        summary = _finished_summary(context.folder, fingerprint)
    reused = summary is not None
    if summary is None:
        storage.remove(model_manifest_file(context.folder))
        storage.commit_bytes(str(folder / IDENTITY), canonical_json({"fingerprint": fingerprint}))
        summary = _train(settings, seed, context, folder, fingerprint, _token_names(tokens), stopping)
    details[STAGE] = summary
    return StageResult(STAGE, Counts(), parts=1, reused=int(reused), seconds=time.monotonic() - started, message=_describe(summary))


def _check_plan(settings: TrainSettings, run: str, tokens: list[ManifestFile]) -> None:
    """Find out what is wrong with the recipe before an earlier model is touched.

    Raises:
        UsageError: the recipe does not fit the machine or the sources.
        InputError: the tokens are too few.
    """
    # Threads that wait must sleep: spinning ones made training eight times slower on a machine busy with other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported
    from trainer.data import open_data
    from trainer.loop import TOKENIZER_FILE
    from trainer.plan import plan_training
    from trainer.tokenizer import read_tokenizer

    folder = storage.local_path(storage.join(run, "tokens"))
    tokenizer = read_tokenizer(str(folder / TOKENIZER_FILE))
    plan = plan_training(settings, tokenizer.vocabulary_size)
    open_data(
        folder,
        settings,
        context_length=plan.config.context_length,
        tokenizer_sha256=tokenizer.sha256,
        seed=0,
        names=_token_names(tokens),
        note=lambda _: None,
    )


def _token_names(tokens: list[ManifestFile]) -> list[str]:
    """Names of the token files below the tokens folder."""
    return [file.name.removeprefix("tokens/") for file in tokens if file.name.endswith(".tokens")]


def _train(
    settings: TrainSettings, seed: int, context: RunContext, folder: Path, fingerprint: str, names: list[str], stopping: Stopping
) -> dict[str, Any]:
    from trainer.loop import train

    tokens_folder = storage.join(context.folder, "tokens")
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
    """A model of another recipe or other tokens cost somebody time: it is renamed, never deleted.

    One that was set aside under this very fingerprint comes back.
    """
    if (folder / IDENTITY).exists():
        other = _identity(folder)
        if other == fingerprint:
            return
        aside = folder.with_name(f"model-{other[:12]}")
        while aside.exists():
            aside = aside.with_name(aside.name + "-again")
        folder.rename(aside)
        context.progress.say(f"{STAGE}: recipe or tokens have changed; the earlier model is now {aside}")
    earlier = folder.with_name(f"model-{fingerprint[:12]}")
    if not folder.exists() and earlier.exists() and _identity(earlier) == fingerprint:
        earlier.rename(folder)
        context.progress.say(f"{STAGE}: recipe and tokens are those of {earlier}, which is the model again")


def _identity(folder: Path) -> str:
    try:
        return str(json.loads((folder / IDENTITY).read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def _describe(summary: Mapping[str, Any]) -> str:
    rate = summary["tokens_per_second"]
    return (
        f"{summary['parameters']:,} parameters, {summary['tokens']:,} tokens, validation loss "
        f"{summary['first_validation_loss']:.3f} -> {summary['validation_loss']:.3f}" + (f", {rate:,.0f} tokens/s" if rate else "")
    )
