"""HTML of one page → its blocks, how likely each is main text, and which are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.extraction.blocks.article import is_article, lowered_behind_article
from curation.extraction.blocks.decide import ARTICLE_RECALL_WEIGHTS, RECALL_WEIGHTS, Decision, decide
from curation.extraction.blocks.features import NAMES, features
from curation.extraction.blocks.measure import measure
from curation.extraction.blocks.model import Model, load_model, probabilities
from curation.extraction.blocks.scan import Scan, scan
from curation.extraction.blocks.structure import structure

# A page of plain text alone, such as one paragraph without any frame, looks like none that the trees have seen. Our choice; no
# page of the development set without gold text has more than .7 of its words so.
MIN_PLAIN_SHARE = 0.9
MIN_PLAIN_WORDS = 5  # our choice: "Loading ..." is no text
FRAMES = ("nav", "header", "footer", "aside", "form", "noscript", "control", "dialog", "hidden", "search", "link", "heading")
_FRAME_COLUMNS = [NAMES.index(f"inside_{name}") for name in FRAMES]
_LINK_WORDS = NAMES.index("own_link_words")


@dataclass(frozen=True)
class Judgement:
    """The blocks of a page; ``probabilities`` (0 to ``model.ONE``) and ``kept`` have one entry a block; ``confidence``: 0 to 1."""

    scan: Scan
    probabilities: np.ndarray
    kept: np.ndarray
    confidence: float


def judge(html: str, balance: str = "balanced", model: Model | None = None) -> Judgement:
    """Judge the blocks of a page; ``balance``: precision, balanced or recall."""
    page = scan(html)
    table, words = block_features(page)
    likely = block_probabilities(model or load_model(), table, words)
    decision = choose(likely, table, words, balance)
    return Judgement(page, likely, decision.kept, decision.confidence)


def block_features(page: Scan) -> tuple[np.ndarray, np.ndarray]:
    """[block, feature] of a page, as ``features.NAMES``, and the words of each block."""
    counts, hashes = measure(page)
    return features(page, counts, hashes, structure(page, counts)), counts[:, 0]


def block_probabilities(model: Model, table: np.ndarray, words: np.ndarray) -> np.ndarray:
    """How likely each block of a page with these features is main text, 0 to ``model.ONE``."""
    return lowered_behind_article(probabilities(model, table), table, words)


def choose(likely: np.ndarray, table: np.ndarray, words: np.ndarray, balance: str) -> Decision:
    """The blocks to keep of a page with these features and probabilities."""
    weights = ARTICLE_RECALL_WEIGHTS if is_article(likely, table, words) else RECALL_WEIGHTS
    return decide(likely, words, weights[balance], holds_nothing_else(table, words))


def holds_nothing_else(table: np.ndarray, words: np.ndarray) -> bool:
    """Whether a page of these features holds plain text and hardly anything else: no links, menus, forms, notices or headings."""
    plain = (table[:, _FRAME_COLUMNS] == 0).all(axis=1) & (table[:, _LINK_WORDS] == 0)
    text = int(words[plain].sum())
    return text >= max(MIN_PLAIN_WORDS, MIN_PLAIN_SHARE * int(words.sum()))
