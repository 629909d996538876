"""Learning rate and batch size as functions of the tokens seen: pure, so that a run resumes anywhere.

GPT-3, appendix B, gives every duration in tokens of a run of 300 billion. What the recipe leaves open
is the same fraction of a shorter or longer run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from curation.recipe_train import TrainSettings

PAPER_TOKENS = 300_000_000_000  # GPT-3, table 2.1; the next durations are those of such a run
PAPER_WARMUP_TOKENS = 375_000_000
PAPER_DECAY_TOKENS = 260_000_000_000
# "Over the first 4-12 billion tokens of training, depending on the model size"; which size has which is not published.
# Ours: 4 billion up to 1.3B (1.32e9 parameters), 8 billion up to 13B (1.285e10), 12 billion above.
PAPER_RAMP_TOKENS = ((1_400_000_000, 4_000_000_000), (13_000_000_000, 8_000_000_000))
PAPER_LONGEST_RAMP_TOKENS = 12_000_000_000
# Ours: what a crash may cost, and what measuring costs, in a long run and in a short one.
VALIDATIONS, MAX_VALIDATION_INTERVAL, MAX_VALIDATION_TOKENS = 20, 100_000_000, 1_000_000
CHECKPOINTS, MAX_CHECKPOINT_INTERVAL = 20, 500_000_000
VALIDATION_SHARE = 100  # a measurement takes at most so small a part of a run's tokens: one part in ...


def learning_rate(tokens: int, *, peak: float, warmup_tokens: int, decay_tokens: int, min_ratio: float) -> float:
    """Learning rate of the step that ends at ``tokens`` training tokens (GPT-3, appendix B).

    Linear from 0 over ``warmup_tokens``; then a cosine that starts at token 0, below the warm-up,
    and reaches ``min_ratio`` * ``peak`` at ``decay_tokens``; constant after that.
    """
    if tokens < warmup_tokens:
        return peak * tokens / warmup_tokens
    progress = min(tokens, decay_tokens) / decay_tokens
    return peak * (min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress)))


def step_sequences(samples: int, *, start: int, full: int, ramp: float) -> int:
    """Sequences of the step that follows ``samples`` sequences: linear in them from ``start`` to ``full`` over the first ``ramp``.

    A batch that grows in proportion to what was seen makes the sequences grow exponentially with the
    steps: after k of them, start * (exp(k * g) - 1) / g with g = (full - start) / ramp. Each step goes
    to the next of these points, rounded to whole sequences, so that rounding does not add up.
    """
    if full <= start or samples >= ramp:
        return full
    growth = (full - start) / ramp
    steps_done = round(math.log1p(samples * growth / start) / growth)
    exponent = (steps_done + 1) * growth
    after = start * math.expm1(exponent) / growth if exponent < math.log(full) + 1 else math.inf
    return max(1, round(min(full, after - samples)))


@dataclass(frozen=True)
class Schedule:
    """All schedules of a run: durations in tokens, sizes of steps in sequences of ``context_length`` tokens."""

    tokens: int
    context_length: int
    batch_sequences: int
    ramp_start_sequences: int
    ramp_tokens: int
    peak_learning_rate: float
    warmup_tokens: int
    decay_tokens: int
    min_learning_rate_ratio: float
    validation_every_tokens: int
    validation_tokens: int
    checkpoint_every_tokens: int

    def learning_rate(self, tokens: int) -> float:
        """Learning rate of the step that ends at ``tokens``."""
        return learning_rate(
            tokens,
            peak=self.peak_learning_rate,
            warmup_tokens=self.warmup_tokens,
            decay_tokens=self.decay_tokens,
            min_ratio=self.min_learning_rate_ratio,
        )

    def step_sequences(self, samples: int) -> int:
        """Sequences of the step after ``samples`` of them."""
        ramp = self.ramp_tokens / self.context_length
        return step_sequences(samples, start=self.ramp_start_sequences, full=self.batch_sequences, ramp=ramp)

    def steps(self, samples: int = 0) -> int:
        """Steps from ``samples`` sequences on to the end of the run."""
        steps, total = 0, -(-self.tokens // self.context_length)
        while samples < total and (size := self.step_sequences(samples)) < self.batch_sequences:
            samples, steps = samples + size, steps + 1
        return steps + max(0, -(-(total - samples) // self.batch_sequences))


def plan_schedule(
    settings: TrainSettings, *, parameters: int, context_length: int, batch_tokens: int, peak_learning_rate: float
) -> Schedule:
    """The recipe's schedules, with what it leaves open in proportion to the run.

    ``parameters``: of the whole model; they choose the length of the batch ramp.
    """

    def in_proportion(given: int | None, paper_tokens: int) -> int:
        return round(paper_tokens * (settings.tokens / PAPER_TOKENS)) if given is None else given

    ramp = next((tokens for largest, tokens in PAPER_RAMP_TOKENS if parameters <= largest), PAPER_LONGEST_RAMP_TOKENS)
    return Schedule(
        tokens=settings.tokens,
        context_length=context_length,
        batch_sequences=batch_tokens // context_length,
        ramp_start_sequences=max(1, settings.ramp_start_tokens // context_length),
        ramp_tokens=in_proportion(settings.ramp_tokens, ramp),
        peak_learning_rate=peak_learning_rate,
        warmup_tokens=in_proportion(settings.warmup_tokens, PAPER_WARMUP_TOKENS),
        decay_tokens=max(1, in_proportion(settings.decay_tokens, PAPER_DECAY_TOKENS)),
        min_learning_rate_ratio=settings.min_learning_rate_ratio,
        validation_every_tokens=settings.validation_every_tokens or _part(settings.tokens, VALIDATIONS, MAX_VALIDATION_INTERVAL),
        validation_tokens=settings.validation_tokens or _part(settings.tokens, VALIDATION_SHARE, MAX_VALIDATION_TOKENS),
        checkpoint_every_tokens=settings.checkpoint_every_tokens or _part(settings.tokens, CHECKPOINTS, MAX_CHECKPOINT_INTERVAL),
    )


def _part(tokens: int, parts: int, most: int) -> int:
    return max(1, min(most, tokens // parts))
