"""Attention patterns, and which layer has which."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

# Queries, keys and values of shape (batch, heads, positions, head width); the result has the same.
Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def dense(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Causal attention: position i sees positions 0 to i, itself included; scale 1/sqrt(head width)."""
    return F.scaled_dot_product_attention(queries, keys, values, is_causal=True)


def attention_of(layer: int) -> Attention:
    """The attention of a layer, counted from 0. Every layer is dense."""
    del layer
    return dense
