"""Which documents may be duplicates of each other: links between look-alikes that share a key.

Within a bucket two documents are linked only if their signatures agree in so many rows that they
may well reach the threshold; so a component holds look-alikes, not the crowd that any common
phrase brings together. A bucket of any size takes linear time: small ones compare all pairs; in
large ones documents are compared with a few leaders, and those that resemble none are parted again by
finer keys. Documents meet in the order of their text digests, so the links do not depend on
numbering, shards or workers.
Imports numba: import this module where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
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
    limits = (agreement.link, agreement.same, agreement.bands, agreement.rows)
    leaders, followers = _link_buckets(bounds, low[order], (numbers < indexed)[order], *limits, ALL_PAIRS_DOCUMENTS, MAX_LEADERS)
    numbers = numbers[order]
    return numbers[leaders], numbers[followers]


def link_rows(low: npt.NDArray[np.uint8], agreement: Agreement) -> list[tuple[int, int]]:
    """Links between the documents of one bucket, given the low bytes of their signatures."""
    bounds, indexed = np.array([0, len(low)]), np.zeros(len(low), bool)
    limits = (agreement.link, agreement.same, agreement.bands, agreement.rows)
    leaders, followers = _link_buckets(bounds, low, indexed, *limits, ALL_PAIRS_DOCUMENTS, MAX_LEADERS)
    return list(zip(leaders.tolist(), followers.tolist(), strict=True))


@kernel
def _equal_rows(low: Any, one: Any, other: Any) -> Any:
    equal = 0
    for row in range(low.shape[1]):
        equal += low[one, row] == low[other, row]
    return equal


@kernel
def _append(links: Any, used: Any, leader: Any, follower: Any) -> Any:
    """The links with one more; the array grows by doubling."""
    if used == len(links):
        longer = np.empty((2 * len(links), 2), np.int64)
        longer[:used] = links
        links = longer
    links[used, 0], links[used, 1] = leader, follower
    return links


@kernel
def _link_all_pairs(places: Any, low: Any, indexed: Any, link: Any, links: Any, used: Any) -> Any:
    """Link what looks alike, unless others link it already."""
    group = np.arange(len(places))
    for i in range(1, len(places)):
        for j in range(i):
            if group[i] == group[j] or (indexed[places[i]] and indexed[places[j]]):
                continue
            if _equal_rows(low, places[i], places[j]) >= link:
                links = _append(links, used, places[j], places[i])
                used += 1
                old = group[i]
                for k in range(i + 1):
                    if group[k] == old:
                        group[k] = group[j]
    return links, used


@kernel
def _link_to_leaders(places: Any, low: Any, indexed: Any, link: Any, same: Any, max_leaders: Any, links: Any, used: Any) -> Any:
    """Link each document with the leaders that it resembles; returns, too, for which no leader speaks."""
    leaders = np.empty(max_leaders, np.int64)
    leading = 0
    alone = np.zeros(len(places), np.bool_)
    for i in range(len(places)):
        place, spoken_for = places[i], False
        for k in range(leading):
            if indexed[place] and indexed[leaders[k]]:
                continue
            rows = _equal_rows(low, leaders[k], place)
            if rows >= link:
                links = _append(links, used, leaders[k], place)
                used += 1
            if rows >= same:
                spoken_for = True
                break
        if not spoken_for:
            alone[i] = True
            if leading < max_leaders:
                leaders[leading] = place
                leading += 1
    return links, used, alone


@kernel
def _fine_key(low: Any, place: Any, first: Any, rows: Any) -> Any:
    """FNV-1a of some rows of a signature."""
    key = np.uint64(0xCBF29CE484222325)
    for row in range(first, first + rows):
        key = (key ^ np.uint64(low[place, row])) * np.uint64(0x100000001B3)
    return key


@kernel
def _link_buckets(
    bounds: Any, low: Any, indexed: Any, link: Any, same: Any, fine_bands: Any, fine_rows: Any, all_pairs: Any, max_leaders: Any
) -> Any:
    links, used = np.empty((1024, 2), np.int64), 0
    for bucket in range(len(bounds) - 1):
        places = np.arange(bounds[bucket], bounds[bucket + 1])
        if len(places) <= all_pairs:
            links, used = _link_all_pairs(places, low, indexed, link, links, used)
            continue
        links, used, alone = _link_to_leaders(places, low, indexed, link, same, max_leaders, links, used)
        places = places[alone]
        for band in range(fine_bands):
            keys = np.empty(len(places), np.uint64)
            for i in range(len(places)):
                keys[i] = _fine_key(low, places[i], band * fine_rows, fine_rows)
            order = np.argsort(keys, kind="mergesort")
            start = 0
            while start < len(order):
                stop = start + 1
                while stop < len(order) and keys[order[stop]] == keys[order[start]]:
                    stop += 1
                if stop - start > 1:
                    group = places[order[start:stop]]
                    if len(group) <= all_pairs:
                        links, used = _link_all_pairs(group, low, indexed, link, links, used)
                    else:
                        links, used, _ = _link_to_leaders(group, low, indexed, link, same, max_leaders, links, used)
                start = stop
    return links[:used, 0].copy(), links[:used, 1].copy()
