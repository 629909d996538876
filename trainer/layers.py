"""The parts of the model: norm, rotation, attention, MLP, block; each built as the configuration says.

Shapes: B sequences, T positions, C the model's width, H heads, D the width of a head.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from trainer.attention import CausalAttention
from trainer.cache import LayerCache
from trainer.gelu import gelu
from trainer.model_config import ModelConfig

NORM_EPSILON = 1e-5  # GPT-2, src/model.py; LLaMA, model.py
ROPE_BASE = 10_000.0  # RoPE (arXiv 2104.09864), section 3.2.2

Rotation = tuple[torch.Tensor, torch.Tensor]  # cosines and sines, each (T, D / 2)


def at_least_float32(parameter: torch.Tensor | None) -> torch.Tensor | None:
    """A parameter as norms want it: FSDP gathers halves, and the residual stream is float32."""
    return None if parameter is None else parameter.to(torch.promote_types(parameter.dtype, torch.float32))


class LayerNorm(nn.LayerNorm):
    """PyTorch's, for parameters in half precision too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, self.normalized_shape, at_least_float32(self.weight), at_least_float32(self.bias), self.eps)


class RMSNorm(nn.RMSNorm):
    """PyTorch's, for parameters in half precision too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, self.normalized_shape, at_least_float32(self.weight), self.eps)


def build_norm(config: ModelConfig) -> nn.Module:
    """A LayerNorm, or an RMSNorm: x / sqrt(mean(x^2) + epsilon) times a gain."""
    if config.norm == "rms_norm":
        return RMSNorm(config.width, eps=NORM_EPSILON)
    return LayerNorm(config.width, eps=NORM_EPSILON, bias=config.biases)


def rotation(positions: torch.Tensor, head_width: int) -> Rotation:
    """RoPE's angles: pair i of a head turns by position * base^(-2 i / D)."""
    frequencies = ROPE_BASE ** -(torch.arange(0, head_width, 2, device=positions.device) / head_width)
    angles = positions[:, None] * frequencies  # (T, D / 2)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, angles: Rotation) -> torch.Tensor:
    """Queries or keys, (B, H, T, D), turned by their positions; a pair is an entry of each half, as in Hugging Face's LLaMA."""
    cosines, sines = angles
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1).to(x.dtype)


class SelfAttention(nn.Module):
    """Multi-head causal self-attention."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.attend = CausalAttention(config, layer)
        self.input = nn.Linear(config.width, 3 * config.width, bias=config.biases)  # queries, keys, values
        self.output = nn.Linear(config.width, config.width, bias=config.biases)
        self.query_bias = config.query_bias or not config.biases
        if not self.query_bias:
            self.input.bias = nn.Parameter(torch.empty(2 * config.width))  # keys, values

    def forward(self, x: torch.Tensor, angles: Rotation | None, cache: LayerCache | None) -> torch.Tensor:  # (B, T, C)
        bias = self.input.bias if self.query_bias else F.pad(self.input.bias, (x.shape[-1], 0))
        parts = F.linear(x, self.input.weight, bias).chunk(3, dim=-1)  # each (B, T, C)
        queries, keys, values = (part.view(*x.shape[:2], self.heads, -1).transpose(1, 2) for part in parts)  # each (B, H, T, D)
        if angles is not None:
            queries, keys = rotate(queries, angles), rotate(keys, angles)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        attended = self.attend(queries, keys, values)
        return cast(torch.Tensor, self.output(attended.transpose(1, 2).flatten(2)))


class MLP(nn.Module):
    """Two linear layers with GELU between; or SwiGLU, where one half of the first gates the other."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gated = config.mlp == "swiglu"
        self.input = nn.Linear(config.width, (2 if self.gated else 1) * config.hidden_width, bias=config.biases)  # gate, then value
        self.output = nn.Linear(config.hidden_width, config.width, bias=config.biases)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.input(x)
        if self.gated:
            gate, value = inner.chunk(2, dim=-1)
            return cast(torch.Tensor, self.output(F.silu(gate) * value))
        return cast(torch.Tensor, self.output(gelu(inner)))


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream; normalised before them, or the sum behind them (GPT-1)."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.post_norm = config.norm_position == "post"
        self.attention_norm = build_norm(config)
        self.attention = SelfAttention(config, layer)
        self.mlp_norm = build_norm(config)
        self.mlp = MLP(config)

    def forward(self, x: torch.Tensor, angles: Rotation | None, cache: LayerCache | None) -> torch.Tensor:
        if self.post_norm:
            x = self.attention_norm(x + self.attention(x, angles, cache))
            return cast(torch.Tensor, self.mlp_norm(x + self.mlp(x)))
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + cast(torch.Tensor, self.mlp(self.mlp_norm(x)))
