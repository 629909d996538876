"""trainer/validation.py: bits per byte of a mixture, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainer.small_training import SETTINGS, TOKENIZER, write_tokens
from trainer.data import ValidationData
from trainer.plan import plan_training
from trainer.sequences import open_streams
from trainer.validation import validation_loss


class Known(nn.Module):
    """A loss of 2 nats a token on text with an x, of 1 on other text."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.weight.sum() + (2.0 if (ids == ord("x")).any() else 1.0)


def test_losses_and_bytes_are_weighted_by_the_mixture(tmp_path: Path) -> None:
    streams = open_streams(write_tokens(tmp_path / "tokens"), "validation", 44, TOKENIZER.sha256)
    data = ValidationData(streams, {"books": 0.25, "web": 0.75}, {"books": [0], "web": [0, 1]})
    token_bytes = np.full(257, 1)
    token_bytes[ord(";")] = 45  # once in "call me Ishmael; some years ago, never mind. ", which is 45 long
    measured = validation_loss(Known(), data, token_bytes, plan_training(SETTINGS, TOKENIZER.vocabulary_size))
    assert measured["source_losses"] == {"books": 1.0, "web": 2.0}
    assert measured["validation_loss"] == 0.25 * 1 + 0.75 * 2
    # Books: 44 targets, 43 of one byte and one of 45, are 2 bytes a token; web: 1.
    assert measured["bits_per_byte"] == pytest.approx(1.75 / math.log(2) / (0.25 * 2 + 0.75 * 1))
