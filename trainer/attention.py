"""Causal attention, dense and locally banded, with or without ALiBi: one object a layer, which picks the fastest way.

Queries, keys and values have shape (batch, heads, positions, head width), and so has the result. Where there are fewer
queries than keys, as behind a cache, they are the last positions. Scores are scaled by 1/sqrt(head width).
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from trainer.flex_attention import BLOCK, MIN_HEAD_WIDTH, FlexAttention, Slope, has_kernels
from trainer.model_config import ModelConfig

ALIBI_EXPONENT = 8.0  # ALiBi (arXiv 2108.12409), section 3: slopes of n heads are 2^(-8/n), 2^(-16/n) and so on to 2^-8


class CausalAttention:
    """The attention of one layer, counted from 0."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        self.window = config.window(layer)
        self.heads = config.heads
        self.slope = alibi_slope(config.heads) if config.positions == "alibi" else None
        # Chosen here, since a model that is being compiled cannot ask about the machine.
        special = (self.window is not None or self.slope is not None) and config.head_width >= MIN_HEAD_WIDTH and has_kernels()
        self.flex = FlexAttention(self.window, self.slope) if special else None

    def __call__(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """What each position makes of those that it sees: itself and those before it, ``window`` in all where there is one."""
        positions = queries.shape[2]
        if positions != keys.shape[2]:
            return self.masked(queries, keys, values)
        if self.flex and queries.is_cuda and positions % BLOCK == 0:
            return self.flex(queries, keys, values)
        return self.composed(queries, keys, values)

    def composed(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The same by PyTorch's dense attention, for as many queries as keys."""
        if self.window and self.window < queries.shape[2]:
            return self.in_blocks(queries, keys, values)
        if self.slope:
            return self.masked(queries, keys, values)
        return F.scaled_dot_product_attention(queries, keys, values, is_causal=True)

    def masked(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Attention with a mask of all pairs, whose memory is their number."""
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=self.mask(queries, keys.shape[2]))

    def in_blocks(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Banded attention for more positions than the window W: in blocks of W queries, which see two blocks of W keys."""
        window = self.window or 0
        batch, heads, positions, head_width = queries.shape
        # No block lies before the first, which is dense; the last is filled up with positions that no real one sees.
        first = self.composed(queries[:, :, :window], keys[:, :, :window], values[:, :, :window])
        blocks = -(-positions // window)
        queries, keys, values = (
            F.pad(x, (0, 0, 0, blocks * window - positions)).reshape(batch, heads, blocks, window, head_width).transpose(1, 2)
            for x in (queries, keys, values)
        )  # (B, blocks, H, W, D)
        keys, values = (torch.cat((x[:, :-1], x[:, 1:]), dim=3).flatten(0, 1) for x in (keys, values))  # (B * (blocks - 1), H, 2 W, D)
        rest = self.masked(queries[:, 1:].flatten(0, 1), keys, values)  # (B * (blocks - 1), H, W, D)
        rest = rest.reshape(batch, blocks - 1, heads, window, head_width).transpose(1, 2).flatten(2, 3)  # (B, H, (blocks - 1) * W, D)
        return torch.cat((first, rest[:, :, : positions - window]), dim=2)

    def mask(self, queries: torch.Tensor, keys: int) -> torch.Tensor:
        """What is added to the scores, (heads, queries, keys), or without ALiBi which are allowed, bool (queries, keys)."""
        device, count = queries.device, queries.shape[2]
        distance = torch.arange(keys - count, keys, device=device)[:, None] - torch.arange(keys, device=device)
        allowed = (distance >= 0) if self.window is None else (distance >= 0) & (distance < self.window)
        if self.slope is None:
            return allowed
        falling = -self.slope(torch.arange(self.heads, device=device))[:, None, None] * distance
        return torch.where(allowed, falling, -torch.inf).to(queries.dtype)


def alibi_slope(heads: int) -> Slope:
    """How much the scores of a head, counted from 0, fall with each position of distance (ALiBi, section 3)."""

    def slope(head: torch.Tensor) -> torch.Tensor:
        return torch.exp2(-ALIBI_EXPONENT * (head + 1) / heads)

    return slope
