"""From signatures to band keys: how many bands of how many rows, and one 64-bit key for each band.

Two documents of Jaccard similarity s share a band with probability 1 - (1 - s^rows)^bands
(Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
Imports numba: import this module where it is used.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

# Every candidate pair is verified, so a false positive costs one comparison of two sets, while a
# false negative is a duplicate that stays. With 128 permutations and threshold 0.8 this weight gives
# 14 bands of 9 rows: recall 0.975 at 0.85, 0.999 at 0.9, 0.867 at 0.8 itself.
FALSE_NEGATIVE_WEIGHT = 0.9
QUADRATURE_POINTS = 96  # Gauss-Legendre; the integrals agree with adaptive quadrature to 1e-6


def candidate_probability(similarity: npt.ArrayLike, bands: int, rows: int) -> npt.NDArray[np.float64]:
    """Probability that two documents of that Jaccard similarity share at least one band."""
    return 1.0 - (1.0 - np.asarray(similarity, np.float64) ** rows) ** bands


def choose_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows with the least weighted error, as datasketch's ``MinHashLSH`` searches them.

    The error is the candidate probability summed below the threshold (false positives) and its
    complement summed above it (false negatives, ``FALSE_NEGATIVE_WEIGHT``). Of equal errors the
    first in the order of bands, then rows, wins. Rows of the signature may stay unused.
    """
    best, least = (1, 1), float("inf")
    for bands in range(1, permutations + 1):
        rows = np.arange(1, permutations // bands + 1)
        false_positive = _integral(0.0, threshold, bands, rows)
        false_negative = 1.0 - threshold - _integral(threshold, 1.0, bands, rows)
        errors = (1.0 - FALSE_NEGATIVE_WEIGHT) * false_positive + FALSE_NEGATIVE_WEIGHT * false_negative
        if errors.min() < least:
            best, least = (bands, int(rows[errors.argmin()])), float(errors.min())
    return best


def _integral(low: float, high: float, bands: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Integral of the candidate probability over the similarity, for each number of rows."""
    points, weights = _quadrature()
    similarity = low + (high - low) * (points + 1.0) / 2.0
    probability = 1.0 - (1.0 - similarity[None, :] ** rows[:, None]) ** bands
    return (high - low) / 2.0 * (probability @ weights)


@functools.cache
def _quadrature() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.polynomial.legendre.leggauss(QUADRATURE_POINTS)


def band_keys(signatures: npt.NDArray[np.uint32], bands: int, rows: int) -> npt.NDArray[np.uint64]:
    """Key of each band: (documents, bands) uint64.

    Documents with equal rows have equal keys; two others share a key by chance once in 2^64 pairs,
    which the verification catches.
    """
    return _band_keys(signatures, bands, rows)  # type: ignore[no-any-return]


@njit
def _mix(value: Any) -> Any:
    """MurmurHash3's 64-bit finaliser, a bijection."""
    value = value ^ (value >> np.uint64(33))
    value = value * np.uint64(0xFF51AFD7ED558CCD)
    value = value ^ (value >> np.uint64(33))
    value = value * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit
def _band_keys(signatures: Any, bands: Any, rows: Any) -> Any:
    keys = np.empty((len(signatures), bands), np.uint64)
    for document in range(len(signatures)):
        for band in range(bands):
            key = np.uint64(0)
            for row in range(band * rows, (band + 1) * rows):
                key = _mix((key ^ np.uint64(signatures[document, row])) + np.uint64(0x9E3779B97F4A7C15))
            keys[document, band] = key
    return keys
