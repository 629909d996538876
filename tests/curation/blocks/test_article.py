"""Comments and teasers below an article are left out; posts of a forum, which are built alike, are not."""

from __future__ import annotations

import numpy as np
import pytest

from curation.extraction.blocks.article import ALMOST_CERTAIN, lowered_behind_article
from curation.extraction.blocks.decide import ARTICLE_RECALL_WEIGHTS, RECALL_WEIGHTS
from curation.extraction.blocks.features import NAMES
from curation.extraction.blocks.judge import choose
from curation.extraction.blocks.model import ONE

ARTICLE = {
    "place_in_prose": [1, 1, 0, 0],
    "place_behind_prose": [-1, 0, 1, 2],
    "page_best_prose_share": [400] * 4,
    "template0_members": [1, 9, 5, 5],
}
ARTICLE |= {"template1_members": [3, 1, 5, 5]}
WORDS = np.array([150, 150, 40, 40])
LIKELY = np.array([ONE, ONE - 1, ONE // 2, ALMOST_CERTAIN])


def table(columns: dict[str, list[int]]) -> np.ndarray:
    features = np.zeros((4, len(NAMES)), np.int32)
    for name, values in columns.items():
        features[:, NAMES.index(name)] = values
    return features


def test_what_follows_an_article_counts_three_tenths_unless_almost_certain() -> None:
    assert lowered_behind_article(LIKELY, table(ARTICLE), WORDS).tolist() == [ONE, ONE - 1, ONE // 2 * 3 // 10, ALMOST_CERTAIN]


@pytest.mark.parametrize(
    ("columns", "words", "likely"),
    [
        ({"template0_members": [8, 9, 5, 5], "template1_members": [8, 8, 5, 5]}, WORDS, LIKELY),  # posts of one template
        ({"page_best_prose_share": [299] * 4}, WORDS, LIKELY),
        ({}, WORDS // 2, LIKELY),  # 150 words
        ({}, WORDS, LIKELY // 2),  # not sure of it
    ],
)
def test_other_pages_keep_their_probabilities(columns: dict[str, list[int]], words: np.ndarray, likely: np.ndarray) -> None:
    assert lowered_behind_article(likely, table(ARTICLE | columns), words).tolist() == likely.tolist()


@pytest.mark.parametrize("balance", ["precision", "balanced", "recall"])
def test_an_article_is_kept_with_less_weight_of_recall(balance: str) -> None:
    """A doubtful block inside the article: expected F scores by hand of the two sure blocks alone and of all three.

    The sure ones hold 400 words of 400 + 100 p expected, p the probability of the third, of 100 words. With weight b it is taken where
    (400 + 100 p) / (500 + b (400 + 100 p)) exceeds 400 / (400 + b (400 + 100 p)).
    """
    words, columns = np.array([200, 200, 100, 40]), ARTICLE | {"place_in_prose": [1, 1, 1, 0], "place_behind_prose": [-1, 0, 0, 2]}
    taken = {}
    for is_article in (True, False):
        page = table(columns | ({} if is_article else {"page_best_prose_share": [299] * 4}))
        probabilities = np.arange(1, 100)
        kept = [choose(np.array([ONE, ONE, ONE * p // 100, 0]), page, words, balance).kept[2] for p in probabilities]
        taken[is_article] = int(probabilities[np.argmax(kept)])
    weights = {True: ARTICLE_RECALL_WEIGHTS[balance] / 100, False: RECALL_WEIGHTS[balance] / 100}
    for is_article, weight in weights.items():
        p = np.arange(1, 100) / 100
        found = 400 + 100 * p
        assert taken[is_article] == round(100 * p[np.argmax(found * (400 + weight * found) > 400 * (500 + weight * found))])
    assert taken[True] > taken[False]


def test_a_page_without_blocks() -> None:
    assert len(lowered_behind_article(np.zeros(0, np.int64), np.zeros((0, len(NAMES)), np.int32), np.zeros(0, np.int64))) == 0
