"""What a run has finished: stage files, the manifests and shards that they name, prepared files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from curation import storage
from curation.errors import InputError
from curation.shards import Manifest, ManifestFile, Shard, read_sealed

TRAIN = "train"  # the one stage whose output is a model instead of shards


def stage_file(run: str, stage: str) -> str:
    """The file that says that a stage is finished, and which parts it has."""
    return storage.join(run, stage, "stage.json")


def read_stage_file(run: str, stage: str) -> dict[str, Any] | None:
    """Content of the stage file; None if the stage is not finished.

    Raises:
        IntegrityError: the file is damaged.
    """
    path = stage_file(run, stage)
    return read_sealed(path) if storage.exists(path) else None


def model_manifest_file(run: str) -> str:
    """The file that vouches for a finished training; training has no parts and so no stage file."""
    return storage.join(run, "model", "manifest.json")


def read_model_manifest(run: str) -> dict[str, Any] | None:
    """What vouches for the model of a run; None if its training has not finished.

    Raises:
        IntegrityError: the file is damaged.
    """
    path = model_manifest_file(run)
    return read_sealed(path) if storage.exists(path) else None


def finished_stage_of(path: str) -> tuple[str, str] | None:
    """(run, stage) if the path is the folder of a finished stage, or the documents folder in it; else None.

    Raises:
        InputError: it is the folder of a stage that has not finished, or one that was moved out of its run.
    """
    folder = path.rstrip("/").removesuffix("/documents")
    if not storage.exists(storage.join(folder, "stage.json")):
        if storage.exists(storage.join(folder, "manifests")) or storage.exists(storage.join(folder, "ledger")):
            raise InputError(f"{folder} is a stage that has not finished; run it again to its end")
        return None
    stage: str = read_sealed(storage.join(folder, "stage.json"))["stage"]
    if folder == stage:
        return ".", stage
    if not folder.endswith("/" + stage):
        raise InputError(f"{folder} was the stage {stage} of a run and is not in its place there; name RUN/{stage}")
    return folder.removesuffix("/" + stage), stage


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


def check_current(run: str, stage: str) -> None:
    """Make sure that a finished stage was made from what the stages before it now hold.

    Raises:
        InputError: a stage before it was made anew since, or is unfinished.
    """
    finished = (read_model_manifest(run) if stage == TRAIN else read_stage_file(run, stage)) or {"upstream": {}}
    for name, seal in finished["upstream"].items():
        before = read_stage_file(run, name)
        if before is None and not storage.exists(storage.join(run, name, "manifests")):
            continue  # deleted to free space
        if before is None or before["seal"] != seal:
            raise InputError(f"{storage.join(run, stage)} was made from another output of {name}; run the stage {stage} again")
        check_current(run, name)


def is_current(run: str, stage: str) -> bool:
    """Whether ``check_current`` has nothing to say."""
    try:
        check_current(run, stage)
    except InputError:
        return False
    return True


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


def upstream_seals(run: str, shards: list[Shard]) -> dict[str, str]:
    """Seal of each stage of the run that the shards come from."""
    prefix = storage.join(run, "")
    folders = {shard.path.removeprefix(prefix).partition("/documents/")[0] for shard in shards if shard.path.startswith(prefix)}
    found = {folder: read_stage_file(run, folder) for folder in sorted(folders)}
    return {folder: finished["seal"] for folder, finished in found.items() if finished is not None}


def prepared_file(run: str, stage: str) -> str:
    """The file that vouches for what ``prepare`` committed."""
    return storage.join(run, stage, "prepared", "prepared.json")


def prepared_files(run: str, stage: str) -> list[ManifestFile]:
    """What ``prepare`` committed; empty if it committed nothing.

    Raises:
        IntegrityError: the file that vouches for it is damaged.
    """
    path = prepared_file(run, stage)
    return [ManifestFile(**file) for file in read_sealed(path)["files"]] if storage.exists(path) else []
