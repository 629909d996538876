"""What follows an article: comments, teasers and notes on the author read like main text, and few training pages have them.

A page is an article where the container that holds its prose is the only one of its template, holds a text of some length that the trees
are sure of, and a fair share of the page's prose. Posts of a forum or entries of a list have templates that are repeated.
All numbers are our choice, in cross-validation on pages with and without gold text (docs/extraction.md).
"""

from __future__ import annotations

import numpy as np

from curation.extraction.blocks.features import NAMES
from curation.extraction.blocks.model import ONE

MIN_WORDS = 200
MIN_PROSE_SHARE = 300  # thousandths of the page's prose
MIN_SURE_SHARE = 0.7  # of the article's words: in blocks whose probability is above SURE
SURE = round(0.9 * ONE)
MIN_LONE_SHARE = 0.5  # of the article's words: in elements whose template, or that of the element around, is not repeated
TENTHS_LEFT = 3  # of the probability of a block behind the article
ALMOST_CERTAIN = round(0.97 * ONE)  # a block so likely keeps its probability

_IN_PROSE, _BEHIND_PROSE, _PROSE_SHARE = (NAMES.index(name) for name in ("place_in_prose", "place_behind_prose", "page_best_prose_share"))
_MEMBERS = [NAMES.index(f"template{level}_members") for level in (0, 1)]


def lowered_behind_article(likely: np.ndarray, table: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The probabilities of a page's blocks (0 to ``ONE``), lowered behind its article if it is one."""
    if not is_article(likely, table, words):
        return likely
    doubtful = (table[:, _BEHIND_PROSE] > 0) & (likely < ALMOST_CERTAIN)
    return np.where(doubtful, likely * TENTHS_LEFT // 10, likely)


def is_article(likely: np.ndarray, table: np.ndarray, words: np.ndarray) -> bool:
    """Whether a page is one article; the same whether the probabilities are lowered behind it or not."""
    if len(table) == 0 or table[0, _PROSE_SHARE] < MIN_PROSE_SHARE:
        return False
    article = table[:, _IN_PROSE] > 0
    total = int(words[article].sum())
    sure = int(words[article & (likely > SURE)].sum())
    lone = int(words[article & (table[:, _MEMBERS] == 1).any(axis=1)].sum())
    return total >= MIN_WORDS and sure >= MIN_SURE_SHARE * total and lone >= MIN_LONE_SHARE * total
