"""What the model sees of a block: itself, what it lies in, its neighbours, its place, and the page. Whole numbers only.

Shares are thousandths. Whole numbers are compared alike by every machine, so that a page has the same text everywhere. No name of
a class or an id is read: they belong to one site, one language and one year.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.extraction.blocks import tags
from curation.extraction.blocks.inside import INSIDE
from curation.extraction.blocks.scan import Scan
from curation.extraction.blocks.structure import Structure
from curation.kernels import kernel

LEVELS = 6  # containers around a block that are looked at
NEIGHBOURS = (-2, -1, 1, 2)
WINDOWS = (8, 20)  # blocks to each side
FAR = 1 << 20  # stands for "there is none"

_OWN = [
    "words",
    "letters",
    "links",
    "lines",
    "symbols",
    "copyright",
    "last_kind",
    "first_kind",
    "link_share",
    "sentence_share",
    "comma_share",
    "digit_share",
    "capital_share",
    "letters_a_word",
    "link_words",
    "sentences",
    "commas",
    "copies",
    "earlier_copies",
    "element",
]
_PLACE = [
    "block_share",
    "words_before_share",
    "words_after_share",
    "blocks_before",
    "blocks_after",
    "to_first_heading",
    "words_to_first_heading",
    "since_heading",
    "words_since_heading",
    "last_heading_level",
    "depth",
    "steps_up_to_prose",
    "steps_down_to_prose",
    "in_prose",
    "before_prose",
    "behind_prose",
    "prose_share_within",
    "words_from_last_prose",
]
_LEVEL = ["element", "words_share", "link_share", "sentence_share", "paragraph_share", "blocks_share", "words", "blocks", "prose_share"]
_GROUP = ["members", "words_share", "link_share", "sentence_share", "words_a_member"]
_NEIGHBOUR = ["words", "link_share", "sentences", "element"]
_WINDOW = ["words_before", "link_share_before", "sentences_before", "words_behind", "link_share_behind", "sentences_behind"]
_PAGE = [
    "words",
    "link_share",
    "blocks",
    "sentence_share",
    "paragraph_share",
    "prose_share",
    "best_prose_share",
    "best_words_share",
    "best_depth",
    "containers",
    "words_a_block",
    "inside_main_share",
    "inside_article_share",
    "inside_nav_share",
    "inside_list_share",
    "inside_table_share",
]
GROUP_LEVELS = 3
NAMES = (
    *(f"own_{name}" for name in _OWN),
    *(f"inside_{name}" for name in INSIDE),
    *(f"place_{name}" for name in _PLACE),
    *(f"level{level}_{name}" for level in range(LEVELS) for name in _LEVEL),
    *(f"template{level}_{name}" for level in range(GROUP_LEVELS) for name in _GROUP),
    *(f"neighbour{offset:+d}_{name}" for offset in NEIGHBOURS for name in _NEIGHBOUR),
    *(f"window{width}_{name}" for width in WINDOWS for name in _WINDOW),
    *(f"page_{name}" for name in _PAGE),
)


def features(scan: Scan, counts: np.ndarray, hashes: np.ndarray, page: Structure) -> np.ndarray:
    """[block, feature], int32, columns as ``NAMES``."""
    table = np.zeros((len(scan.blocks), len(NAMES)), np.int32)
    if len(table):
        inside = scan.runs[scan.blocks[:, 0], 2]
        order = np.argsort(hashes, kind="stable")
        column = _fill_own(table, 0, scan.blocks, scan.containers, counts, hashes, order)
        column = _fill_inside(table, column, inside, len(INSIDE))
        column = _fill_place(table, column, scan.blocks, scan.containers, counts, page.sums, page.best, page.meeting, _HEADINGS)
        column = _fill_levels(table, column, scan.blocks, scan.containers, page.sums)
        column = _fill_templates(table, column, scan.blocks, scan.containers, page.groups, page.sums)
        column = _fill_neighbours(table, column, scan.blocks, scan.containers, counts, NEIGHBOURS)
        column = _fill_windows(table, column, page.sums, WINDOWS)
        column = _fill_page(table, column, inside, scan.blocks, scan.containers, page.sums, page.best, _PAGE_BITS)
        assert column == len(NAMES)
    return table


_HEADINGS = np.array(tags.numbers("h1 h2 h3 h4 h5 h6"))
_PAGE_BITS = np.array([1 << INSIDE.index(name) for name in ("main", "article", "nav", "list", "table")])


@kernel
def _share(part: Any, whole: Any) -> Any:
    return 1000 * part // whole if whole > 0 else 0


@kernel
def _fill_own(table: Any, column: Any, blocks: Any, containers: Any, counts: Any, hashes: Any, order: Any) -> Any:
    for block in range(len(blocks)):
        row, count = table[block, column:], counts[block]
        words, letters = count[0], count[1]
        row[0], row[1], row[2], row[3], row[4] = words, letters, count[7], count[8], count[9]
        row[5], row[6], row[7] = count[10], count[11], count[12]
        row[8] = _share(count[2], words)
        row[9], row[10] = _share(count[3], words), _share(count[4], words)
        row[11], row[12] = _share(count[5], letters), _share(count[6], letters)
        row[13] = 10 * letters // max(1, words)
        row[14], row[15], row[16] = count[2], count[3], count[4]
        row[19] = containers[blocks[block, 1], 0]
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and hashes[order[end]] == hashes[order[start]]:
            end += 1
        for place in range(start, end):
            table[order[place], column + 17] = end - start
            table[order[place], column + 18] = place - start
        start = end
    return column + 20


@kernel
def _fill_inside(table: Any, column: Any, inside: Any, bits: Any) -> Any:
    for block in range(len(table)):
        for bit in range(bits):
            table[block, column + bit] = inside[block] >> bit & 1
    return column + bits


@kernel
def _fill_place(
    table: Any, column: Any, blocks: Any, containers: Any, counts: Any, sums: Any, best: Any, meeting: Any, headings: Any
) -> Any:
    n = len(blocks)
    words = sums[n, 0]
    first_heading = -1
    for block in range(n):
        if containers[blocks[block, 1], 0] == headings[0]:
            first_heading = block
            break
    last_heading, last_level, last_prose = -1, 0, -1
    best_first, best_end = containers[best, 4], containers[best, 5]
    for block in range(n):
        row = table[block, column:]
        container = blocks[block, 1]
        for level in range(6):
            if containers[container, 0] == headings[level]:
                last_heading, last_level = block, level + 1
        row[0], row[1] = _share(block, n), _share(sums[block, 0], words)
        row[2] = _share(words - sums[block + 1, 0], words)
        row[3], row[4] = block, n - 1 - block
        row[5] = block - first_heading if first_heading >= 0 else FAR
        row[6] = sums[block, 0] - sums[first_heading, 0] if first_heading >= 0 else FAR
        row[7] = block - last_heading if last_heading >= 0 else FAR
        row[8] = sums[block, 0] - sums[last_heading, 0] if last_heading >= 0 else FAR
        row[9] = last_level
        depth, meets = containers[container, 2], containers[meeting[container], 2]
        row[10], row[11], row[12] = depth, depth - meets, containers[best, 2] - meets
        row[13] = best_first <= block < best_end
        row[14], row[15] = best_first - block, block - (best_end - 1)
        row[16] = _share(sums[block, 5] - sums[best_first, 5], sums[best_end, 5] - sums[best_first, 5])
        row[17] = sums[block, 0] - sums[last_prose + 1, 0] if last_prose >= 0 else FAR
        if sums[block + 1, 5] > sums[block, 5]:
            last_prose = block
    return column + 18


@kernel
def _fill_levels(table: Any, column: Any, blocks: Any, containers: Any, sums: Any) -> Any:
    n = len(blocks)
    for block in range(n):
        container = np.int64(blocks[block, 1])
        for level in range(LEVELS):
            row = table[block, column + 9 * level :]
            first, end = containers[container, 4], containers[container, 5]
            words, many = sums[end, 0] - sums[first, 0], end - first
            row[0] = containers[container, 0]
            row[1] = _share(words, sums[n, 0])
            row[2] = _share(sums[end, 1] - sums[first, 1], words)
            row[3] = _share(sums[end, 2] - sums[first, 2], words)
            row[4] = _share(sums[end, 3] - sums[first, 3], words)
            row[5] = _share(many, n)
            row[6], row[7] = words, many
            row[8] = _share(sums[end, 5] - sums[first, 5], sums[n, 5])
            container = max(np.int64(0), np.int64(containers[container, 1]))
    return column + 9 * LEVELS


@kernel
def _fill_templates(table: Any, column: Any, blocks: Any, containers: Any, groups: Any, sums: Any) -> Any:
    n = len(blocks)
    for block in range(n):
        container = np.int64(blocks[block, 1])
        for level in range(GROUP_LEVELS):
            row, group = table[block, column + 5 * level :], groups[container]
            row[0], row[1] = group[0], _share(group[1], sums[n, 0])
            row[2], row[3] = _share(group[2], group[1]), _share(group[3], group[1])
            row[4] = group[1] // max(1, group[0])
            container = max(np.int64(0), np.int64(containers[container, 1]))
    return column + 5 * GROUP_LEVELS


@kernel
def _fill_neighbours(table: Any, column: Any, blocks: Any, containers: Any, counts: Any, offsets: Any) -> Any:
    for block in range(len(blocks)):
        for place in range(len(offsets)):
            row, other = table[block, column + 4 * place :], block + offsets[place]
            row[0] = row[1] = row[2] = row[3] = -1
            if 0 <= other < len(blocks):
                row[0], row[1] = counts[other, 0], _share(counts[other, 2], counts[other, 0])
                row[2], row[3] = counts[other, 3], containers[blocks[other, 1], 0]
    return column + 4 * len(offsets)


@kernel
def _fill_windows(table: Any, column: Any, sums: Any, widths: Any) -> Any:
    n = len(table)
    for block in range(n):
        for place in range(len(widths)):
            row = table[block, column + 6 * place :]
            first, end = max(0, block - widths[place]), min(n, block + 1 + widths[place])
            before, behind = sums[block, 0] - sums[first, 0], sums[end, 0] - sums[block + 1, 0]
            row[0], row[1] = before, _share(sums[block, 1] - sums[first, 1], before)
            row[2] = sums[block, 2] - sums[first, 2]
            row[3], row[4] = behind, _share(sums[end, 1] - sums[block + 1, 1], behind)
            row[5] = sums[end, 2] - sums[block + 1, 2]
    return column + 6 * len(widths)


@kernel
def _fill_page(table: Any, column: Any, inside: Any, blocks: Any, containers: Any, sums: Any, best: Any, bits: Any) -> Any:
    n = len(blocks)
    words, first, end = sums[n, 0], containers[best, 4], containers[best, 5]
    row = np.zeros(16, np.int64)
    row[0], row[1], row[2] = words, _share(sums[n, 1], words), n
    row[3], row[4], row[5] = _share(sums[n, 2], words), _share(sums[n, 3], words), _share(sums[n, 5], words)
    row[6] = _share(sums[end, 5] - sums[first, 5], sums[n, 5])
    row[7], row[8] = _share(sums[end, 0] - sums[first, 0], words), containers[best, 2]
    row[9], row[10] = len(containers), 10 * words // n
    for place in range(len(bits)):
        held = 0
        for block in range(n):
            held += (sums[block + 1, 0] - sums[block, 0]) * (inside[block] & bits[place] != 0)
        row[11 + place] = _share(held, words)
    for block in range(n):
        for place in range(16):
            table[block, column + place] = row[place]
    return column + 16
