"""One model over several processes: DDP copies it to each, FSDP2 gives each a part; checkpoints know nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils.checkpoint import checkpoint

from trainer.model import GPT
from trainer.plan import Plan
from trainer.processes import Processes

Forward = Callable[..., Any]


class Objective(nn.Module):
    """The model with its loss as forward pass, which is what DDP, FSDP and the compiler wrap."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean loss in nats a token, scalar, of sequences of shape (batch, T + 1)."""
        return self.model.loss(ids)


def build_objective(model: GPT, processes: Processes, plan: Plan, *, recompute: bool, compiled: bool) -> nn.Module:
    """The loss of ``model`` as a module to train, on all processes.

    Sharded by FSDP2, if the plan says so, with parameters that are ``DTensor`` from then on; otherwise by DDP where there are
    several processes. ``recompute``: keep no activations inside blocks, compute them again in the backward pass. The mean of the
    processes' gradients is what each gets.
    """
    for block in model.blocks:
        if recompute:
            block.forward = recomputed(block.forward)
        if compiled and plan.sharded:  # block by block, since FSDP's work before and behind each cannot be compiled
            block.forward = compiled_for(block.forward, plan.micro_batch)
    objective: nn.Module = Objective(model)
    if plan.sharded:
        shard(model, objective, processes, plan.precision)
        return objective
    if compiled:
        objective.forward = compiled_for(objective.forward, plan.micro_batch)
    if processes.count > 1:
        objective = nn.parallel.DistributedDataParallel(objective, device_ids=[plan.device] if plan.device.type == "cuda" else None)
    return objective


def recomputed(forward: Forward) -> Forward:
    """A forward pass that keeps its inputs alone, and runs again in the backward pass; nothing in it is random."""

    def run(*inputs: Any) -> Any:
        return checkpoint(forward, *inputs, use_reentrant=False, preserve_rng_state=False)

    return run


def compiled_for(forward: Forward, sequences: int) -> Forward:
    """A forward pass compiled for one number of sequences; others run as they are.

    A ramp ends its steps with micro-batches of any size. Each would be compiled anew, for minutes, until torch.compile gives up and
    runs all of them uncompiled.
    """
    fast = torch.compile(forward, dynamic=False)

    def run(x: torch.Tensor, *others: Any) -> Any:
        return (fast if len(x) == sequences else forward)(x, *others)

    return run


def shard(model: GPT, objective: nn.Module, processes: Processes, precision: torch.dtype) -> None:
    """Divide the blocks, and what lies around them, between the processes.

    In half precision the weights of a block are halves when they are gathered. Cast by autocast instead, a copy of every block's
    would stay whole on each device until the backward pass. The rest, with the residual stream, stays float32.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(next(model.parameters()).device.type, (processes.count,))
    half = None if precision == torch.float32 else precision
    policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for block in model.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(objective, mesh=mesh)


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
