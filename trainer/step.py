"""One optimizer step: micro-batches forward and backward, the clipped gradient, and the update, unless it is skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.distributed.tensor import DTensor

from curation.recipe_train import TrainSettings
from trainer.distribute import synchronises
from trainer.guard import StepGuard
from trainer.plan import Plan
from trainer.processes import Processes


@dataclass(frozen=True)
class StepResult:
    """What a step measured; ``skipped`` says why it was not taken, None: it was."""

    loss: float  # nats a token, mean over the batch
    gradient_norm: float  # before clipping
    skipped: str | None


def micro_batches(sequences: int, largest: int, rank: int, processes: int) -> list[range]:
    """Which sequences of a step one process computes: a range for each forward pass, of ``largest`` at most.

    All processes have equally many ranges, since they exchange gradients; where nothing is left, one
    is empty. Together they are each sequence once.
    """
    size = min(largest, -(-sequences // processes))
    starts = range(0, sequences, size * processes)
    return [range(min(start + rank * size, sequences), min(start + (rank + 1) * size, sequences)) for start in starts]


def copied(ids: np.ndarray, device: torch.device) -> torch.Tensor:
    """Ids on the device. To a GPU the copy goes from pinned memory, so that this process need not wait for what the GPU still does."""
    tensor = torch.from_numpy(ids)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


class Stepper:
    """Takes steps with a model and an optimizer that it changes."""

    def __init__(
        self,
        objective: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: TrainSettings,
        plan: Plan,
        processes: Processes,
    ) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.settings = settings
        self.plan = plan
        self.processes = processes
        self.guard = StepGuard(settings.spike_factor, settings.max_skipped_steps)
        # Small gradients are zero in float16 unless the loss is scaled up; what overflows is not finite, and lowers the scale.
        self.scaler = torch.amp.GradScaler(plan.device.type, enabled=plan.precision == torch.float16)

    def step(self, read: Callable[[range], np.ndarray], sequences: int, learning_rate: float) -> StepResult:
        """One update on ``sequences`` sequences of all processes together.

        ``read`` gives the ids of some of them, int64 of shape (len, T + 1). The gradient is that of the
        mean loss of all, however they are divided.
        """
        loss = self._backward(read, sequences)
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.objective.parameters(), self.settings.gradient_clip)
        gradient_norm = float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
        skipped = self.guard.reason_to_skip(loss, gradient_norm)
        if skipped is None:
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.scaler.step(self.optimizer)
            self.guard.took(gradient_norm)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return StepResult(loss, gradient_norm, skipped)

    def _backward(self, read: Callable[[range], np.ndarray], sequences: int) -> float:
        """Add up the gradients of all micro-batches; returns the mean loss."""
        processes, device = self.processes, self.plan.device
        parts = micro_batches(sequences, self.settings.micro_batch_sequences, processes.rank, processes.count)
        total = torch.zeros((), device=device)
        for number, part in enumerate(parts):
            ids = copied(read(part or range(1)), device)  # where nothing is left, a sequence of weight 0
            with synchronises(self.objective, last=number == len(parts) - 1):
                with self.plan.autocast():
                    loss = self.objective(ids) * (len(part) / sequences)
                # Each process gets the mean of all gradients, and the sum is wanted.
                self.scaler.scale(loss * processes.count).backward()
            total += loss.detach()
        return float(processes.sum(total))
