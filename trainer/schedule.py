"""The learning rate as a function of tokens."""

from __future__ import annotations

import math


def learning_rate(tokens: int, *, peak: float, warmup_tokens: int, decay_tokens: int, min_ratio: float) -> float:
    """Learning rate of the step that ends at ``tokens`` training tokens (GPT-3, appendix B).

    Linear from 0 over ``warmup_tokens``; then a cosine that starts at token 0, below the warm-up,
    and reaches ``min_ratio`` * ``peak`` at ``decay_tokens``; constant after that.
    """
    if tokens < warmup_tokens:
        return peak * tokens / warmup_tokens
    progress = min(tokens, decay_tokens) / decay_tokens
    return peak * (min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress)))
