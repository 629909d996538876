"""trainer/memory.py: counted by hand, and against the memory of real trainings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from curation.errors import PipelineError, UsageError
from trainer.memory import MemoryNeed, available_bytes, check_fits, exhaustion_told, readable_size
from trainer.model_config import ModelConfig

CONFIG = ModelConfig(1000, 64, 2, 32, 2, attention="dense")
NEED = MemoryNeed(CONFIG, 4, torch.float32)


def test_by_hand() -> None:
    # 1,024 rows with padding and 64 positions of 32; a block has 12 * 32^2 + 13 * 32; a last norm of 64.
    assert NEED.state == 16 * (1024 * 32 + 64 * 32 + 2 * (12 * 32**2 + 13 * 32) + 64)
    # Of 4 * 64 tokens: in two layers 8 widths of residuals, norms, attention, and 2 * 4 of the MLP; twice the logits, and what
    # enters the head, with its gradient. Of 1,024 rows of the head the gradient.
    head = 4 * (256 * (2 * 1024 + 2 * 32) + 1024 * 32)
    assert NEED.activations == 4 * 256 * 2 * 16 * 32 + head
    assert replace(NEED, micro_batch=1000).activations == 4 * 64_000 * (2 * 16 * 32 + 2 * 32) + 4 * (2 * 2**25 + 1024 * 32)
    half = replace(NEED, precision=torch.bfloat16)
    # Halves of the logits and of their gradient, 2 bytes each, and of all matrices.
    assert half.activations == 256 * 2 * (4 * 4 * 32 + 2 * 14 * 32) + head + 4 * 256 * 1024
    assert half.state == NEED.state + 2 * (2 * 12 * 32**2 + 1024 * 32)
    recomputed = replace(NEED, recompute=True)
    assert recomputed.activations == 4 * 256 * (2 * 32 + 2 * 16 * 32) + head
    assert replace(NEED, parts=4).state == NEED.state // 4 + 8 * (12 * 32**2 + 1024 * 32)
    on_gpu = replace(NEED, micro_batch=10_000, device="cuda")  # four times as many logits at a time
    assert on_gpu.activations - replace(on_gpu, device="cpu").activations == 8 * 3 * 2**25


@pytest.mark.parametrize(
    ("available", "advice"),
    [
        (NEED.total - 1, "set train.micro_batch_sequences to 3"),
        (replace(NEED, micro_batch=1).total, "set train.micro_batch_sequences to 1"),
        (replace(NEED, micro_batch=1, recompute=True, parts=2).total, "fsdp on 2 or more such devices"),
        (10, "no preset is small enough"),
    ],
)
def test_what_does_not_fit_is_an_error_with_advice(available: int, advice: str) -> None:
    check_fits(NEED, NEED.total)
    with pytest.raises(UsageError, match=f"the model needs about .* free; .*{advice}"):
        check_fits(NEED, available)


def test_recomputing_helps_a_deep_model() -> None:
    deep = replace(NEED, config=replace(CONFIG, layers=24))
    with pytest.raises(UsageError, match=r"set train\.activation_checkpointing to true and train\.micro_batch_sequences to 1"):
        check_fits(deep, replace(deep, micro_batch=1, recompute=True).total)


def test_smaller_presets_are_named() -> None:
    large = MemoryNeed(ModelConfig(50_257, 2048, 96, 12_288, 96), 1, torch.bfloat16)
    with pytest.raises(UsageError, match=r"choose the smaller preset gpt3-2\.7b, or train with train\.parallel fsdp on 64 or more"):
        check_fits(large, 80 * 10**9)


def test_running_out_is_told_and_other_errors_are_not_hidden() -> None:
    with pytest.raises(PipelineError, match=r"not enough memory \(.*\); lower train\.micro_batch_sequences .* go on"), exhaustion_told():
        torch.empty(1 << 58)  # more than any machine has
    for error in (torch.OutOfMemoryError("CUDA out of memory. Tried"), MemoryError()):
        with pytest.raises(PipelineError, match="not enough memory"), exhaustion_told():
            raise error
    with pytest.raises(RuntimeError, match="shape"), exhaustion_told():
        torch.ones(2).view(3)


def test_something_is_available() -> None:
    assert 10**8 < available_bytes(torch.device("cpu")) < 10**14


TRAINING = """
import json, resource, sys
import numpy as np
from curation.recipe_train import TrainSettings
from trainer.distribute import build_objective
from trainer.forecast import memory_need
from trainer.model import build_model
from trainer.optimizer import build_optimizer
from trainer.plan import plan_training
from trainer.processes import Processes
from trainer.step import Stepper

settings = TrainSettings(**json.loads(sys.argv[1]), device="cpu")
plan = plan_training(settings, int(sys.argv[2]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = build_model(plan.config, 0)
objective = build_objective(model, Processes(), plan, recompute=settings.activation_checkpointing, compiled=False)
stepper = Stepper(objective, build_optimizer(model, settings), settings, plan, Processes())
for _ in range(2):
    stepper.step(lambda part: np.ones((len(part), plan.config.context_length + 1), dtype=np.int64), settings.micro_batch_sequences, 1e-3)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([memory_need(plan, settings, Processes()).total, 1024 * (peak - before), 1024 * peak]))
"""


def measured(settings: dict[str, object], vocabulary: int) -> list[int]:
    """Predicted bytes, bytes that a training added to its process, and bytes of the whole process."""
    command = [sys.executable, "-c", TRAINING, json.dumps(settings), str(vocabulary)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    numbers: list[int] = json.loads(result.stdout)
    return numbers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "vocabulary"),
    [
        ({"preset": "tiny", "micro_batch_sequences": 8}, 50_257),  # logits weigh most
        ({"preset": "mini", "micro_batch_sequences": 4}, 2_000),  # activations
        ({"preset": "mini", "micro_batch_sequences": 4, "activation_checkpointing": True}, 2_000),
        ({"preset": "mini", "micro_batch_sequences": 4, "model": {"attention": "dense", "mlp": "swiglu", "norm": "rms_norm"}}, 2_000),
        ({"preset": "mini", "micro_batch_sequences": 4, "precision": "bfloat16"}, 2_000),
        ({"preset": "gpt3-small", "micro_batch_sequences": 1, "context_length": 64, "batch_tokens": 64}, 2_000),  # weights
    ],
)
def test_prediction_is_within_a_half_of_what_is_used(settings: dict[str, object], vocabulary: int) -> None:
    predicted, used, _ = measured(settings, vocabulary)
    assert 1 / 1.5 < predicted / used < 1.5


@pytest.mark.slow
def test_two_gigabytes_are_enough_for_tiny() -> None:
    """The whole process with the vocabulary of GPT-2, torch included, at the default micro-batch."""
    _, _, peak = measured({"preset": "tiny"}, 50_257)
    assert peak < 2 * 10**9


@pytest.mark.parametrize(
    ("size", "text"), [(2_191_360, "2.2 MB"), (10**8, "0.10 GB"), (22_770_000_000, "22.77 GB"), (4_176_000_000_000, "4,176 GB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert readable_size(size) == text
