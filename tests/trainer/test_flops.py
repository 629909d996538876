"""trainer/flops.py against sums by hand, counts pair by pair, and PyTorch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from trainer.flops import mean_keys, peak_operations, training_operations, utilisation
from trainer.model import build_model
from trainer.model_config import ModelConfig
from trainer.presets import GPT2_VOCABULARY


@pytest.mark.parametrize(("positions", "window"), [(1, None), (7, None), (7, 1), (7, 3), (7, 7), (7, 20), (2048, 256)])
def test_mean_keys_counts_pairs(positions: int, window: int | None) -> None:
    pairs = sum(window is None or query - key < window for query in range(positions) for key in range(query + 1))
    assert mean_keys(positions, window) == pytest.approx(pairs / positions)


def test_gpt3_small_by_hand() -> None:
    """12 layers of 12 * 768^2 weights and a head of 50257 * 768; 1024.5 keys in six layers, 240.0625 in six."""
    dense = ModelConfig(GPT2_VOCABULARY, 2048, 12, 768, 12, attention="dense")
    weights = 12 * 12 * 768**2 + 50257 * 768
    assert training_operations(dense) == 6 * weights + 12 * 768 * 12 * 1024.5
    alternating = ModelConfig(GPT2_VOCABULARY, 2048, 12, 768, 12)
    # (256 * 257 / 2 + 1792 * 256) / 2048 = 240.0625
    assert training_operations(alternating) == 6 * weights + 12 * 768 * 6 * (1024.5 + 240.0625)


@pytest.mark.parametrize("mlp", ["gelu", "swiglu"])
def test_equals_the_counter_of_pytorch(mlp: str) -> None:
    """Its attention counts every pair, seen or not; the rest must agree. The vocabulary needs no padding here."""
    config = ModelConfig(128, 16, 2, 64, 4, attention="dense", mlp=mlp, tied_head=False)  # type: ignore[arg-type]
    model = build_model(config, 0)
    with FlopCounterMode(display=False) as counter:
        model.loss(torch.zeros(1, 17, dtype=torch.long)).backward()
    counts = counter.get_flop_counts()["Global"]
    matrices = sum(count for operation, count in counts.items() if "attention" not in str(operation) and "bmm" not in str(operation))
    ours = training_operations(config) * 16 - 12 * 64 * 2 * mean_keys(16, None) * 16
    assert matrices == ours


def test_utilisation() -> None:
    config = ModelConfig(GPT2_VOCABULARY, 2048, 12, 768, 12, attention="dense")
    # 854.49 M operations a token: a million tokens a second are 854.49 T of 989 T.
    assert utilisation(config, 1e6, 989e12) == pytest.approx(0.8640, abs=1e-4)
    assert peak_operations("NVIDIA H200") == peak_operations("NVIDIA H100 80GB HBM3") == 989e12
    assert (
        peak_operations("NVIDIA H100 PCIe") == 756e12 and peak_operations("NVIDIA H100 NVL") == peak_operations("NVIDIA H200 NVL") == 835e12
    )
    assert peak_operations("Some other device") is None
