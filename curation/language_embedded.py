"""The embedded language identifier: py3langid's model, walked by compiled code.

py3langid is a naive Bayes classifier of byte n-grams, which an automaton finds. Its own walk is a loop in
Python over every byte; here the same walk is compiled. Sums run in double precision in a fixed order, so
that a score does not depend on the machine.
"""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LIBRARY = "py3langid"
MODEL_FILE = "data/model.npz.xz"  # the one that comes with the library


@dataclass(frozen=True)
class _Tables:
    """The model: an automaton over bytes, and what each of its features says for each class.

    ``rows[state]``: the automaton's row of a state; ``next_states[row, byte]``: where it goes from there;
    ``features[state]``: the feature that is complete in a state, or -1. ``weights[feature, class]`` and
    ``priors[class]``: logarithms of probabilities. ``classes``: language codes; one that is written in
    two scripts may stand twice. ``counts``: one zero a feature, for the walk to count in.
    """

    rows: npt.NDArray[np.uint16]
    next_states: npt.NDArray[np.uint32]
    features: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    priors: npt.NDArray[np.float32]
    classes: list[str]
    counts: npt.NDArray[np.int32]


def classes() -> frozenset[str]:
    """All codes that ``classify`` may give."""
    return frozenset(_tables().classes)


def classify(text: str) -> tuple[str, float] | None:
    """The likeliest class of a text and its probability, calibrated by length; None if the model knows nothing in it."""
    tables = _tables()
    encoded = _encode(text)
    scores = tables.priors.astype(np.float64)
    if not _walk()(encoded, tables.rows, tables.next_states, tables.features, tables.weights, tables.counts, scores):
        return None
    return _likeliest(scores / math.sqrt(len(encoded)), tables.classes)  # the temperature that py3langid calibrated


@functools.cache
def _tables() -> _Tables:
    """The model as arrays; py3langid reads and checks its file."""
    from py3langid.langid import LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    weights = np.asarray(model.nb_ptc, np.float32)
    return _Tables(
        np.asarray(model.tk_row, np.uint16),
        np.asarray(model.tk_nextmove, np.uint32).reshape(-1, 256),
        np.asarray(model.tk_output, np.int32),
        weights,
        np.asarray(model.nb_pc, np.float32),
        list(model.nb_classes),
        np.zeros(len(weights), np.int32),
    )


def _encode(text: str) -> npt.NDArray[np.uint8]:
    """The bytes that the automaton reads, as the model was trained: UTF-8 in normal form C, a text in capitals in lower case."""
    normal = unicodedata.normalize("NFC", text.lower() if text.isupper() else text)
    return np.frombuffer(normal.encode("utf-8", "surrogatepass"), np.uint8)


@functools.cache
def _walk() -> Callable[..., bool]:
    """``_add_weights``, compiled at its first use: importing numba takes as long as a hundred pages."""
    from curation.kernels import kernel

    compiled: Callable[..., bool] = kernel(_add_weights)
    return compiled


def _add_weights(
    text: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.uint16],
    next_states: npt.NDArray[np.uint32],
    features: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float64],
) -> bool:
    """Add to ``scores`` what the text says for each class; False if no feature occurs in it.

    A feature weighs log(1 + occurrences). Features are added in the order of their first occurrence.
    ``counts`` is all zeros before and after.
    """
    found = np.empty(min(len(text), len(counts)), np.int32)
    size = 0
    state = 0
    for byte in text:
        state = next_states[rows[state], byte]
        feature = features[state]
        if feature >= 0:
            if counts[feature] == 0:
                found[size] = feature
                size += 1
            counts[feature] += 1
    for place in range(size):
        feature = found[place]
        occurrences = math.log1p(counts[feature])
        counts[feature] = 0
        for column in range(len(scores)):
            scores[column] += occurrences * weights[feature, column]
    return size > 0


def _likeliest(scores: npt.NDArray[np.float64], names: list[str]) -> tuple[str, float]:
    """The class of the largest probability, those of one name taken together, and that probability."""
    totals: dict[str, float] = {}
    for name, value in zip(names, np.exp(scores - scores.max()).tolist(), strict=True):
        totals[name] = totals.get(name, 0.0) + value
    best = max(totals, key=lambda name: totals[name])
    return best, totals[best] / math.fsum(totals.values())
