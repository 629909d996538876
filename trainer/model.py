"""The model: a decoder that reads ids and gives logits of the next.

GPT-3's (section 2.1) unless the configuration says otherwise: blocks of GPT-2 (section 2.3) with alternating dense and
banded attention, learned positions, one more norm at the end, and the token embedding as output head.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from trainer.cache import Cache
from trainer.cross_entropy import linear_cross_entropy
from trainer.layers import Block, build_norm, rotation
from trainer.model_config import ModelConfig

INITIAL_STD = 0.02  # GPT-1, section 4.1; GPT-2, src/model.py
POSITION_STD = 0.01  # GPT-2, src/model.py


class GPT(nn.Module):
    """The language model: ids in, logits of the next id out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.padded_vocabulary, config.width)
        if config.positions == "learned":
            self.position_embedding = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.final_norm = build_norm(config) if config.norm_position == "pre" else nn.Identity()
        if not config.tied_head:
            self.head = nn.Linear(config.width, config.padded_vocabulary, bias=False)

    def forward(self, ids: torch.Tensor, cache: Cache | None = None) -> torch.Tensor:
        """Logits, shape (batch, positions, vocabulary_size), for ids of shape (batch, positions).

        With a ``cache``, the ids follow those that it has seen, and are added to it.
        """
        return self.logits(self.hidden(ids, cache))

    def hidden(self, ids: torch.Tensor, cache: Cache | None = None) -> torch.Tensor:
        """The last layer's output, (B, T, C), normalised."""
        config = self.config
        first = cache.positions if cache else 0
        positions = torch.arange(first, first + ids.shape[1], device=ids.device)
        x = self.token_embedding(ids)  # (B, T, C)
        if config.positions == "learned":
            x = x + self.position_embedding(positions)
        angles = rotation(positions, config.head_width) if config.positions == "rope" else None
        for layer, block in enumerate(self.blocks):
            x = block(x, angles, cache.layers[layer] if cache else None)
        if cache:
            cache.positions += ids.shape[1]
        return cast(torch.Tensor, self.final_norm(x))

    @property
    def head_weight(self) -> torch.Tensor:
        """What makes logits of the last layer's output, (padded_vocabulary, C)."""
        return self.token_embedding.weight if self.config.tied_head else self.head.weight

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of each id, (..., vocabulary_size), for outputs of the last layer, (..., C)."""
        weight, size = self.head_weight, self.config.vocabulary_size
        # Without the padding the logits need no copy; with it they suit the matrix units of CUDA.
        return F.linear(x, weight)[..., :size] if x.is_cuda else F.linear(x, weight[:size])

    def loss(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy in nats a token, scalar, for sequences of shape (batch, T + 1).

        Each id but the first is predicted from those before it.
        """
        x = self.hidden(ids[:, :-1]).flatten(0, 1)
        return linear_cross_entropy(x, self.head_weight, ids[:, 1:].flatten(), self.config.vocabulary_size)


def build_model(config: ModelConfig, seed: int, device: torch.device | str = "cpu") -> GPT:
    """A new model, the same for the same configuration and seed on every device.

    Weights are normal with standard deviation 0.02 (positions 0.01), biases 0, gains 1. The two
    projections onto the residual stream of each block are scaled by 1/sqrt(2 * layers) (GPT-2,
    section 2.3: one over the root of the number of residual layers), except with norms behind the
    sub-blocks, where the stream does not grow (GPT-1).
    """
    with torch.device("meta"):
        model = GPT(config)
    model = model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    residual_std = INITIAL_STD / math.sqrt(2 * config.layers) if config.norm_position == "pre" else INITIAL_STD
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
            elif name == "position_embedding.weight":
                parameter.normal_(0.0, POSITION_STD, generator=generator)
            else:
                parameter.normal_(0.0, residual_std if name.endswith(".output.weight") else INITIAL_STD, generator=generator)
        for name in ("token_embedding.weight", "head.weight"):
            if name in model.state_dict():
                model.get_parameter(name)[config.vocabulary_size :] = 0.0
    return model.to(device)
