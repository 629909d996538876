"""AdamW as GPT-3 uses it, and its state as named tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from curation.errors import IntegrityError
from curation.recipe_train import TrainSettings
from trainer.distribute import placed_like
from trainer.model import GPT


def build_optimizer(model: GPT, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW whose decay reaches matrices and embeddings, not biases and gains (GPT-3, appendix B).

    The paper does not say which tensors decay; GPT-1's code decays those of two dimensions and more.
    """
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=0.0,  # set in each step from the schedule
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )


def optimizer_tensors(model: GPT, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's state, named ``<parameter>/<value>``; empty before the first step."""
    states = {name: optimizer.state[parameter] for name, parameter in model.named_parameters()}
    return {f"{name}/{value}": tensor for name, state in states.items() for value, tensor in state.items()}


def restore_optimizer(model: GPT, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Inverse of ``optimizer_tensors``.

    Raises:
        IntegrityError: a tensor belongs to no parameter of the model.
    """
    parameters = dict(model.named_parameters())
    for key, tensor in tensors.items():
        name, _, value = key.rpartition("/")
        if name not in parameters:
            raise IntegrityError(f"the optimizer state holds {key}, which the model lacks; remove the checkpoint")
        parameter = parameters[name]
        # AdamW counts its steps in a tensor of its own, which no process has a part of.
        optimizer.state[parameter][value] = placed_like(tensor, parameter) if tensor.ndim else tensor.to(parameter.device)
