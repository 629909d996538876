"""The validation loss: by source, and for the mixture."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from trainer.data import ValidationData
from trainer.model import GPT


@torch.no_grad()
def validation_loss(
    model: GPT, data: ValidationData, token_bytes: np.ndarray, sequences: int, precision: AbstractContextManager[Any]
) -> dict[str, Any]:
    """Losses on the validation sequences, ``sequences`` in one forward pass.

    ``validation_loss``: nats a token, mean over sources by their share of the mixture.
    ``bits_per_byte``: bits for one byte of text, the same mixture, which compares tokenizers.
    ``source_losses``: nats a token of each source. ``token_bytes``: length of each id in bytes.
    """
    losses: dict[str, float] = {}
    bytes_per_token: dict[str, float] = {}
    device = model.token_embedding.weight.device
    for source in data.weights:
        nats, tokens, text_bytes = 0.0, 0, 0
        for batch in data.batches(source, sequences):
            ids = torch.from_numpy(batch).to(device)
            with precision:
                logits = model(ids[:, :-1])
            nats += float(F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="sum"))
            tokens += batch[:, 1:].size
            text_bytes += int(token_bytes[batch[:, 1:]].sum())
        losses[source], bytes_per_token[source] = nats / tokens, text_bytes / tokens
    loss = sum(share * losses[source] for source, share in data.weights.items())
    mean_bytes = sum(share * bytes_per_token[source] for source, share in data.weights.items())
    return {"validation_loss": loss, "bits_per_byte": loss / (math.log(2) * mean_bytes), "source_losses": losses}
