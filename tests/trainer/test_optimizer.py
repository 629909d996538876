"""trainer/optimizer.py: one step by the formulas of AdamW (arXiv 1711.05101, algorithm 2), and which tensors decay."""

from __future__ import annotations

import torch

from curation.recipe_train import TrainSettings
from trainer.model import build_model
from trainer.model_config import ModelConfig
from trainer.optimizer import build_optimizer


def test_values_are_those_of_the_paper() -> None:
    """GPT-3, appendix B."""
    decayed, others = build_optimizer(build_model(ModelConfig(257, 8, 1, 8, 1), 0), TrainSettings()).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    for group in (decayed, others):
        assert group["betas"] == (0.9, 0.95) and group["eps"] == 1e-8


def test_one_step_by_hand() -> None:
    settings = TrainSettings(weight_decay=0.5, beta1=0.8, beta2=0.9, epsilon=0.25)
    model = build_model(ModelConfig(257, 8, 2, 8, 1), 0)
    optimizer = build_optimizer(model, settings)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.75)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    # After one step both moments, without their bias, are the gradient and its square: 0.75 / (0.75 + 0.25) = 0.75.
    for name, parameter in model.named_parameters():
        decay = 0.5 if parameter.ndim >= 2 else 0.0  # biases and gains do not decay
        torch.testing.assert_close(parameter.detach(), before[name] * (1 - 0.1 * decay) - 0.1 * 0.75, msg=name)
    # After a second one with gradient 0 the betas show: 0.8 * 0.2 * 0.75 / 0.36 over the root of 0.9 * 0.1 * 0.5625 / 0.19.
    after = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    change = (0.8 * 0.2 * 0.75 / 0.36) / ((0.9 * 0.1 * 0.5625 / 0.19) ** 0.5 + 0.25)
    name, parameter = next((name, parameter) for name, parameter in model.named_parameters() if parameter.ndim == 1)
    torch.testing.assert_close(parameter.detach(), after[name] - 0.1 * change)
