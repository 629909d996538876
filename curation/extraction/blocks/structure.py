"""What the containers of a page hold, which of them holds its prose, and which repeat one template: whole numbers for the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.extraction.blocks.inside import BIT
from curation.extraction.blocks.scan import Scan
from curation.kernels import kernel

MIN_PROSE_WORDS = 10  # of a block with a sentence's end; fewer are labels and captions (our choice)
TOTALS = ["words", "link_words", "sentences", "paragraph_words", "blocks", "prose"]  # columns of running sums over the blocks
GROUPS = ["members", "words", "link_words", "sentences"]  # columns of the sums over containers of one template


@dataclass(frozen=True)
class Structure:
    """Of a page with b blocks and c containers.

    ``sums``: [b + 1, total], the sums of all blocks before each. ``best``: the container that holds the prose most directly.
    ``meeting``: [c], the innermost container that holds both it and ``best``. ``groups``: [c, ``GROUPS``], sums over
    all containers whose element, first class, and those of the two around it are the same. All int64.
    """

    sums: np.ndarray
    best: int
    meeting: np.ndarray
    groups: np.ndarray


def structure(scan: Scan, counts: np.ndarray) -> Structure:
    """The structure of a page from its scan and the measures of its blocks."""
    sums = np.zeros((len(scan.blocks) + 1, len(TOTALS)), np.int64)
    _sum_up(counts, scan.runs, scan.blocks, BIT["paragraph"], sums)
    meeting = np.zeros(len(scan.containers), np.int64)
    best = _find_best(scan.blocks, scan.containers, sums, meeting)
    templates = np.zeros(len(scan.containers), np.uint64)
    _templates(scan.containers, scan.hashes, templates)
    groups = np.zeros((len(scan.containers), len(GROUPS)), np.int64)
    _sum_groups(templates, np.argsort(templates, kind="stable"), scan.containers, sums, groups)
    return Structure(sums, best, meeting, groups)


@kernel
def _sum_up(counts: Any, runs: Any, blocks: Any, paragraph: Any, sums: Any) -> None:
    for block in range(len(blocks)):
        words, link_words, sentences = counts[block, 0], counts[block, 2], counts[block, 3]
        in_paragraph = runs[blocks[block, 0], 2] & paragraph != 0
        is_prose = sentences > 0 and words >= MIN_PROSE_WORDS
        sums[block + 1, 0] = sums[block, 0] + words
        sums[block + 1, 1] = sums[block, 1] + link_words
        sums[block + 1, 2] = sums[block, 2] + sentences
        sums[block + 1, 3] = sums[block, 3] + words * in_paragraph
        sums[block + 1, 4] = sums[block, 4] + 1
        sums[block + 1, 5] = sums[block, 5] + max(0, words - 2 * link_words) * is_prose


@kernel
def _find_best(blocks: Any, containers: Any, sums: Any, meeting: Any) -> Any:
    """The container with the most prose close below it; a level further away counts half. Also fills ``meeting``."""
    scores = np.zeros(len(containers), np.int64)
    for block in range(len(blocks)):
        prose = sums[block + 1, 5] - sums[block, 5]
        container = blocks[block, 1]
        for weight in (3, 4, 2, 1):  # of its own element, the one around it, and so on
            if container < 0 or prose == 0:
                break
            scores[container] += weight * prose
            container = containers[container, 1]
    best = np.int64(np.argmax(scores))
    holds_best = np.zeros(len(containers), np.bool_)
    container = best
    while container >= 0:
        holds_best[container] = True
        container = np.int64(containers[container, 1])
    for container in range(1, len(containers)):  # a container comes after the one around it
        meeting[container] = container if holds_best[container] else meeting[containers[container, 1]]
    return best


@kernel
def _templates(containers: Any, hashes: Any, templates: Any) -> None:
    for container in range(len(containers)):
        value, around = hashes[container], np.int64(containers[container, 1])
        for _ in range(2):
            value = (value ^ (value >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
            if around >= 0:
                value ^= hashes[around]
                around = np.int64(containers[around, 1])
        templates[container] = value


@kernel
def _sum_groups(templates: Any, order: Any, containers: Any, sums: Any, groups: Any) -> None:
    start = 0
    while start < len(order):
        end = start
        members = words = link_words = sentences = 0
        while end < len(order) and templates[order[end]] == templates[order[start]]:
            first, last = containers[order[end], 4], containers[order[end], 5]
            members += last > first
            words += sums[last, 0] - sums[first, 0]
            link_words += sums[last, 1] - sums[first, 1]
            sentences += sums[last, 2] - sums[first, 2]
            end += 1
        for place in range(start, end):
            row = groups[order[place]]
            row[0], row[1], row[2], row[3] = members, words, link_words, sentences
        start = end
