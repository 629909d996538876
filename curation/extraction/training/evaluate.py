"""How well models do on pages that they have not seen: F1, precision and recall over words, as WCXB defines them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.extraction.blocks.judge import choose
from curation.extraction.blocks.model import probabilities
from curation.extraction.training.fit import fit
from curation.extraction.training.pages import FOLDS, LabelledPage

_WORD = re.compile(r"\w+")
LOW_F1 = 0.3


@dataclass(frozen=True)
class Scores:
    """Means over pages, 0 to 1; ``low``: the share of pages with an F1 below ``LOW_F1``."""

    pages: int
    f1: float
    precision: float
    recall: float
    low: float


def cross_validate(pages: Sequence[LabelledPage], seed: int) -> list[np.ndarray]:
    """The probabilities of each page's blocks by a model that was trained on the other folds."""
    models = {fold: fit([page for page in pages if page.fold != fold], seed) for fold in range(FOLDS)}
    return [probabilities(models[page.fold], page.table) for page in pages]


def predicted_text(page: LabelledPage, likely: np.ndarray, balance: str) -> str:
    """The text that is kept of a page."""
    kept = choose(likely, page.table, page.words, balance).kept
    return "\n".join(text for text, is_kept in zip(page.texts, kept, strict=True) if is_kept)


def scores_by_type(pages: Sequence[LabelledPage], likely: Sequence[np.ndarray], balance: str) -> dict[str, Scores]:
    """Scores of all pages with a gold text ("all") and of each page type."""
    found: dict[str, list[tuple[float, float, float]]] = {"all": []}
    for page, chances in zip(pages, likely, strict=True):
        if page.gold is not None:
            score = word_scores(page.gold, predicted_text(page, chances, balance))
            found["all"].append(score)
            found.setdefault(page.page_type, []).append(score)
    return {name: mean_scores(scores) for name, scores in sorted(found.items())}


def pages_given_up(pages: Sequence[LabelledPage], likely: Sequence[np.ndarray], has_gold: bool) -> tuple[int, int]:
    """How many pages with (or without) words in their gold text are found to have no main content, and how many such pages there are."""
    which = [place for place, page in enumerate(pages) if page.gold is not None and bool(_WORD.search(page.gold)) == has_gold]
    lost = [not choose(likely[place], pages[place].table, pages[place].words, "balanced").kept.any() for place in which]
    return sum(lost), len(lost)


def mean_scores(scores: Sequence[tuple[float, float, float]]) -> Scores:
    """The means of (F1, precision, recall) over pages."""
    f1, precision, recall = np.array(scores).T
    return Scores(len(scores), float(f1.mean()), float(precision.mean()), float(recall.mean()), float((f1 < LOW_F1).mean()))


def word_scores(gold: str, text: str) -> tuple[float, float, float]:
    """F1, precision and recall of a text as a multiset of lower-case words; against an empty one, 1 if both are empty, else 0."""
    wanted, got = (Counter(_WORD.findall(words.lower())) for words in (gold, text))
    if not wanted or not got:
        return (float(not wanted and not got),) * 3
    overlap = (wanted & got).total()
    precision, recall = overlap / got.total(), overlap / wanted.total()
    return 2 * overlap / (got.total() + wanted.total()), precision, recall


def snippet_scores(pages: Sequence[LabelledPage], likely: Sequence[np.ndarray], balance: str) -> Scores:
    """Over the snippets of all pages together: precision and recall of those that must appear against those that must not."""
    hits = misses = false_hits = count = 0
    for page, chances in zip(pages, likely, strict=True):
        if page.gold is None:
            text = " ".join(predicted_text(page, chances, balance).split())
            found = sum(" ".join(snippet.split()) in text for snippet in page.main)
            hits, misses, count = hits + found, misses + len(page.main) - found, count + 1
            false_hits += sum(" ".join(snippet.split()) in text for snippet in page.rest)
    precision, recall = hits / max(1, hits + false_hits), hits / max(1, hits + misses)
    return Scores(count, 2 * hits / max(1, 2 * hits + false_hits + misses), precision, recall, 0.0)
