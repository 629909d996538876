"""The index: what earlier runs kept, as an append-only folder, so that a new run need not read them again.

    INDEX/index.json                        how its documents are sketched; never changes
    INDEX/segments/NAME/manifest.json       one run's documents: what they were made from, files with sha256
    INDEX/segments/NAME/part-00000/...      sketches (``dedup.sketches``) with their sorted keys, and sets

A segment is named after the documents that its run read. It appears whole, by one rename, and is
never written again. A run that reads the same documents once more sees the index as it was the
first time, so it decides the same and adds nothing.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curation import storage
from curation.errors import InputError, IntegrityError, UsageError
from curation.recipe import DedupSettings
from curation.shards import ManifestFile, Shard, file_is_intact, fingerprint_of, read_sealed, sealed_json
from dedup.presets import resolve

FORMAT = 1  # of the files; raise it when they change
NAME_CHARACTERS = 16  # of a segment's name: 64 bits of the sha256 of what it was made from


@dataclass(frozen=True)
class IndexView:
    """The index as one run sees it. ``segments``: names of those that were there before; ``own``: the one that it makes."""

    folder: str
    segments: tuple[str, ...]
    own: str
    settings: str

    def manifests(self) -> list[dict[str, Any]]:
        """Manifests of the segments that the run sees."""
        return [read_manifest(self.folder, name) for name in self.segments]

    def resources(self) -> list[str]:
        """Files whose content tells all that the run sees."""
        return [_description(self.folder), *(_manifest(self.folder, name) for name in self.segments)]

    def is_written(self) -> bool:
        """Whether the run's own segment is there."""
        return storage.exists(_manifest(self.folder, self.own))


def open_index(settings: DedupSettings, seed: int, shards: Sequence[Shard]) -> IndexView:
    """The index at ``settings.against`` for a run over these shards; an empty one is begun where there is none.

    Raises:
        UsageError: it was made with other parameters, or from the same documents with other settings.
        InputError: the folder holds something else.
    """
    folder = settings.against or ""
    if storage.is_remote(folder):
        raise UsageError(f"{folder} is no local folder; an index is mapped into memory and has to lie on a local disk")
    _open_description(folder, _parameters(settings, seed))
    own = fingerprint_of(sorted([shard.sha256, shard.rows] for shard in shards))[:NAME_CHARACTERS]
    chosen = fingerprint_of({"seed": seed, **settings.model_dump(mode="json", exclude={"against"})})
    segments = segment_names(folder)
    if own in segments:
        manifest = read_manifest(folder, own)
        if manifest["settings"] != chosen:
            raise UsageError(
                f"{folder} holds these documents already, deduplicated with other settings ({own}); "
                "give the settings of then, or another index"
            )
        segments = manifest["after"]
    return IndexView(folder, tuple(segments), own, chosen)


def segment_names(folder: str) -> list[str]:
    """Names of the segments of an index, sorted.

    Raises:
        IntegrityError: one has lost its manifest. A segment appears with it, so this is no interrupted run.
    """
    paths = storage.local_path(storage.join(folder, "segments")).glob("*/")
    names = sorted(path.name for path in paths if not path.name.startswith("."))
    for name in names:
        if not storage.exists(_manifest(folder, name)):
            raise IntegrityError(f"{_manifest(folder, name)} is missing; {_remedy(folder, name)}")
    return names


def read_manifest(folder: str, name: str) -> dict[str, Any]:
    """Manifest of a segment.

    Raises:
        IntegrityError: there is none, though a run has seen it, or it is damaged.
    """
    if not storage.exists(_manifest(folder, name)):
        raise IntegrityError(f"{_manifest(folder, name)} is missing, which an earlier run has seen; restore it from a copy")
    return read_sealed(_manifest(folder, name), _remedy(folder, name))


def part_folder(folder: str, name: str, part: str) -> str:
    """Folder of one part of a segment."""
    return storage.join(folder, "segments", name, part)


def check_segment(folder: str, name: str) -> int:
    """Compare every file of a segment with its sha256; returns how many documents it holds.

    Raises:
        IntegrityError: a file is missing or is not what was written.
    """
    manifest = read_manifest(folder, name)
    for file in manifest["files"]:
        path = storage.join(folder, "segments", name, file["name"])
        if not file_is_intact(path, ManifestFile(**file)):
            raise IntegrityError(f"{path} is damaged (missing, or size or sha256 differs from its manifest); {_remedy(folder, name)}")
    return sum(part["documents"] for part in manifest["parts"])


def begin_segment(view: IndexView) -> Path:
    """A folder to write the run's own segment to, unseen by others until ``commit_segment``."""
    folder = storage.local_path(storage.join(view.folder, "segments", f".{view.own}{storage.TEMPORARY_MARK}{uuid.uuid4().hex}"))
    folder.mkdir(parents=True)
    return folder


def commit_segment(view: IndexView, written: Path, parts: Sequence[dict[str, Any]], files: Sequence[ManifestFile]) -> None:
    """Make the segment in the folder ``written`` part of the index."""
    manifest = {
        "name": view.own,
        "after": list(view.segments),
        "settings": view.settings,
        "parts": list(parts),
        "files": [asdict(file) for file in files],
    }
    storage.commit_bytes(str(written / "manifest.json"), sealed_json(manifest))
    _publish(written, view.folder, view.own)


def check_description(folder: str) -> None:
    """Make sure that there is an index in a folder, without writing anything.

    Raises:
        InputError: there is none.
        IntegrityError: its description is damaged.
        UsageError: another version made it.
    """
    _read_description(folder)


def merge_index(target: str, source: str) -> int:
    """Add the segments of another index that the target lacks; returns how many.

    Raises:
        UsageError: they were made with different parameters.
        IntegrityError: the source is damaged.
    """
    described = _read_description(source)
    _open_description(target, described["parameters"])
    missing = [name for name in segment_names(source) if name not in segment_names(target)]
    for name in missing:
        check_segment(source, name)
        copy = storage.local_path(storage.join(target, "segments", f".{name}{storage.TEMPORARY_MARK}{uuid.uuid4().hex}"))
        shutil.copytree(part_folder(source, name, "."), copy)
        for path in copy.rglob("*"):
            sync(path)
        _publish(copy, target, name)
    return len(missing)


def sync(path: Path) -> None:
    """Make a written file or folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(written: Path, folder: str, name: str) -> None:
    sync(written)
    target = storage.local_path(part_folder(folder, name, ".")).resolve()
    os.replace(written, target)
    sync(target.parent)


def _parameters(settings: DedupSettings, seed: int) -> dict[str, Any]:
    """What two runs must share to compare their documents."""
    method = resolve(settings)
    return {
        "ngram_words": method.ngram_words,
        "permutations": method.permutations,
        "bands": method.bands,
        "rows": method.rows,
        "estimated": method.estimated,
        "seed": seed,
    }


def _open_description(folder: str, parameters: dict[str, Any]) -> None:
    """Begin the index with these parameters, or make sure that it has them."""
    path = _description(folder)
    if not storage.exists(path):
        if storage.local_path(folder).is_dir() and any(name for name in os.listdir(folder) if not name.startswith(".")):
            raise InputError(f"{folder} is no index: it holds other files; name an index or a new folder")
        storage.commit_bytes(path, sealed_json({"format": FORMAT, "parameters": parameters}))
        return
    described = _read_description(folder)
    if described["parameters"] != parameters:
        differing = sorted(key for key in parameters if parameters[key] != described["parameters"].get(key))
        has = ", ".join(f"{key} {described['parameters'].get(key)} (here {parameters[key]})" for key in differing)
        raise UsageError(f"{folder} was made with other values of dedup: {has}; give those, or another index")


def _read_description(folder: str) -> dict[str, Any]:
    described = read_sealed(_description(folder), "restore it from a copy, or make the index again in a new folder")
    if described["format"] != FORMAT:
        raise UsageError(f"{folder} is an index of format {described['format']}, not {FORMAT}; make it again with this version")
    return described


def _description(folder: str) -> str:
    return storage.join(folder, "index.json")


def _manifest(folder: str, name: str) -> str:
    return storage.join(folder, "segments", name, "manifest.json")


def _remedy(folder: str, name: str) -> str:
    place = storage.join(folder, "segments", name)
    return f"restore it from a copy, or delete {place} and run dedup on its documents again"
