"""What the recipe's section on training comes to: sizes, rates, and where to compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from curation.errors import UsageError
from curation.recipe_train import TrainSettings
from trainer.model import ModelConfig
from trainer.presets import preset


@dataclass(frozen=True)
class Plan:
    """What the recipe comes to: sizes, rates and where to compute."""

    config: ModelConfig
    batch_sequences: int
    peak_learning_rate: float
    device: torch.device
    bfloat16: bool

    @property
    def batch_tokens(self) -> int:
        """Tokens of one step."""
        return self.batch_sequences * self.config.context_length

    def precision(self) -> AbstractContextManager[Any]:
        """Context in which forward passes run."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.bfloat16 else nullcontext()


def plan_training(settings: TrainSettings, vocabulary_size: int) -> Plan:
    """Preset and recipe put together.

    Raises:
        UsageError: there is no such preset or device, or a step is not a whole number of sequences.
    """
    chosen = preset(settings.preset)
    context_length = settings.context_length or chosen.context_length
    batch_tokens = settings.batch_tokens or chosen.batch_tokens
    if batch_tokens % context_length:
        near = max(1, round(batch_tokens / context_length)) * context_length
        raise UsageError(f"train.batch_tokens is {batch_tokens}, no multiple of the context of {context_length}; set it to {near}")
    device = choose_device(settings.device)
    return Plan(
        config=ModelConfig(vocabulary_size, context_length, chosen.layers, chosen.width, chosen.heads),
        batch_sequences=batch_tokens // context_length,
        peak_learning_rate=settings.learning_rate or chosen.learning_rate,
        device=device,
        bfloat16=settings.precision == "bfloat16" or (settings.precision == "auto" and device.type == "cuda"),
    )


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is CUDA where there is one.

    Raises:
        UsageError: there is no such device here, or it does not compute (``meta``).
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        first_line = (str(error).splitlines() or [""])[0]
        raise UsageError(f"train.device {name!r} cannot be used ({first_line}); set it to auto or cpu") from error
    return device
