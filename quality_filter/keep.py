"""The keep rule: which documents stay, given their scores (GPT-3, appendix A)."""

from __future__ import annotations

import math

from curation.draws import draw_uniform

PURPOSE = "keep"


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
