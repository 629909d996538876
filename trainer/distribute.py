"""One model over several processes: DDP copies it to each, FSDP2 gives each a part; checkpoints know nothing of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils.checkpoint import checkpoint

from trainer.model import GPT
from trainer.processes import Processes


class Objective(nn.Module):
    """The model with its loss as forward pass, which is what DDP, FSDP and the compiler wrap."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean loss in nats a token, scalar, of sequences of shape (batch, T + 1)."""
        return self.model.loss(ids)


def build_objective(model: GPT, processes: Processes, *, sharded: bool, recompute: bool, compiled: bool) -> nn.Module:
    """The loss of ``model`` as a module to train, on all processes.

    ``sharded``: by FSDP2, whose parameters are ``DTensor`` from then on; otherwise by DDP where there
    are several processes. ``recompute``: keep no activations inside blocks, compute them again in the
    backward pass. The mean of the processes' gradients is what each gets.
    """
    if recompute:
        for block in model.blocks:
            block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
    objective: nn.Module = Objective(model)
    if sharded:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(next(model.parameters()).device.type, (processes.count,))
        for block in model.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(objective, mesh=mesh)
    if compiled:
        objective = cast(nn.Module, torch.compile(objective))
    if processes.count > 1 and not sharded:
        device = next(model.parameters()).device
        objective = nn.parallel.DistributedDataParallel(objective, device_ids=[device] if device.type == "cuda" else None)
    return objective


def synchronises(objective: nn.Module, last: bool) -> Any:
    """Context of a backward pass: DDP adds gradients up locally and exchanges them with the ``last`` alone.

    FSDP exchanges with each, since whole gradients are what it has no memory for.
    """
    import contextlib

    if isinstance(objective, nn.parallel.DistributedDataParallel) and not last:
        return objective.no_sync()
    return contextlib.nullcontext()


def gather(tensors: Mapping[str, torch.Tensor], keep: bool) -> dict[str, torch.Tensor]:
    """Whole tensors on the CPU, by name; every process must call it, those that do not ``keep`` get none."""
    gathered = {}
    for name, tensor in tensors.items():
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if keep:
            gathered[name] = whole.detach().cpu()
    return gathered


def placed_like(whole: torch.Tensor, example: torch.Tensor) -> torch.Tensor:
    """A whole tensor as ``example`` lies: on its device, or this process's part of it."""
    if isinstance(example, DTensor):
        return distribute_tensor(whole.to(example.device), example.device_mesh, example.placements)
    return whole.to(example.device)
