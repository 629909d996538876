"""The validation loss: by source, and for the mixture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from trainer.data import ValidationData
from trainer.plan import Plan
from trainer.processes import Processes


@torch.no_grad()
def validation_loss(
    objective: nn.Module,
    data: ValidationData,
    token_bytes: np.ndarray,
    plan: Plan,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> dict[str, Any]:
    """Losses on the validation sequences, a micro-batch in one forward pass; processes share them out.

    ``validation_loss``: nats a token, mean over sources by their share of the mixture.
    ``bits_per_byte``: bits for one byte of text, the same mixture, which compares tokenizers.
    ``source_losses``: nats a token of each source. ``token_bytes``: length of each id in bytes.
    """
    sources = list(data.weights)
    batches = [(row, part) for row, source in enumerate(sources) for part in data.parts(source, plan.micro_batch)]
    sums = torch.zeros((len(sources), 3), dtype=torch.float64)  # nats, tokens and bytes of text of each source
    for first in range(0, len(batches), processes.count):
        row, part = batches[min(first + processes.rank, len(batches) - 1)]
        ids = data.sequences(sources[row], part)
        with plan.autocast():
            loss = float(objective(torch.from_numpy(ids).to(plan.device)))
        if first + processes.rank < len(batches):  # else computed only for the others, who wait for this process
            targets = ids[:, 1:]
            sums[row] += torch.tensor([loss * targets.size, targets.size, int(token_bytes[targets].sum())], dtype=torch.float64)
    totals = processes.sum(sums).tolist()
    losses = {source: nats / tokens for source, (nats, tokens, _) in zip(sources, totals, strict=True)}
    bytes_per_token = {source: text / tokens for source, (_, tokens, text) in zip(sources, totals, strict=True)}
    loss = sum(share * losses[source] for source, share in data.weights.items())
    mean_bytes = sum(share * bytes_per_token[source] for source, share in data.weights.items())
    return {"validation_loss": loss, "bits_per_byte": loss / (math.log(2) * mean_bytes), "source_losses": losses}
