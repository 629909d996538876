"""Which documents must be looked at together: star links between equal keys, joined by union-find.

Documents are numbered 0, 1, 2, ... through all shards. What is joined here is a *component*: every
pair of documents that could be duplicates lies within one. Who is a duplicate of whom is decided
afterwards, within each component alone, by ``dedup.clusters``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint32]

FLATTEN_ROWS = 1_000_000  # documents looked at together, so that no more than these are in memory twice


def star_links(keys: Sequence[npt.NDArray[np.uint64]], numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Links (leaders, followers) that connect all documents with equal keys.

    ``keys``: columns of the key, each as long as ``numbers``. Within each group of equal keys the
    smallest number leads and every other follows it: one link fewer than the group has members,
    however large it is.
    """
    columns: list[npt.NDArray[Any]] = [numbers, *reversed(keys)]
    order = np.lexsort(columns)
    numbers = numbers[order]
    follows = np.zeros(len(numbers), bool)
    if len(numbers):
        follows[1:] = np.logical_and.reduce([column[order][1:] == column[order][:-1] for column in keys])
    leader = np.maximum.accumulate(np.where(follows, 0, np.arange(len(numbers))))
    return numbers[leader[follows]], numbers[follows]


def unite(parents: Numbers, leaders: Numbers, followers: Numbers) -> None:
    """Join the two ends of every link; ``parents`` starts as 0, 1, 2, ... and is changed in place."""
    while len(leaders):
        one, other = _roots(parents, leaders), _roots(parents, followers)
        apart = one != other
        # The smaller number becomes the root, so that the result does not depend on the order of the links. A root that meets
        # several goes to the smallest; its links with the others are looked at again.
        np.minimum.at(parents, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        leaders, followers = one[apart], other[apart]


def flatten(parents: Numbers) -> npt.NDArray[np.bool_]:
    """Make ``parents`` hold each document's component (its smallest number); returns who has company in it."""
    linked = np.zeros(len(parents), bool)
    for start in range(0, len(parents), FLATTEN_ROWS):
        part = slice(start, min(start + FLATTEN_ROWS, len(parents)))
        roots = _roots(parents, part)
        joined = roots != np.arange(part.start, part.stop)
        linked[part] |= joined
        linked[roots[joined]] = True
    return linked


def _roots(parents: Numbers, nodes: Numbers | slice) -> Numbers:
    """Root of each node; the way to it is made one step long, by halves."""
    while True:
        nearer = parents[nodes]
        roots = parents[nearer]
        if np.array_equal(nearer, roots):
            return roots
        parents[nodes] = roots


def batches(component_of: Numbers, costs: npt.NDArray[np.int64], batch_cost: int) -> npt.NDArray[np.int64]:
    """Batch of each document, such that no component is cut and a batch costs little over ``batch_cost``.

    A batch closes with the component that reaches ``batch_cost``; batches are numbered in order, and
    a number may be missing where one component costs more than a batch.
    """
    order = np.argsort(component_of, kind="stable")
    first = np.flatnonzero(np.diff(component_of[order], prepend=-1))
    totals = np.add.reduceat(costs[order], first)
    batch_of_component = (np.cumsum(totals) - totals) // batch_cost
    result = np.empty(len(order), np.int64)
    result[order] = np.repeat(batch_of_component, np.diff(first, append=len(order)))
    return result
