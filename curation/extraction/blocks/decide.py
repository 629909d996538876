"""Which blocks to keep: those that maximise the F score that the probabilities let expect.

Taken in the order of their probability, the kept blocks are a beginning of the list. If a beginning has n words of which m are main
text, as expected, of M on the page, it has precision m/n and recall m/M. With weight b of recall (beta squared) its F score
is (1 + b) m / (n + b M). No threshold has to be chosen, and the best score says how sure the decision is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.extraction.blocks.model import ONE

# Weight of recall against precision, in hundredths; measured in docs/extraction.md.
RECALL_WEIGHTS = {"precision": 25, "balanced": 60, "recall": 150}
# Of an article nearly all is kept whatever the weight, and what a larger one adds is mostly not of it.
ARTICLE_RECALL_WEIGHTS = {"precision": 10, "balanced": 15, "recall": 60}
# A page whose best block is less likely to be main text has none (chosen in cross-validation; docs/extraction.md).
MIN_BEST_PROBABILITY = round(0.3 * ONE)


@dataclass(frozen=True)
class Decision:
    """``kept``: bool, one a block; none are where the page has no main content. ``confidence``: the F1 to be expected, 0 to 1."""

    kept: np.ndarray
    confidence: float


def decide(probabilities: np.ndarray, words: np.ndarray, recall_weight: int, nothing_else: bool = False) -> Decision:
    """Choose blocks by their probabilities (0 to ``ONE``) and lengths; equal ones in the page's order.

    ``nothing_else``: the page holds plain text alone, and so has main content however little there is to tell it by.
    Sums are of whole numbers below 2^53, and a quotient of such is the same on every machine.
    """
    kept = np.zeros(len(words), np.bool_)
    if len(words) == 0 or (probabilities.max() < MIN_BEST_PROBABILITY and not nothing_else):
        return Decision(kept, 0.0)
    order = np.argsort(-probabilities, kind="stable")
    taken = np.cumsum(words[order]) * ONE
    found = np.cumsum((probabilities * words)[order])
    score = (100 + recall_weight) * found / np.maximum(100 * taken + recall_weight * found[-1], 1)
    last = int(np.argmax(score))
    kept[order[: last + 1]] = True
    return Decision(kept, round(float(2 * found[last] / max(taken[last] + found[-1], 1)), 4))
