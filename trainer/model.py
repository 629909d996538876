"""The model: GPT-2's decoder at GPT-3's sizes.

Pre-normalised blocks, learned positions, biases everywhere, GELU by tanh, one more LayerNorm at the
end, and the token embedding as output head (GPT-3, section 2.1; GPT-2, section 2.3). Read it from
top to bottom: attention, MLP, block, configuration, model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from trainer.attention import attention_of
from trainer.presets import parameter_count

LAYER_NORM_EPSILON = 1e-5  # GPT-2, src/model.py
INITIAL_STD = 0.02  # GPT-1, section 4.1; GPT-2, src/model.py
POSITION_STD = 0.01  # GPT-2, src/model.py
MLP_RATIO = 4  # GPT-3, section 2.1
# Rows of the token embedding are padded to this multiple, which matrix units prefer. The padding
# enters no count, no loss and no sample.
VOCABULARY_MULTIPLE = 128


@dataclass(frozen=True)
class ModelConfig:
    """What determines the shape of a model."""

    vocabulary_size: int
    context_length: int
    layers: int
    width: int
    heads: int

    @property
    def parameters(self) -> int:
        """Exact number of parameters, padding of the vocabulary not counted."""
        return parameter_count(self.layers, self.width, self.context_length, self.vocabulary_size)


class SelfAttention(nn.Module):
    """Multi-head causal self-attention."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.attend = attention_of(layer)
        self.input = nn.Linear(config.width, 3 * config.width)  # queries, keys, values
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, T, C)
        batch, positions, width = x.shape
        heads = self.input(x).view(batch, positions, 3, self.heads, width // self.heads)  # (B, T, 3, H, C / H)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)  # each (B, H, T, C / H)
        attended = self.attend(queries, keys, values)
        return cast(torch.Tensor, self.output(attended.transpose(1, 2).reshape(batch, positions, width)))  # (B, T, C)


class MLP(nn.Module):
    """Two linear layers with GELU between, four times as wide inside."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input = nn.Linear(config.width, MLP_RATIO * config.width)
        self.output = nn.Linear(MLP_RATIO * config.width, config.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.output(F.gelu(self.input(x), approximate="tanh")))


class Block(nn.Module):
    """Attention and MLP, each on a normalised input and added to the residual stream."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, eps=LAYER_NORM_EPSILON)
        self.attention = SelfAttention(config, layer)
        self.mlp_norm = nn.LayerNorm(config.width, eps=LAYER_NORM_EPSILON)
        self.mlp = MLP(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + cast(torch.Tensor, self.mlp(self.mlp_norm(x)))


class GPT(nn.Module):
    """The language model: ids in, logits of the next id out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        padded = -(-config.vocabulary_size // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
        self.token_embedding = nn.Embedding(padded, config.width)
        self.position_embedding = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.final_norm = nn.LayerNorm(config.width, eps=LAYER_NORM_EPSILON)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, positions, vocabulary_size), for ids of shape (batch, positions)."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.token_embedding(ids) + self.position_embedding(positions)  # (B, T, C)
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.final_norm(x), self.token_embedding.weight)  # (B, T, padded)
        return logits[..., : self.config.vocabulary_size]

    def loss(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy in nats a token, scalar, for sequences of shape (batch, T + 1).

        Each id but the first is predicted from those before it.
        """
        logits = self(ids[:, :-1]).float()
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def build_model(config: ModelConfig, seed: int, device: torch.device | str = "cpu") -> GPT:
    """A new model, the same for the same configuration and seed on every device.

    Weights are normal with standard deviation 0.02 (positions 0.01), biases 0, gains 1. The two
    projections onto the residual stream of each block are scaled by 1/sqrt(2 * layers) (GPT-2,
    section 2.3: one over the root of the number of residual layers).
    """
    with torch.device("meta"):
        model = GPT(config)
    model = model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    residual_std = INITIAL_STD / math.sqrt(2 * config.layers)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
            elif name == "position_embedding.weight":
                parameter.normal_(0.0, POSITION_STD, generator=generator)
            else:
                parameter.normal_(0.0, residual_std if name.endswith(".output.weight") else INITIAL_STD, generator=generator)
        model.token_embedding.weight[config.vocabulary_size :] = 0.0
    return model.to(device)
