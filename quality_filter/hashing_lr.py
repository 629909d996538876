"""GPT-3's own classifier (appendix A): logistic regression on Spark's Tokenizer and HashingTF.

Tokenizer: the lower-case text, split at each single white-space character. HashingTF: counts of
terms in 2^18 buckets, by MurmurHash3_x86_32 of their UTF-8 with seed 42 and a non-negative modulo.
Spark 3 hashes by the published function; Spark 2, which GPT-3's year had, mixes each byte after
the last whole block as a signed block of its own (SPARK-23381). Imports numba: import this module
where it is used.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from curation.kernels import kernel
from curation.murmur3 import finalise, mix, mix_blocks, murmur3
from curation.recipe import FilterSettings
from quality_filter.linear import Features, LinearModel
from quality_filter.text import Lines

FEATURES = 1 << 18  # pyspark.ml.feature.HashingTF's default
SEED = 42  # Spark's HashingTF

# L-BFGS, and the constants of Nocedal and Wright, "Numerical Optimization", chapters 3 and 7.
MEMORY = 10  # pairs of steps; Spark's LogisticRegression has as many
MAX_STEPS = 100  # Spark's maxIter
TOLERANCE = 1e-6  # Spark's tol: relative improvement at which the descent ends
SUFFICIENT_DECREASE = 1e-4
MAX_HALVINGS = 40

Vector = npt.NDArray[np.float64]


def hashed_terms(lines: Lines, features: int, spark: int) -> npt.NDArray[np.int32]:
    """Bucket of every term of the lines, in order; as Spark's Tokenizer and HashingTF find them."""
    return _hash_terms(lines.content, lines.bounds, features, spark)[0]  # type: ignore[no-any-return]


def train(positive: Sequence[bool], lines: Sequence[str], settings: FilterSettings) -> bytes:
    """The weights of a model trained on the lines, as the bytes of a file: whole descent in one thread, in a fixed order.

    Minimises the mean logistic loss + ``l2`` / 2 x the squared weights (the bias is free), as Spark does.
    """
    found = HashingExtractor(FEATURES, settings.spark).features(Lines.of(lines))
    labels = np.asarray(positive, np.float64)
    rows, counts, bounds = _count(found.rows, found.bounds)

    def loss(point: Vector) -> tuple[float, Vector]:
        gradient = np.zeros(FEATURES + 1)
        value = _logistic_loss(point, rows, counts, bounds, labels, settings.l2, gradient)
        return float(value), gradient

    point = minimise(loss, np.zeros(FEATURES + 1))
    stream = io.BytesIO()
    np.save(stream, point.astype("<f8"), allow_pickle=False)
    return stream.getvalue()


def load(content: bytes, name: str, spark: int) -> LinearModel:
    """The classifier in the bytes of ``train``.

    Raises:
        InputError: it holds anything else.
    """
    try:
        point = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{name} cannot be used as a classifier: it holds no weights; train it again") from error
    if point.shape != (FEATURES + 1,) or point.dtype != np.float64 or not np.isfinite(point).all():
        raise InputError(f"{name} cannot be used as a classifier: it does not hold {FEATURES + 1} numbers; train it again")
    return LinearModel(point[:-1], float(point[-1]), False, HashingExtractor(FEATURES, spark))


class HashingExtractor:
    """Spark's features: a bucket for every term."""

    def __init__(self, features: int, spark: int) -> None:
        self._features = features
        self._spark = spark

    def features(self, lines: Lines) -> Features:
        """See ``FeatureExtractor``."""
        rows, bounds, firsts = _hash_terms(lines.content, lines.bounds, self._features, self._spark)
        return Features(rows, bounds, firsts, np.ones(len(rows), np.int32))


@kernel
def spark2_murmur3(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """What Spark 2 computed for ``data[start:end]`` (uint8): the bytes behind the last block are blocks, and signed."""
    value = mix_blocks(data, start, end, seed)
    for position in range(start + (end - start) // 4 * 4, end):
        byte = np.uint32(data[position])
        if byte & np.uint32(0x80):
            byte = byte | np.uint32(0xFFFFFF00)
        value = mix(value, byte)
    return finalise(np.uint32(value ^ np.uint32(end - start)))


@kernel
def _hash_terms(content: Any, line_bounds: Any, features: Any, spark: Any) -> Any:
    """Split as Java does: at each single white-space character, empty terms at the end left out."""
    documents = len(line_bounds) - 1
    rows, firsts = np.empty(len(content) + 1, np.int32), np.empty(len(content) + 1, np.int32)
    bounds = np.zeros(documents + 1, np.int64)
    written = 0
    for document in range(documents):
        position, end = line_bounds[document], line_bounds[document + 1] - 1
        first, last_full = written, written
        start = position
        while position <= end:
            if position == end or content[position] == 0x20 or 0x09 <= content[position] <= 0x0D:
                value = murmur3(content, start, position, SEED) if spark >= 3 else spark2_murmur3(content, start, position, SEED)
                rows[written] = np.int64(np.int32(value)) % features
                firsts[written] = written - first
                written += 1
                if position > start:
                    last_full = written
                start = position + 1
            position += 1
        written = last_full
        if line_bounds[document] == end:  # Java splits the empty text into one empty term
            written += 1
        bounds[document + 1] = written
    return rows[:written].copy(), bounds, firsts[:written].copy()


@kernel
def _count(rows: Any, bounds: Any) -> Any:
    """Distinct rows of each document, ascending, and how often each occurs."""
    distinct, counts = np.empty(len(rows), np.int32), np.empty(len(rows), np.float64)
    new_bounds = np.zeros(len(bounds), np.int64)
    written = 0
    for document in range(len(bounds) - 1):
        own = np.sort(rows[bounds[document] : bounds[document + 1]])
        for place in range(len(own)):
            if place and own[place] == own[place - 1]:
                counts[written - 1] += 1.0
            else:
                distinct[written], counts[written] = own[place], 1.0
                written += 1
        new_bounds[document + 1] = written
    return distinct[:written].copy(), counts[:written].copy(), new_bounds


@kernel
def _logistic_loss(point: Any, rows: Any, counts: Any, bounds: Any, labels: Any, l2: Any, gradient: Any) -> Any:
    """Loss at the point (weights, then bias); adds its gradient to ``gradient``."""
    features, documents = len(point) - 1, len(labels)
    total = 0.0
    for document in range(documents):
        margin = point[features]
        for place in range(bounds[document], bounds[document + 1]):
            margin += point[rows[place]] * counts[place]
        # log(1 + exp(-x)) without overflow, for x = margin of the true class
        signed = margin if labels[document] > 0.5 else -margin
        total += np.log1p(np.exp(-signed)) if signed > 0 else np.log1p(np.exp(signed)) - signed
        probability = 1.0 / (1.0 + np.exp(-margin)) if margin > 0 else np.exp(margin) / (1.0 + np.exp(margin))
        error = (probability - labels[document]) / documents
        for place in range(bounds[document], bounds[document + 1]):
            gradient[rows[place]] += error * counts[place]
        gradient[features] += error
    total /= documents
    for row in range(features):
        total += 0.5 * l2 * point[row] * point[row]
        gradient[row] += l2 * point[row]
    return total


def minimise(loss: Callable[[Vector], tuple[float, Vector]], start: Vector) -> Vector:
    """Where L-BFGS with backtracking ends. ``loss``: value and gradient of a smooth convex function.

    Sums are NumPy's own, never a threaded library's, so the same input gives the same bits.
    """
    point = start
    value, gradient = loss(point)
    pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=MEMORY)
    for _ in range(MAX_STEPS):
        direction = -_times_inverse_hessian(gradient, pairs)
        slope = _dot(gradient, direction)
        if slope >= 0.0:
            break
        step = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        for _ in range(MAX_HALVINGS):
            candidate = point + step * direction
            new_value, new_gradient = loss(candidate)
            if new_value <= value + SUFFICIENT_DECREASE * step * slope:
                break
            step /= 2
        else:
            break
        moved, turned = candidate - point, new_gradient - gradient
        curvature = _dot(moved, turned)
        if curvature > 0.0:
            pairs.append((moved, turned, 1.0 / curvature))
        improvement = (value - new_value) / max(abs(value), abs(new_value), 1e-300)
        point, value, gradient = candidate, new_value, new_gradient
        if improvement < TOLERANCE:
            break
    return point


def _times_inverse_hessian(gradient: Vector, pairs: deque[tuple[Vector, Vector, float]]) -> Vector:
    """The two loops of Nocedal and Wright, algorithm 7.4."""
    result = gradient.copy()
    alphas = []
    for moved, turned, rho in reversed(pairs):
        alphas.append(rho * _dot(moved, result))
        result -= alphas[-1] * turned
    if pairs:
        moved, turned, rho = pairs[-1]
        result /= rho * _dot(turned, turned)
    for (moved, turned, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        result += (alpha - rho * _dot(turned, result)) * moved
    return result


def _dot(one: Vector, other: Vector) -> float:
    return float((one * other).sum())
