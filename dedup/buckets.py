"""The links within buckets, compiled: all pairs of small ones, leaders in large ones, which are parted again by finer keys.

See ``dedup.candidates`` for what the limits mean. Imports numba: import this module where it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel


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
def link_buckets(
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
