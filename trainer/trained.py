"""The model of a run, read back from its newest checkpoint, or from a named one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from curation.errors import InputError, UsageError
from curation.storage import is_remote, join, local_path, read_bytes
from trainer.checkpoint import PREFIX, Checkpoint, newest_checkpoint, read_checkpoint
from trainer.loop import CONFIG_FILE, TOKENIZER_FILE
from trainer.model import GPT
from trainer.model_config import ModelConfig
from trainer.tokenizer import Tokenizer, read_tokenizer


@dataclass(frozen=True)
class Trained:
    """A model with its tokenizer, and the checkpoint that it comes from."""

    model: GPT
    tokenizer: Tokenizer
    checkpoint: Checkpoint


def open_trained(run: str, name: str | None, note: Callable[[str], None]) -> Trained:
    """The model of a run, on the CPU; ``note`` hears which damaged checkpoints were passed over.

    Args:
        name: folder of a checkpoint in RUN/model; None: the newest that is intact.

    Raises:
        UsageError: the run is not on a local disk.
        InputError: it has no model, no such checkpoint, or one that does not fit the configuration or tokenizer beside it.
    """
    if is_remote(run):
        raise UsageError(f"models are read from local folders, and {run} is none; copy the run to a disk first")
    folder = local_path(join(run, "model"))
    if not (folder / CONFIG_FILE).exists():
        raise InputError(f"{run} has no model; train first: python cli.py train --run {run}")
    config, tokenizer_sha256 = read_config(folder / CONFIG_FILE)
    checkpoint = _named_checkpoint(folder, name) if name else newest_checkpoint(folder, None, note)
    if checkpoint is None:
        raise InputError(f"{folder} has no intact checkpoint; train first: python cli.py train --run {run}")
    with torch.device("meta"):
        model = GPT(config)
    try:
        model.load_state_dict(checkpoint.model_tensors(), assign=True)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint.path} does not fit {folder / CONFIG_FILE}; name another with --checkpoint, or train again"
        ) from error
    tokenizer = read_tokenizer(str(folder / TOKENIZER_FILE))
    if tokenizer.sha256 != tokenizer_sha256:
        raise InputError(f"{folder / TOKENIZER_FILE} is not the tokenizer that {folder / CONFIG_FILE} names; copy that of the tokens here")
    return Trained(model, tokenizer, checkpoint)


def read_config(path: Path) -> tuple[ModelConfig, str]:
    """The configuration that training wrote beside its checkpoints, and the sha256 of the tokenizer.

    Raises:
        InputError: the file is missing, damaged, or of an earlier version of this program.
    """
    try:
        values = json.loads(read_bytes(str(path)))
        return ModelConfig(**{field.name: values[field.name] for field in fields(ModelConfig)}), values["tokenizer_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no configuration of a model of this version ({error!r}); train again") from error


def _named_checkpoint(folder: Path, name: str) -> Checkpoint:
    path = folder / name
    if not path.is_dir():
        names = ", ".join(sorted(found.name for found in folder.glob(f"{PREFIX}*"))) or "none"
        raise InputError(f"there is no checkpoint {path}; there are: {names}")
    try:
        return read_checkpoint(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); name another with --checkpoint, or leave it out for the newest intact one"
        ) from error
