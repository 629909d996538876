"""L = a * C^-b: how the loss falls with the compute spent on training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curation.errors import InputError


@dataclass(frozen=True)
class PowerLaw:
    """Loss in nats a token as a function of compute in PF-days, embeddings not counted."""

    factor: float
    exponent: float

    def loss(self, compute: float) -> float:
        """The loss at so much compute."""
        return self.factor * math.pow(compute, -self.exponent)


GPT3_LAW = PowerLaw(2.57, 0.048)  # GPT-3, figure 3.1: the envelope of all its trainings, on its own validation mix


def fit_power_law(compute: Sequence[float], losses: Sequence[float]) -> PowerLaw:
    """The law with the least squared error of log loss, by linear regression on log compute.

    Raises:
        InputError: fewer than two different amounts of compute, or numbers that are not positive and finite.
    """
    if not all(math.isfinite(value) and value > 0 for value in (*compute, *losses)):
        raise InputError("a power law is fitted to positive numbers; a rung of the ladder has a loss or a compute that is none")
    if len(set(compute)) < 2:
        raise InputError("a power law is fitted to at least two sizes; name more with --sizes")
    xs, ys = [math.log(value) for value in compute], [math.log(value) for value in losses]
    mean_x, mean_y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    spread = math.fsum((x - mean_x) ** 2 for x in xs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    return PowerLaw(math.exp(mean_y - slope * mean_x), -slope)
