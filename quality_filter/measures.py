"""How well scores tell two classes apart, by the textbook formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DECISION_SCORE = 0.5  # documents scored this or more count as found, in precision and recall
DIGITS = 6
BANDS = 10  # of equal numbers of documents, within which lengths count as equal; our choice


def area_under_curve(positive: npt.ArrayLike, negative: npt.ArrayLike) -> float:
    """Probability that a positive's value exceeds a negative's, ties counting half (Mann and Whitney's U / mn).

    Both classes must hold a value.
    """
    positive, negative = np.asarray(positive, np.float64), np.sort(np.asarray(negative, np.float64))
    below = np.searchsorted(negative, positive, side="left")
    below_or_equal = np.searchsorted(negative, positive, side="right")
    return float((below + below_or_equal).sum() / (2 * len(positive) * len(negative)))


def area_within_bands(scores: npt.ArrayLike, positive: npt.ArrayLike, lengths: npt.ArrayLike) -> float | None:
    """``area_under_curve`` over pairs of about equal length only: both in one tenth of the lengths; None if there is no such pair.

    What is left of a classifier that knows nothing but length is 0.5.
    """
    scores, positive, lengths = np.asarray(scores), np.asarray(positive), np.asarray(lengths)
    order = np.argsort(lengths, kind="stable")
    won, pairs = 0.0, 0
    for band in np.array_split(order, BANDS):
        ours, theirs = scores[band[positive[band]]], scores[band[~positive[band]]]
        if len(ours) and len(theirs):
            won += area_under_curve(ours, theirs) * len(ours) * len(theirs)
            pairs += len(ours) * len(theirs)
    return won / pairs if pairs else None


def measure(positive: npt.ArrayLike, negative: npt.ArrayLike) -> dict[str, Any]:
    """Precision, recall, F1 (at ``DECISION_SCORE``) and AUC of the scores of both classes; counts beside them."""
    positive, negative = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    found, false_alarms = int((positive >= DECISION_SCORE).sum()), int((negative >= DECISION_SCORE).sum())
    precision = found / (found + false_alarms) if found + false_alarms else 0.0
    recall = found / len(positive)
    return {
        "positives": len(positive),
        "negatives": len(negative),
        "precision": round(precision, DIGITS),
        "recall": round(recall, DIGITS),
        "f1": round(2 * precision * recall / (precision + recall), DIGITS) if found else 0.0,
        "auc": round(area_under_curve(positive, negative), DIGITS),
    }
