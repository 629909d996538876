"""How well texts match what is known of their pages: F1, precision and recall over words, as WCXB defines them."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from curation.extraction.blocks.judge import block_probabilities, choose
from curation.extraction.training.fit import fit
from curation.extraction.training.pages import FOLDS, LabelledPage

_WORD = re.compile(r"\w+")
LOW_F1 = 0.3


@dataclass(frozen=True)
class Scores:
    """Means over pages, 0 to 1; ``low``: the share of pages with an F1 below ``LOW_F1``, nan where pages have none of their own."""

    pages: int
    f1: float
    precision: float
    recall: float
    low: float


def cross_validate(pages: Sequence[LabelledPage], seed: int) -> list[np.ndarray]:
    """The probabilities of each page's blocks by a model that was trained on the other folds."""
    models = {fold: fit([page for page in pages if page.fold != fold], seed) for fold in range(FOLDS)}
    return [block_probabilities(models[page.fold], page.table, page.words) for page in pages]


def kept_texts(pages: Sequence[LabelledPage], likely: Sequence[np.ndarray], balance: str) -> list[str]:
    """The text that is kept of each page."""
    kept = [choose(chances, page.table, page.words, balance).kept for page, chances in zip(pages, likely, strict=True)]
    return ["\n".join(compress(page.texts, which)) for page, which in zip(pages, kept, strict=True)]


def scores_by_type(pages: Sequence[LabelledPage], texts: Sequence[str]) -> dict[str, Scores]:
    """Scores of the texts of all pages with a gold text ("all"), of each page type, and of the pages with snippets, if there are any."""
    found = defaultdict(list)
    for page, text in zip(pages, texts, strict=True):
        if page.gold is not None:
            for name in ("all", page.page_type):
                found[name].append(word_scores(page.gold, text))
    scores = {}
    for name, values in sorted(found.items()):
        f1, precision, recall = np.array(values).T
        scores[name] = Scores(len(values), f1.mean(), precision.mean(), recall.mean(), (f1 < LOW_F1).mean())
    snippets = _snippet_scores(pages, texts)
    return scores | ({"snippets": snippets} if snippets.pages else {})


def word_scores(gold: str, text: str) -> tuple[float, float, float]:
    """F1, precision and recall of a text as a multiset of lower-case words; against an empty one, 1 if both are empty, else 0."""
    wanted, got = (Counter(_WORD.findall(words.lower())) for words in (gold, text))
    if not wanted or not got:
        return (float(not wanted and not got),) * 3
    overlap = (wanted & got).total()
    return 2 * overlap / (got.total() + wanted.total()), overlap / got.total(), overlap / wanted.total()


def _snippet_scores(pages: Sequence[LabelledPage], texts: Sequence[str]) -> Scores:
    """Over the snippets of all pages together: precision and recall of those that must appear against those that must not."""
    found = [(page, " ".join(text.split())) for page, text in zip(pages, texts, strict=True) if page.gold is None]
    main = [" ".join(snippet.split()) in text for page, text in found for snippet in page.main]
    rest = [" ".join(snippet.split()) in text for page, text in found for snippet in page.rest]
    hits, shown = sum(main), sum(main) + sum(rest)
    return Scores(len(found), 2 * hits / max(1, shown + len(main)), hits / max(1, shown), hits / max(1, len(main)), math.nan)


def pages_given_up(pages: Sequence[LabelledPage], texts: Sequence[str], has_gold: bool) -> tuple[int, int]:
    """How many pages with (or without) words in their gold text were given none at all, and how many such pages there are."""
    pairs = zip(pages, texts, strict=True)
    given_up = [not text for page, text in pairs if page.gold is not None and bool(_WORD.search(page.gold)) == has_gold]
    return sum(given_up), len(given_up)
