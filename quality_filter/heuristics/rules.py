"""What a rule and a family of rules are: arithmetic over the counts of a batch, and a limit from the recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.ledger import Reason
from curation.recipe_rules import RuleSection
from quality_filter.heuristics.batch import Batch

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """A limit on one value of a document.

    ``limit`` names the setting: ``min_...`` is a floor, ``max_...`` a ceiling, both inclusive; null
    switches the rule off. ``value`` makes the values of a batch from the counts of its family.
    """

    reason: Reason
    limit: str
    value: Callable[[Any], FloatArray]

    def fails(self, values: FloatArray, limit: float) -> BoolArray:
        """Which values are beyond the limit."""
        beyond: BoolArray = values < limit if self.limit.startswith("min_") else values > limit
        return beyond


@dataclass(frozen=True)
class Change:
    """A text from which lines or parts of lines were cut, and how many of what."""

    text: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class Family:
    """Rules that share their counts.

    ``section``: its name in the recipe. ``count``: what the rules need of a batch and the addresses
    of its documents. ``change``: for families that cut lines, what becomes of a document that
    passes; None if nothing does.
    """

    section: str
    count: Callable[[Batch, list[str], Any], Any]
    rules: tuple[Rule, ...]
    change: Callable[[Any, Batch, int], Change | None] | None = None

    def active_rules(self, settings: RuleSection) -> list[tuple[Rule, float]]:
        """The rules whose limit is not null, with their limits, in the order in which they are stated."""
        limits = [(rule, getattr(settings, rule.limit)) for rule in self.rules]
        return [(rule, float(limit)) for rule, limit in limits if limit is not None]


def share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> FloatArray:
    """part / whole, and 0 where there is nothing to take a part of."""
    quotient: FloatArray = np.divide(part, whole, out=np.zeros(len(part), np.float64), where=whole != 0)
    return quotient
