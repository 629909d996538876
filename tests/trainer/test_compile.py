"""What torch.compile is given to compile: traced here as on a GPU, with the same gradients, and never anew for another size."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from curation.recipe_train import TrainSettings
from trainer import cross_entropy
from trainer.distribute import build_objective, compiled_for
from trainer.model import GPT, build_model
from trainer.plan import Plan, plan_training
from trainer.processes import Processes

SEQUENCES, VOCABULARY = 4, 300


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Compile without generating code; counts the graphs."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager", fullgraph=True))
    monkeypatch.setitem(cross_entropy.CHUNK_LOGITS, "cpu", 128 * 384)  # two chunks
    torch._dynamo.reset()
    counters.clear()
    yield lambda: counters["stats"]["unique_graphs"]
    torch._dynamo.reset()


def small(layers: int = 2) -> tuple[Plan, GPT]:
    """An alternating model in which banded attention runs in blocks."""
    settings = TrainSettings(preset="pico", device="cpu", batch_tokens=64 * SEQUENCES, micro_batch_sequences=SEQUENCES)
    plan = plan_training(settings, VOCABULARY)
    plan = replace(plan, config=replace(plan.config, layers=layers, attention_window=16))
    return plan, build_model(plan.config, 0)


def gradients(objective: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    objective.zero_grad()
    objective(ids).backward()
    return [parameter.grad.clone() for parameter in objective.parameters()]


@pytest.mark.parametrize("recompute", [pytest.param(False, marks=pytest.mark.slow), True])
def test_one_graph_to_train_and_one_to_validate(graphs: Any, recompute: bool) -> None:
    plan, model = small()
    plain = build_objective(model, Processes(), plan, recompute=False, compiled=False)
    compiled = build_objective(build_model(plan.config, 0), Processes(), plan, recompute=recompute, compiled=True)
    generator = torch.Generator().manual_seed(0)
    for sequences in (SEQUENCES, 3, 1, SEQUENCES):  # as a ramp makes them
        ids = torch.randint(VOCABULARY, (sequences, 65), generator=generator)
        for ours, theirs in zip(gradients(compiled, ids), gradients(plain, ids), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        with torch.no_grad():
            torch.testing.assert_close(compiled(ids), plain(ids))
    assert graphs() == 2


def test_blocks_share_their_graphs(graphs: Any) -> None:
    """Under FSDP each block is compiled; more graphs of one function than eight, and torch.compile would give up."""
    _, model = small(layers=8)
    blocks = [compiled_for(block.forward, SEQUENCES) for block in model.blocks]
    expected, found = (torch.randn(SEQUENCES, 64, 64, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    with torch.no_grad():
        for block, compiled in zip(model.blocks, blocks, strict=True):
            found = compiled(found, None, None)
            expected = block(expected, None, None)
    torch.testing.assert_close(found, expected)
    assert graphs() == 2  # a dense layer's and a banded one's
