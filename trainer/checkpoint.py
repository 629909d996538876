"""Checkpoints: folders that resume training exactly, complete or absent.

``checkpoint-<tokens, 12 digits>/`` holds ``model.safetensors``, ``optimizer.safetensors`` and
``state.json``, which names their checksums and bears a seal of its own. No random state is saved: what comes next is a
function of the seed and the count of samples.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from curation.errors import IntegrityError, PipelineError
from curation.shards import read_sealed, sealed_json
from curation.storage import TEMPORARY_MARK, hash_file

PREFIX = "checkpoint-"
TOKEN_DIGITS = 12
MODEL_FILE = "model.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "state.json"
FORMAT_VERSION = 2


@dataclass(frozen=True)
class TrainingState:
    """Where training stands; ``fingerprint`` is that of everything the run depends on."""

    fingerprint: str
    step: int
    tokens: int
    samples: int
    elapsed_seconds: float
    settings: Mapping[str, Any]
    guard: Mapping[str, Any]  # trainer/guard.py: what a spike is measured by
    scaler: Mapping[str, Any]  # of the loss in float16, else empty


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was verified."""

    path: Path
    state: TrainingState

    def model_tensors(self) -> dict[str, torch.Tensor]:
        """The model's parameters by name, on the CPU."""
        return load_file(self.path / MODEL_FILE)

    def optimizer_tensors(self) -> dict[str, torch.Tensor]:
        """The optimizer's state by name, on the CPU."""
        return load_file(self.path / OPTIMIZER_FILE)


def checkpoint_path(folder: Path, tokens: int) -> Path:
    """Where the checkpoint after so many tokens lies."""
    return folder / f"{PREFIX}{tokens:0{TOKEN_DIGITS}d}"


def save_checkpoint(
    folder: Path, state: TrainingState, model: Mapping[str, torch.Tensor], optimizer: Mapping[str, torch.Tensor], keep: int
) -> Path:
    """Write a checkpoint, then remove all of the same fingerprint but the ``keep`` newest; returns its path.

    The folder is written under a temporary name, flushed to the disk and renamed. A checkpoint
    of the same tokens is replaced, and later ones go: training passed them by as damaged.

    Raises:
        PipelineError: the disk is full or cannot be written to; older checkpoints stay.
    """
    target = checkpoint_path(folder, state.tokens)
    temporary = folder / f".{target.name}{TEMPORARY_MARK}{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        temporary.mkdir()
        _write_files(temporary, state, model, optimizer)
        _sync(temporary)
        if target.exists():
            os.replace(target, folder / f".{target.name}{TEMPORARY_MARK}replaced")
        os.replace(temporary, target)
        _sync(folder)
        _remove_leftovers(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = error.strerror or str(error)
        raise PipelineError(f"cannot write {target}: {reason}; free space and run again to continue from the last checkpoint") from error
    _remove_old(folder, state, keep)
    return target


def _write_files(folder: Path, state: TrainingState, model: Mapping[str, torch.Tensor], optimizer: Mapping[str, torch.Tensor]) -> None:
    checksums = {}
    for name, tensors in ((MODEL_FILE, model), (OPTIMIZER_FILE, optimizer)):
        write_tensors(folder / name, {key: tensor.detach().cpu() for key, tensor in tensors.items()})
        _sync(folder / name)
        checksums[name] = hash_file(str(folder / name)).sha256
    content = {"version": FORMAT_VERSION, "sha256": checksums, "state": asdict(state)}
    (folder / STATE_FILE).write_bytes(sealed_json(content))
    _sync(folder / STATE_FILE)


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors by name as safetensors.

    Raises:
        OSError: the disk is full or cannot be written to, which safetensors tells by an error of its own.
    """
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(folder: Path) -> None:
    """Remove what an interrupted save left; the run's lock keeps other writers out."""
    for path in folder.glob(f".{PREFIX}*{TEMPORARY_MARK}*"):
        shutil.rmtree(path, ignore_errors=True)


def _remove_old(folder: Path, state: TrainingState, keep: int) -> None:
    saved = [path for path in _checkpoints(folder) if _fingerprint_in(path) == state.fingerprint]
    usable = [path for path in saved if _tokens_in(path) <= state.tokens]
    for path in set(saved) - set(usable[-keep:]):
        # Under a name of leftovers, since half a checkpoint no longer tells whose it is.
        with contextlib.suppress(OSError):
            shutil.rmtree(path.rename(folder / f".{path.name}{TEMPORARY_MARK}{uuid.uuid4().hex}"))


def _checkpoints(folder: Path) -> list[Path]:
    """All checkpoints by their names, the newest last. Beyond 10^12 tokens names are longer, and their order is not that of letters."""
    return sorted(folder.glob(f"{PREFIX}*"), key=lambda path: (_tokens_in(path), path.name))


def _tokens_in(path: Path) -> int:
    count = path.name.removeprefix(PREFIX)
    return int(count) if count.isdecimal() else 0


def _fingerprint_in(path: Path) -> str | None:
    try:
        return str(json.loads((path / STATE_FILE).read_bytes())["state"]["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def newest_tokens(folder: Path) -> int:
    """Tokens of the newest checkpoint by its name, intact or not; 0: there is none."""
    return max(map(_tokens_in, _checkpoints(folder)), default=0)


def newest_checkpoint(folder: Path, fingerprint: str | None, note: Callable[[str], None]) -> Checkpoint | None:
    """The newest intact checkpoint with this fingerprint (None: with any), or None.

    ``note`` hears what was passed over, and why.
    """
    for path in reversed(_checkpoints(folder)):
        try:
            checkpoint = read_checkpoint(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            note(f"{path} is damaged and not used ({error})")
            continue
        if fingerprint in (None, checkpoint.state.fingerprint):
            return checkpoint
        note(f"{path} belongs to other data or settings and is not used")
    return None


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a folder, its files compared with their checksums.

    Raises:
        OSError, ValueError, KeyError, TypeError: a file is missing, damaged or of another version.
    """
    if not (path / STATE_FILE).exists():
        raise ValueError(f"{STATE_FILE} is missing")
    try:
        content = read_sealed(str(path / STATE_FILE))
    except IntegrityError as error:
        raise ValueError(f"the seal of {STATE_FILE} is broken") from error
    if content["version"] != FORMAT_VERSION:
        raise ValueError(f"version {content['version']!r}")
    state = TrainingState(**content["state"])
    for name in (MODEL_FILE, OPTIMIZER_FILE):
        if not (path / name).exists():
            raise ValueError(f"{name} is missing")
        if hash_file(str(path / name)).sha256 != content["sha256"][name]:
            raise ValueError(f"the checksum of {name} is wrong")
    return Checkpoint(path, state)
