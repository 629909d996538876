"""Keys and values of the positions seen so far, so that generating a token computes only that token."""

from __future__ import annotations

import torch

from trainer.model_config import ModelConfig


class LayerCache:
    """The keys and values of one layer, each of shape (batch, heads, positions, head width)."""

    def __init__(self, window: int | None) -> None:
        self.window = window
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    def extend(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values that new positions may see: those kept, and the new ones given here."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat((self.keys, keys), dim=2), torch.cat((self.values, values), dim=2)
        # A banded layer's next position sees itself and one fewer than the window of those before it.
        first = 0 if self.window is None else max(0, keys.shape[2] - (self.window - 1))
        self.keys, self.values = keys[:, :, first:], values[:, :, first:]
        return keys, values


class Cache:
    """What a model remembers of the ``positions`` ids that it has seen."""

    def __init__(self, config: ModelConfig) -> None:
        self.layers = [LayerCache(config.window(layer)) for layer in range(config.layers)]
        self.positions = 0
