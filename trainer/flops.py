"""Floating-point operations of a model, and how much of a device they fill. Needs no torch.

A multiplication and the addition behind it are two operations. Norms, softmax and GELU count for
nothing, and neither does what is computed twice to save memory: only what the model needs.
"""

from __future__ import annotations

from trainer.model_config import ModelConfig

# A weight is multiplied with each token in the forward pass, and twice in the backward pass: for
# the gradient of the weight and for that of its input (Kaplan et al., arXiv 2001.08361, 2.1).
OPERATIONS_PER_WEIGHT = 6
# Likewise for each pair of a query and a key, by the width: the score, and the share of the value.
OPERATIONS_PER_PAIR = 12
PETAFLOP_DAY = 1e15 * 86_400  # GPT-3, table D.1

# Most operations a second in bfloat16 without sparsity, by what the device's name holds (NVIDIA's data sheets); the first that fits counts.
PEAK_OPERATIONS = {
    "H200 NVL": 835e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
}


def mean_keys(positions: int, window: int | None) -> float:
    """Keys that a position sees, its own included, on the average of a sequence.

    Position i, counted from 1, sees i keys; in a banded layer, at most ``window``.
    """
    seen = positions if window is None else min(window, positions)
    return (seen * (seen + 1) / 2 + (positions - seen) * seen) / positions


def training_operations(config: ModelConfig, positions: int | None = None) -> float:
    """Operations of a training step for each token, forward and backward, in sequences of so many positions.

    6 (N + V C) + 12 C (keys seen, added up over the layers), with N the weights in the blocks'
    matrices, V the vocabulary without padding and C the width. ``positions``: the context's length by default.
    """
    length = positions or config.context_length
    keys = sum(mean_keys(length, config.window(layer)) for layer in range(config.layers))
    weights = config.matrix_parameters + config.vocabulary_size * config.width
    return OPERATIONS_PER_WEIGHT * weights + OPERATIONS_PER_PAIR * config.width * keys


def peak_operations(device_name: str) -> float | None:
    """The device's most operations a second in bfloat16; None if it is not in our list."""
    return next((peak for name, peak in PEAK_OPERATIONS.items() if name in device_name), None)


def utilisation(config: ModelConfig, tokens_per_second: float, peak: float) -> float:
    """Share of the peak that training at this speed makes use of (PaLM, arXiv 2204.02311, appendix B: MFU)."""
    return tokens_per_second * training_operations(config) / peak
