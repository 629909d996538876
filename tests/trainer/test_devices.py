"""A training step of GPT-3 Small on a device that is not the CPU: ``meta``, which computes nothing and refuses what lies elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from curation.errors import UsageError
from curation.recipe_model import ModelSettings
from curation.recipe_train import TrainSettings
from trainer.attention import CausalAttention
from trainer.distribute import build_objective
from trainer.flex_attention import BLOCK
from trainer.model import GPT
from trainer.plan import choose_device, plan_training
from trainer.presets import GPT2_VOCABULARY
from trainer.processes import Processes, joined


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"positions": "rope", "norm": "rms_norm", "mlp": "swiglu", "biases": False, "tied_head": False},
        {"positions": "alibi", "query_bias": False},
    ],
)
@pytest.mark.parametrize("recompute", [False, True])
def test_every_tensor_of_a_step_is_made_where_the_model_lies(model: dict[str, Any], recompute: bool) -> None:
    settings = TrainSettings(preset="gpt3-small", device="cpu", model=ModelSettings(**model))
    plan = replace(plan_training(settings, GPT2_VOCABULARY), device=torch.device("meta"))
    plan = replace(plan, config=replace(plan.config, layers=2))
    with torch.device("meta"):
        weights = GPT(plan.config)
        ids = torch.zeros((2, 2049), dtype=torch.int64)
    objective = build_objective(weights, Processes(), plan, recompute=recompute, compiled=False)
    objective(ids).backward()
    assert torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0).is_meta
    assert all(parameter.grad.is_meta for parameter in objective.parameters())  # type: ignore[union-attr]


class OnGpu(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    is_cuda = True  # type: ignore[assignment]


@pytest.mark.parametrize(("positions", "used"), [(2 * BLOCK, True), (2 * BLOCK - 1, False), (2 * BLOCK + 1, False), (1, False)])
def test_flex_attention_is_for_whole_blocks(monkeypatch: pytest.MonkeyPatch, positions: int, used: bool) -> None:
    monkeypatch.setattr("trainer.attention.has_kernels", lambda: True)
    attention = CausalAttention(plan_training(TrainSettings(device="cpu"), 1000).config, 1)
    taken: list[str] = []
    for way in ("flex", "composed"):
        monkeypatch.setattr(attention, way, lambda queries, keys, values, way=way: taken.append(way))
    heads = [torch.randn(1, 12, positions, 64) for _ in range(3)]
    attention(heads[0].as_subclass(OnGpu), heads[1], heads[2])
    assert taken == ["flex" if used else "composed"]


def test_one_gpu_is_not_for_several_processes() -> None:
    with pytest.raises(UsageError, match="cuda:1 is one GPU, and torchrun has started 2 processes; set it to cuda"):
        choose_device("cuda:1", Processes(0, 2, 0))


def test_a_process_without_a_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="process 1 of this machine has no GPU: there are 1"), joined("auto"):
        pass
