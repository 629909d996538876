"""The similarity of two documents, and who is kept for whom, compiled. Imports numba: import this module where it is used."""

from __future__ import annotations

from typing import Any

from curation.kernels import kernel


@kernel
def jaccard(one: Any, other: Any) -> Any:
    """Jaccard similarity of two sorted arrays without repetitions; 0 if both are empty."""
    i, j, common = 0, 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            common += 1
            i += 1
            j += 1
        elif one[i] < other[j]:
            i += 1
        else:
            j += 1
    union = len(one) + len(other) - common
    return common / union if union else 0.0


@kernel
def agreement(one: Any, other: Any) -> Any:
    """Share of equal rows of two signatures: estimates the Jaccard similarity."""
    equal = 0
    for row in range(len(one)):
        equal += one[row] == other[row]
    return equal / len(one)


@kernel
def keep_first(
    first: Any, indexed: Any, buckets: Any, sets: Any, bounds: Any, threshold: Any, estimated: Any,
    kept_for: Any, similarity: Any, shared_band: Any, compared_with: Any, slots: Any, slots_used: Any, store: Any, spans: Any, used: Any,
) -> Any:  # fmt: skip
    """Decide on one chunk of nodes, from ``first`` on; returns how much of ``store`` is used then."""
    bands = buckets.shape[1]
    for place in range(len(bounds) - 1):
        node = first + place
        own = sets[bounds[place] : bounds[place + 1]]
        for band in range(bands if node >= indexed else 0):
            bucket = buckets[node, band]
            if bucket < 0:
                continue
            for slot in range(slots_used[bucket]):
                candidate = slots[bucket, slot]
                # Of several similar survivors the most preferred counts: the smallest number.
                if compared_with[candidate] == node or candidate > kept_for[node]:
                    continue
                compared_with[candidate] = node
                other = store[spans[candidate, 0] : spans[candidate, 1]]
                # Sets of too different sizes cannot reach the threshold.
                if min(len(other), len(own)) / max(len(other), len(own)) < threshold:
                    continue
                value = agreement(own, other) if estimated else jaccard(own, other)
                if value >= threshold:
                    kept_for[node], similarity[node], shared_band[node] = candidate, value, band
        if kept_for[node] != node:
            continue
        for band in range(bands):
            bucket = buckets[node, band]
            if bucket >= 0 and slots_used[bucket] < slots.shape[1]:
                slots[bucket, slots_used[bucket]] = node
                slots_used[bucket] += 1
                if spans[node, 1] == 0:
                    spans[node, 0], spans[node, 1] = used, used + len(own)
                    store[used : used + len(own)] = own
                    used += len(own)
    return used
