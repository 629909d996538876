"""Bands: how many of how many rows, for a threshold, and what that costs.

Two documents of Jaccard similarity s share a band with probability 1 - (1 - s^rows)^bands
(Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from curation.errors import UsageError

# Every candidate pair is verified, so a false positive costs one comparison of two sets, while a
# false negative is a duplicate that stays. With 128 permutations and threshold 0.8 this weight gives
# 14 bands of 9 rows: recall 0.975 at 0.85, 0.999 at 0.9, 0.867 at 0.8 itself.
FALSE_NEGATIVE_WEIGHT = 0.9

INTEGRATION_STEPS = 200  # midpoint rule; the error is below 2e-5


def candidate_probability(similarity: npt.ArrayLike, bands: int, rows: int) -> npt.NDArray[np.float64]:
    """Probability that two documents of that Jaccard similarity share at least one band."""
    return 1.0 - (1.0 - np.asarray(similarity, np.float64) ** rows) ** bands


def error_integrals(threshold: float, bands: int, rows: int) -> tuple[float, float]:
    """False positives and false negatives, as datasketch defines them: areas between the curve and a step at the threshold.

    The first is the candidate probability integrated from 0 to the threshold, the second its complement from there to 1.
    """
    steps = (np.arange(INTEGRATION_STEPS) + 0.5) / INTEGRATION_STEPS
    below, above = threshold * steps, threshold + (1.0 - threshold) * steps
    positives = float(candidate_probability(below, bands, rows).mean()) * threshold
    return positives, float((1.0 - candidate_probability(above, bands, rows)).mean()) * (1.0 - threshold)


@functools.cache
def choose_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows with the least weighted error around the threshold, as datasketch chooses them.

    A false negative weighs ``FALSE_NEGATIVE_WEIGHT``, a false positive the rest; of equal errors the
    fewest bands count. Rows of the signature may stay unused.

    Raises:
        UsageError: the signature is too short for the threshold.
    """
    if threshold == 1.0:  # only equal sets count, and their signatures are equal throughout
        return 1, permutations
    best, least = (0, 0), math.inf
    for bands in range(1, permutations + 1):
        for rows in range(1, permutations // bands + 1):
            positives, negatives = error_integrals(threshold, bands, rows)
            error = (1.0 - FALSE_NEGATIVE_WEIGHT) * positives + FALSE_NEGATIVE_WEIGHT * negatives
            if error < least:
                best, least = (bands, rows), error
    if best[0] < 2:  # one band finds nothing but what is equal in all its rows
        raise UsageError(f"dedup: {permutations} permutations are too few for threshold {threshold}; raise dedup.permutations")
    return best
