"""Which blocks of a page are main text, told from its gold text or from gold snippets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.kernels import kernel

UNKNOWN, REST, MAIN = -1, 0, 1
_WORD = re.compile(r"\w+")
_LARGEST_ALIGNMENT = 400_000_000  # words of the page times words of the gold; beyond, the page is left out
_MAIN_SHARE = 0.5  # of a block's words that must be matched (../shared/notes-extraction.md, B)
_SNIPPET_SHARE = 0.3  # of a block's characters that a snippet must be, for the snippet to judge the block (our choice)
_SURE_CHARACTERS = 20  # a snippet of main text as long as that judges any block that it stands in (our choice)


def labels_of_gold(texts: Sequence[str], gold: str) -> np.ndarray:
    """A label a block (int8), from its text: ``MAIN`` where most of its words are in the alignment of page and gold, else ``REST``.

    The alignment is a longest common subsequence of words where a match behind a match counts half more, so that of a text
    that stands twice in the page the unbroken copy is taken.
    """
    words = [_WORD.findall(text.lower()) for text in texts]
    numbers: dict[str, int] = {}
    page = np.array([numbers.setdefault(word, len(numbers)) for block in words for word in block], np.int32)
    target = np.array([numbers.setdefault(word, len(numbers)) for word in _WORD.findall(gold.lower())], np.int32)
    if len(page) * len(target) > _LARGEST_ALIGNMENT:
        return np.full(len(words), UNKNOWN, np.int8)
    lengths = np.array([len(block) for block in words], np.int64)
    hits = np.bincount(np.repeat(np.arange(len(words)), lengths), _aligned(page, target), len(words))
    return np.where(lengths == 0, UNKNOWN, hits > _MAIN_SHARE * lengths).astype(np.int8)


def labels_of_snippets(texts: Sequence[str], main: Sequence[str], rest: Sequence[str]) -> np.ndarray:
    """A label a block (int8) where a snippet judges it, else ``UNKNOWN``; main text wins."""
    blocks = [_plain(text) for text in texts]
    labels = np.full(len(blocks), UNKNOWN, np.int8)
    for snippets, label, sure in ((rest, REST, float("inf")), (main, MAIN, _SURE_CHARACTERS)):
        for snippet in filter(None, map(_plain, snippets)):
            for place, text in enumerate(blocks):
                if snippet in text and (len(snippet) >= min(sure, _SNIPPET_SHARE * len(text))):
                    labels[place] = label
    return labels


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


@kernel
def _aligned(page: Any, gold: Any) -> Any:
    """Which words of the page (uint8) are matched."""
    rows, columns = len(page), len(gold)
    steps = np.zeros((rows + 1, columns + 1), np.uint8)  # 1: from above, 2: from the left, 3: a match; 4: behind a match
    best, matching = np.zeros(columns + 1, np.int32), np.full(columns + 1, -(1 << 30), np.int32)
    for row in range(1, rows + 1):
        corner, corner_match = best[0], matching[0]
        for column in range(1, columns + 1):
            above, above_match = best[column], matching[column]
            score, step = -(1 << 30), 0
            if page[row - 1] == gold[column - 1]:
                score, step = (corner_match + 3, 4) if corner_match + 3 > corner + 2 else (corner + 2, 0)
            matching[column] = score
            if score >= above and score >= best[column - 1]:
                best[column], step = score, step | 3
            elif above >= best[column - 1]:
                step |= 1
            else:
                best[column], step = best[column - 1], step | 2
            steps[row, column] = step
            corner, corner_match = above, above_match
    matched = np.zeros(rows, np.uint8)
    row, column, in_match = rows, columns, False
    while row > 0 and column > 0:
        step = steps[row, column]
        if in_match or step & 3 == 3:
            matched[row - 1] = 1
            in_match = step & 4 != 0
            row, column = row - 1, column - 1
        elif step & 3 == 1:
            row -= 1
        else:
            column -= 1
    return matched
