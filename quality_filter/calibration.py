"""From margins to probabilities, and how far probabilities are from the truth.

Beta calibration (Kull, Silva Filho and Flach 2017): ``log odds = a ln s - b ln(1 - s) + c`` of the
raw probability s, with a, b >= 0 so that the order stays; three numbers, so that it can be fitted
on few documents.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SMALLEST_SPREAD = 1e-9  # of margins that are all alike, but for rounding
MAX_STEPS = 100
TOLERANCE = 1e-10
RIDGE = 1e-6  # keeps the Newton step finite where the classes are parted without error
LARGEST_STEP = 2.0  # of a coefficient, in scaled features; our choice
BINS = 10  # of equal numbers of documents, as small bins' shares mean little
RESAMPLES = 1000  # of the bootstrap
CONFIDENCE = 0.95

Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """The three coefficients; the default leaves the model's own probability as it is."""

    above: float = 1.0  # a
    below: float = 1.0  # b
    offset: float = 0.0  # c

    def probabilities(self, margins: Vector) -> Vector:
        """Calibrated probabilities of margins (log odds), each 0 to 1."""
        falls, rises = _beta_features(margins)
        return sigmoid(self.above * falls + self.below * rises + self.offset)


@dataclass(frozen=True)
class Reliability:
    """Expected calibration error, and what it is made from.

    ``bins``: for each, documents, mean score, share of positives. ``low`` and ``high``: bootstrap
    interval of the error (``CONFIDENCE``, over documents).
    """

    error: float
    low: float
    high: float
    documents: int
    bins: list[tuple[int, float, float]]


def sigmoid(values: Vector) -> Vector:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def fit_calibration(margins: Vector, positive: Flags, class_ratio: float = 1.0) -> Calibration:
    """Maximum likelihood with Platt's smoothed targets, so that few documents do not make certainty; needs both classes.

    The classes are weighted to ``class_ratio`` negatives for each positive, the prior of the probabilities.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    targets = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    share = 1.0 / (1.0 + class_ratio)
    weights = np.where(positive, share / positives, (1.0 - share) / negatives) * len(positive)
    columns = dict(zip(("above", "below"), _beta_features(margins), strict=True))
    while True:
        centres = {name: float(column.mean()) for name, column in columns.items()}
        spreads = {name: max(SMALLEST_SPREAD, float(column.std())) for name, column in columns.items()}
        scaled = [(column - centres[name]) / spreads[name] for name, column in columns.items()]
        fitted = _fit_logistic(np.stack([*scaled, np.ones(len(margins))], axis=1), targets, weights)
        slopes = {name: float(value) / spreads[name] for name, value in zip(columns, fitted, strict=False)}
        negative = [name for name in columns if slopes[name] < 0.0]
        if not negative:
            offset = float(fitted[-1]) - sum(slope * centres[name] for name, slope in slopes.items())
            return Calibration(slopes.get("above", 0.0), slopes.get("below", 0.0), offset)
        del columns[min(negative, key=lambda name: slopes[name] * spreads[name])]  # as the authors do: fitted again without it


def _beta_features(margins: Vector) -> tuple[Vector, Vector]:
    """ln s and -ln(1 - s) of s = sigmoid(margin)."""
    tail = np.log1p(np.exp(-np.abs(margins)))
    return np.minimum(margins, 0.0) - tail, np.maximum(margins, 0.0) + tail


def _fit_logistic(features: Vector, targets: Vector, weights: Vector) -> Vector:
    """Coefficients of the weighted logistic regression of targets between 0 and 1, by Newton's method."""
    coefficients = np.zeros(features.shape[1])
    for _ in range(MAX_STEPS):
        probabilities = sigmoid(_times(features, coefficients))
        gradient = (features * (weights * (probabilities - targets))[:, None]).sum(axis=0) + RIDGE * coefficients
        weighted = features * (weights * probabilities * (1 - probabilities))[:, None]
        hessian = (weighted[:, :, None] * features[:, None, :]).sum(axis=0) + RIDGE * np.eye(len(coefficients))
        step = np.clip(np.linalg.solve(hessian, gradient), -LARGEST_STEP, LARGEST_STEP)
        coefficients = coefficients - step
        if np.abs(step).max() < TOLERANCE:
            break
    return coefficients


def _times(features: Vector, coefficients: Vector) -> Vector:
    """Products added by NumPy itself: a threaded library's sum would depend on the machine."""
    return np.asarray((features * coefficients).sum(axis=1))


def measure_reliability(scores: Vector, positive: Flags, seed: int) -> Reliability:
    """Expected calibration error over ``BINS`` bins of equal numbers of documents, sorted by score."""
    order = np.argsort(scores, kind="stable")
    scores, truth = scores[order], positive[order].astype(np.float64)
    edges = np.linspace(0, len(scores), min(BINS, len(scores)) + 1).astype(int)
    bins = [
        (int(stop - start), float(scores[start:stop].mean()), float(truth[start:stop].mean())) for start, stop in itertools.pairwise(edges)
    ]
    generator = np.random.default_rng(seed)
    errors = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        chosen = np.sort(generator.integers(0, len(scores), len(scores)))
        errors[resample] = _calibration_error(scores[chosen], truth[chosen], edges)
    low, high = np.quantile(errors, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Reliability(_calibration_error(scores, truth, edges), float(low), float(high), len(scores), bins)


def _calibration_error(scores: Vector, truth: Vector, edges: npt.NDArray[np.int64]) -> float:
    """Mean distance of the bins' score and share, weighted by their documents; ``scores`` ascending."""
    gaps = np.add.reduceat(scores - truth, edges[:-1])
    return float(np.abs(gaps).sum() / len(scores))
