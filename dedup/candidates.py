"""Which documents may be duplicates of each other: links between look-alikes that share a key.

Within a bucket two documents are linked only if their signatures agree in so many rows that they
may well reach the threshold; so a component holds look-alikes, not the crowd that any common
phrase brings together. A bucket of any size takes linear time: small ones compare all pairs; in
large ones documents are compared with a few leaders, and those that resemble none are parted again by
finer keys. Documents meet in the order of their text digests, so the links do not depend on
numbering, shards or workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dedup.bands import choose_bands
from dedup.links import Numbers, star_links
from dedup.presets import Method
from dedup.sketches import TEXT, Sketch, read_range, rows_of

ALL_PAIRS_DOCUMENTS = 32  # buckets up to this size compare all pairs; our choice
MAX_LEADERS = 16  # documents with which each document of a larger bucket is compared; our choice
# Standard errors below the threshold at which two documents are still linked: one pair in 3 million is lost.
LINK_DEVIATIONS = 5.0


@dataclass(frozen=True)
class Agreement:
    """From how many equal rows of a signature on two documents are linked (``link``), and one speaks for the other (``same``).

    Jaccard distances obey the triangle inequality: what reaches the threshold with a document that
    is ``same`` as a leader is itself linked with the leader. ``bands`` and ``rows`` make the finer
    keys that part large buckets.
    """

    link: int
    same: int
    bands: int
    rows: int


def agreement_for(method: Method) -> Agreement:
    """The limits for a threshold; estimates are compared with the threshold less five standard errors."""
    margin = LINK_DEVIATIONS * method.standard_error
    link = math.ceil(max(0.0, method.threshold - margin) * method.permutations)
    same = math.ceil((1.0 - margin / 2) * method.permutations)
    return Agreement(link, same, *choose_bands(method.threshold, method.permutations))


def link_equal_texts(sketches: Sequence[Sketch], parts: int, keep: str | None, part: int) -> tuple[Numbers, Numbers]:
    """Star links between the documents of equal text, for one part of the range of digests."""
    keys, numbers = read_range(sketches, TEXT, None, part, parts, keep)
    return star_links([keys[:, 0], keys[:, 1]], numbers)


def link_look_alikes(
    sketches: Sequence[Sketch], parts: int, keep: str, agreement: Agreement, item: tuple[int, int]
) -> tuple[Numbers, Numbers]:
    """Links between look-alikes that share the key of one band, for one part of its range. ``item``: band, part."""
    band, part = item
    keys, numbers = read_range(sketches, "bands", band, part, parts, keep)
    keys = keys[:, 0]
    order = np.argsort(keys, kind="stable")
    equal = keys[order][1:] == keys[order][:-1]
    shared = np.zeros(len(order), bool)
    shared[1:] |= equal
    shared[:-1] |= equal
    keys, numbers = keys[order][shared], numbers[order][shared]
    if not len(keys):
        return numbers, numbers
    digests, low = np.empty(len(keys), np.uint64), np.empty((len(keys), sketches[0].array("low").shape[1]), np.uint8)
    for sketch, rows, places in rows_of(sketches, numbers):
        digests[places] = sketch.array("digests")[rows, 0]
        low[places] = sketch.array("low")[rows]
    order = np.lexsort([numbers, digests, keys])
    keys = keys[order]
    bounds = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    indexed = max((sketch.first + sketch.documents for sketch in sketches if sketch.indexed), default=0)
    leaders, followers = _link_buckets(bounds, low[order], (numbers < indexed)[order], agreement)
    numbers = numbers[order]
    return numbers[leaders], numbers[followers]


def link_rows(low: npt.NDArray[np.uint8], agreement: Agreement) -> list[tuple[int, int]]:
    """Links between the documents of one bucket, given the low bytes of their signatures."""
    bounds, indexed = np.array([0, len(low)]), np.zeros(len(low), bool)
    leaders, followers = _link_buckets(bounds, low, indexed, agreement)
    return list(zip(leaders.tolist(), followers.tolist(), strict=True))


def _link_buckets(bounds: Any, low: npt.NDArray[np.uint8], indexed: npt.NDArray[np.bool_], agreement: Agreement) -> Any:
    from dedup.buckets import link_buckets

    limits = (agreement.link, agreement.same, agreement.bands, agreement.rows)
    return link_buckets(bounds, low, indexed, *limits, ALL_PAIRS_DOCUMENTS, MAX_LEADERS)
