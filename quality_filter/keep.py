"""The keep rules: which documents stay, given their scores (GPT-3, appendix A).

Pure functions of (seed, id, score) and, for the rules that look at the whole corpus, of one number
that was found before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.draws import draw_integer, draw_uniform
from curation.recipe import FilterSettings

PURPOSE = "keep"
TIE_PURPOSE = "tie"
ALPHA_RANGE = (0.1, 100.0)  # in which fit_alpha searches
ALPHA_STEPS = 60  # of the golden-section search: the range shrinks by 0.618 each time
GOLDEN = (math.sqrt(5) - 1) / 2
RADIX_BITS = 16  # of a key that are told apart in one pass

Vector = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class KeepRule:
    """A rule with everything that it needs; ``judge`` is a pure function of id and score.

    ``last_kept``: score and tie key of the worst document kept by ``top_fraction``; None: none is kept.
    """

    name: str
    seed: int
    alpha: float = 9.0
    threshold: float = 0.5
    last_kept: tuple[float, int] | None = None

    def judge(self, document_id: str, score: float) -> tuple[bool, dict[str, Any]]:
        """Whether a raw document stays, and the numbers that decided it."""
        if self.name == "pareto":
            draw = lomax_draw(self.seed, document_id, self.alpha)
            return keeps_by_draw(score, draw), {"score": score, "draw": draw, "needed": 1.0 - score}
        if self.name == "threshold":
            return score >= self.threshold, {"score": score, "threshold": self.threshold}
        if self.name == "top_fraction":
            if self.last_kept is None:
                return False, {"score": score, "last_kept": None}
            kept = (-score, tie_key(self.seed, document_id)) <= (-self.last_kept[0], self.last_kept[1])
            return kept, {"score": score, "last_kept": self.last_kept[0]}
        return True, {"score": score}


def keeps(settings: FilterSettings, seed: int, document_id: str, score: float) -> bool:
    """Whether a rule that needs nothing of the corpus (pareto, threshold, none) keeps a document: for use beside a crawl."""
    return KeepRule(settings.keep_rule, seed, settings.alpha, settings.threshold).judge(document_id, score)[0]


# --- pareto ---------------------------------------------------------------------------------------


def lomax_draw(seed: int, document_id: str, alpha: float) -> float:
    """The document's draw from the Lomax law (NumPy's ``pareto``): P(draw > x) = (1 + x)^-alpha for x >= 0.

    The inverse of the distribution function at a uniform number that depends on seed and id alone;
    infinite where a tiny alpha leads beyond the largest double.
    """
    try:
        return float((1.0 - draw_uniform(seed, PURPOSE, document_id)) ** (-1.0 / alpha) - 1.0)
    except OverflowError:
        return math.inf


def keeps_by_draw(score: float, draw: float) -> bool:
    """GPT-3's rule, ``np.random.pareto(alpha) > 1 - document_score``: kept with probability (2 - score)^-alpha."""
    return draw > 1.0 - score


def kept_share(scores: Vector, alpha: float) -> float:
    """Expected share of documents that the rule keeps."""
    return float(((2.0 - scores) ** -alpha).mean())


def fit_alpha(raw: Vector, curated: Vector) -> float:
    """The alpha whose kept raw documents have scores distributed most like the curated texts', as GPT-3 chose it.

    Minimises the area between the two distribution functions (Wasserstein's distance), within
    ``ALPHA_RANGE``: an end of it means that no alpha makes them alike.
    """
    raw = np.sort(raw)
    places = np.unique(np.concatenate([raw, curated, [0.0, 1.0]]))
    widths, below = np.diff(places), np.searchsorted(np.sort(curated), places[:-1], "right") / len(curated)
    ranks = np.searchsorted(raw, places[:-1], "right")

    def distance(logarithm: float) -> float:
        weights = (2.0 - raw) ** -math.exp(logarithm)
        kept = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
        return float((np.abs(kept[ranks] - below) * widths).sum())

    return math.exp(_golden_section(distance, math.log(ALPHA_RANGE[0]), math.log(ALPHA_RANGE[1])))


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one valley is least."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(ALPHA_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


# --- top_fraction -----------------------------------------------------------------------------------


def tie_key(seed: int, document_id: str) -> int:
    """64 bits that order documents of equal score: the smallest stay."""
    return draw_integer(seed, TIE_PURPOSE, document_id)


def best_of(parts: Callable[[], Iterable[tuple[Vector, Keys]]], fraction: float) -> tuple[float, int] | None:
    """Score and tie key of the last of the best documents, exactly ``floor(fraction x documents)`` of them; None if that is none.

    ``parts()``: scores and tie keys of all documents, in parts, as often as it is called (nine
    times). Memory is that of the largest part and 2^16 counts: the place is found 16 bits at a time.
    """
    total = sum(len(scores) for scores, _ in parts())
    wanted = math.floor(fraction * total)
    if wanted == 0:
        return None
    # Ascending order of the flipped bits is descending order of scores: doubles from 0 to 1 sort as their bits.
    score_bits, left = _select(lambda: (_flipped(scores) for scores, _ in parts()), wanted)
    ties, _ = _select(lambda: (keys[_flipped(scores) == np.uint64(score_bits)] for scores, keys in parts()), left)
    return float((~np.array([score_bits], np.uint64)).view(np.float64)[0]), ties


def _flipped(scores: Vector) -> Keys:
    return ~(np.ascontiguousarray(scores, np.float64) + 0.0).view(np.uint64)


def _select(parts: Callable[[], Iterable[Keys]], rank: int) -> tuple[int, int]:
    """The ``rank``-th smallest key, from 1, and how many keys equal to it belong to the ``rank`` smallest."""
    prefix, known = 0, 0
    while known < 64:
        shift = 64 - known - RADIX_BITS
        counts = np.zeros(1 << RADIX_BITS, np.int64)
        for keys in parts():
            within = keys[(keys >> np.uint64(64 - known)) == prefix] if known else keys
            digits = (within >> np.uint64(shift)) & np.uint64((1 << RADIX_BITS) - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=1 << RADIX_BITS)
        below = np.cumsum(counts)
        digit = int(np.searchsorted(below, rank))
        rank -= int(below[digit] - counts[digit])
        prefix = prefix << RADIX_BITS | digit
        known += RADIX_BITS
    return prefix, rank
