"""Sampling text from a model."""

from __future__ import annotations

import torch

from trainer.model import GPT
from trainer.tokenizer import Tokenizer


@torch.no_grad()
def generate_ids(model: GPT, ids: list[int], count: int, *, temperature: float, top_k: int, seed: int, stop_id: int) -> list[int]:
    """At most ``count`` ids that follow ``ids`` (at least one), drawn from the model; ``stop_id`` ends them and is left out.

    Each is drawn from the ``top_k`` likeliest ids with probabilities softmax(logits / temperature);
    the model sees the last ``context_length`` ids. The same seed gives the same draws.
    """
    generator = torch.Generator().manual_seed(seed)
    device = model.token_embedding.weight.device
    known = list(ids)
    for _ in range(count):
        window = torch.tensor([known[-model.config.context_length :]], device=device)
        logits = model(window)[0, -1].float().cpu() / temperature
        likeliest = torch.topk(logits, min(top_k, len(logits)))
        choice = torch.multinomial(torch.softmax(likeliest.values, dim=0), 1, generator=generator)
        drawn = int(likeliest.indices[choice])
        if drawn == stop_id:
            break
        known.append(drawn)
    return known[len(ids) :]


def generate_text(model: GPT, tokenizer: Tokenizer, prompt: str, count: int, *, temperature: float, top_k: int, seed: int) -> str:
    """The prompt, as the beginning of a document, and what the model writes after it, ``count`` tokens at most."""
    start = [tokenizer.end_of_text, *tokenizer.encode(prompt).tolist()]
    drawn = generate_ids(model, start, count, temperature=temperature, top_k=top_k, seed=seed, stop_id=tokenizer.end_of_text)
    return tokenizer.decode([*start[1:], *drawn])
