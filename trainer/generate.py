"""Sampling text from a model, one token at a time behind a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trainer.cache import Cache
from trainer.model import GPT
from trainer.tokenizer import Tokenizer


@dataclass(frozen=True)
class Sampling:
    """How an id is drawn from the logits: at a temperature, among the likeliest."""

    temperature: float = 1.0  # logits are divided by it; 0: the likeliest id, always
    top_k: int = 0  # draw among so many; 0: all
    top_p: float = 1.0  # draw among the fewest that have this probability together (nucleus sampling, arXiv 1904.09751)
    seed: int = 0


def draw_id(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """An id by its logit, float of shape (vocabulary_size,): at the temperature, then the top k, then of these the top p."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    # Relative to the largest, since a temperature near 0 takes any other number beyond what a float holds.
    scaled = (logits.double() - logits.max()) / sampling.temperature
    falling, ids = torch.sort(scaled, descending=True, stable=True)
    shares = torch.softmax(falling[: sampling.top_k or None], dim=0)
    likelier = shares.cumsum(dim=0) - shares  # what stands before an id
    shares[1:][likelier[1:] >= sampling.top_p] = 0  # the likeliest stays, whatever top_p is
    return int(ids[torch.multinomial(shares, 1, generator=generator)])


@torch.no_grad()
def generate_ids(model: GPT, ids: Sequence[int], count: int, sampling: Sampling, stop_id: int) -> list[int]:
    """At most ``count`` ids that follow ``ids`` (at least one), drawn from the model; ``stop_id`` ends them and is left out.

    The model never sees more than its ``context_length``: of longer ids it reads the last so many, and
    whenever its context is full, it reads the last half of it anew and goes on from there. The same
    seed gives the same draws.
    """
    generator = torch.Generator().manual_seed(sampling.seed)
    context, device = model.config.context_length, model.token_embedding.weight.device
    known, cache = list(ids), Cache(model.config)
    unread = known[-context:]
    for _ in range(count):
        last = model.hidden(torch.tensor([unread], device=device), cache)[:, -1]
        drawn = draw_id(model.logits(last)[0].float().cpu(), sampling, generator)
        if drawn == stop_id:
            break
        known.append(drawn)
        unread = [drawn]
        if cache.positions == context:
            cache, unread = Cache(model.config), known[-max(1, context // 2) :]
    return known[len(ids) :]


def generate_text(model: GPT, tokenizer: Tokenizer, prompt: str, count: int, sampling: Sampling) -> str:
    """The prompt, as the beginning of a document, and what the model writes after it, ``count`` tokens at most."""
    start = [tokenizer.end_of_text, *tokenizer.encode(prompt).tolist()]
    drawn = generate_ids(model, start, count, sampling, tokenizer.end_of_text)
    return tokenizer.decode([*start[1:], *drawn])
