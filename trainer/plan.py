"""What the recipe's section on training comes to: sizes, schedules, and where and how to compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch

from curation.errors import UsageError
from curation.recipe_train import TrainSettings
from trainer.memory import MemoryNeed, available_bytes
from trainer.model_config import ModelConfig
from trainer.presets import preset
from trainer.processes import Processes
from trainer.schedule import Schedule, plan_schedule

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Plan:
    """A training that is ready to begin."""

    config: ModelConfig
    schedule: Schedule
    device: torch.device
    precision: torch.dtype  # of matrix products
    sharded: bool  # FSDP2 divides the model between the processes
    micro_batch: int  # sequences of a full forward pass; the last of a step, and those of a ramp, may have fewer

    def autocast(self) -> AbstractContextManager[Any]:
        """Context in which forward passes run."""
        return nullcontext() if self.precision == torch.float32 else torch.autocast(self.device.type, dtype=self.precision)


def plan_training(settings: TrainSettings, vocabulary_size: int, processes: Processes = Processes()) -> Plan:  # noqa: B008 (frozen)
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
    architecture = asdict(chosen.architecture) | settings.model.model_dump(exclude_none=True)
    config = ModelConfig(vocabulary_size, context_length, chosen.layers, chosen.width, chosen.heads, **architecture)
    device = choose_device(settings.device, processes)
    precision = settings.precision if settings.precision != "auto" else "bfloat16" if device.type == "cuda" else "float32"
    sharded = processes.count > 1 and _is_sharded(settings, MemoryNeed(config, 1, PRECISIONS[precision]), device)
    if sharded and precision == "float16":
        raise UsageError("train.precision float16 needs one scale of the loss for the whole model, which fsdp divides; set it to bfloat16")
    schedule = plan_schedule(
        settings,
        parameters=config.parameters,
        context_length=context_length,
        batch_tokens=batch_tokens,
        peak_learning_rate=settings.learning_rate or chosen.learning_rate,
    )
    micro_batch = min(settings.micro_batch_sequences, -(-schedule.batch_sequences // processes.count))
    return Plan(config, schedule, device, PRECISIONS[precision], sharded, micro_batch)


def _is_sharded(settings: TrainSettings, need: MemoryNeed, device: torch.device) -> bool:
    """Whether FSDP is asked for, or the model leaves less than half of a device to the activations."""
    if settings.parallel == "auto":
        return 2 * need.state > available_bytes(device)
    return settings.parallel == "fsdp"


def choose_device(name: str, processes: Processes) -> torch.device:
    """The device of that name; ``auto`` is CUDA where there is one, and CUDA one GPU for each of several processes.

    Raises:
        UsageError: there is no such device here, it does not compute (``meta``), or several processes would share one GPU.
    """
    if name.startswith("cuda:") and processes.count > 1:
        raise UsageError(
            f"train.device {name} is one GPU, and torchrun has started {processes.count} processes; set it to cuda, one for each"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and processes.count > 1:
        name = f"cuda:{processes.local_rank}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)  # what FlexAttention and the compiler ask about the GPU, they ask about the current one
    except (RuntimeError, AssertionError, ImportError) as error:
        first_line = (str(error).splitlines() or [""])[0]
        raise UsageError(f"train.device {name!r} cannot be used ({first_line}); set it to auto or cpu") from error
    return device
