"""HTML of one page → its blocks, how likely each is main text, and which are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.extraction.blocks.decide import RECALL_WEIGHTS, decide
from curation.extraction.blocks.features import features
from curation.extraction.blocks.measure import measure
from curation.extraction.blocks.model import Model, load_model, probabilities
from curation.extraction.blocks.scan import Scan, scan
from curation.extraction.blocks.structure import structure


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
    likely = probabilities(model or load_model(), table)
    decision = decide(likely, words, RECALL_WEIGHTS[balance])
    return Judgement(page, likely, decision.kept, decision.confidence)


def block_features(page: Scan) -> tuple[np.ndarray, np.ndarray]:
    """[block, feature] of a page, as ``features.NAMES``, and the words of each block."""
    counts, hashes = measure(page)
    return features(page, counts, hashes, structure(page, counts)), counts[:, 0]
