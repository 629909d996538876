"""Banded and biased attention on CUDA by FlexAttention, which computes no block of scores that is hidden."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import cast

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

Kernel = Callable[..., torch.Tensor]
Slope = Callable[[torch.Tensor], torch.Tensor]  # of a head

MIN_HEAD_WIDTH = 16  # of FlexAttention's kernels
# Positions of a block. With others than whole blocks, a slope and a mask together made gradients NaN (pytorch/pytorch#153799), and
# fewer than one block would take the kernels for decoding.
BLOCK = 128
MIN_CAPABILITY = (8, 0)  # Ampere: older ones lack the instructions that its kernels are tuned for


@functools.cache
def has_kernels() -> bool:
    """Whether FlexAttention's kernels run on this machine's GPU; else attention in blocks gives the same."""
    if importlib.util.find_spec("triton") is None or not torch.cuda.is_available():
        return False
    return torch.cuda.get_device_capability() >= MIN_CAPABILITY


@functools.cache
def _compiled() -> Kernel:
    return cast(Kernel, torch.compile(flex_attention))


class FlexAttention:
    """Causal attention with a window (None: all earlier positions) and a slope of scores by distance (None: no slope)."""

    def __init__(self, window: int | None, slope: Slope | None) -> None:
        self.mask_mod = sees(window)
        self.score_mod = falling_score(slope) if slope else None
        self.block_masks: dict[tuple[int, torch.device], BlockMask] = {}

    def __call__(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """As ``CausalAttention``, for as many queries as keys. On a CPU it runs uncompiled, slow, for tests."""
        # Inside a compiled model the kernel is compiled with it.
        kernel = _compiled() if queries.is_cuda and not torch.compiler.is_compiling() else cast(Kernel, flex_attention)
        mask = self.block_mask(queries.shape[2], queries.device)
        return kernel(queries, keys, values, score_mod=self.score_mod, block_mask=mask)

    def block_mask(self, positions: int, device: torch.device) -> BlockMask:
        """Which blocks of pairs hold any that is seen; kept for the next call, but not inside a compiled model, whose part it is."""
        if torch.compiler.is_compiling():
            return create_block_mask(self.mask_mod, None, None, positions, positions, device)
        if (positions, device) not in self.block_masks:
            self.block_masks[positions, device] = create_block_mask(self.mask_mod, None, None, positions, positions, device)
        return self.block_masks[positions, device]


# FlexAttention tells the two kinds of function by their number of arguments, and so takes no methods.


def sees(window: int | None) -> Callable[..., torch.Tensor]:
    """Whether a query position sees a key position, as FlexAttention's ``mask_mod``."""

    def causal(batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return key <= query

    if window is None:
        return causal

    def banded(batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return (key <= query) & (query - key < window)

    return banded


def falling_score(slope: Slope) -> Callable[..., torch.Tensor]:
    """The score, less a slope of the head times the distance, as FlexAttention's ``score_mod``."""

    def score_mod(score: torch.Tensor, batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return score - slope(head) * (query - key)

    return score_mod
