"""Comments and teasers below an article are left out; posts of a forum, which are built alike, are not."""

from __future__ import annotations

import numpy as np
import pytest

from curation.extraction.blocks.article import ALMOST_CERTAIN, lowered_behind_article
from curation.extraction.blocks.features import NAMES
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


def test_a_page_without_blocks() -> None:
    assert len(lowered_behind_article(np.zeros(0, np.int64), np.zeros((0, len(NAMES)), np.int32), np.zeros(0, np.int64))) == 0
