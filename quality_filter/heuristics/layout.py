"""From code points to lines and paragraphs; importing this module loads numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel
from quality_filter.heuristics.characters import SPACE

NEWLINE = ord("\n")
# FNV-1a, 64 bit (Fowler, Noll, Vo), fed with whole code points instead of bytes.
FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)


@kernel
def find_parts(codes: Any, text_bounds: Any, flags: Any, min_newlines: Any, strip: Any) -> Any:
    """Starts, ends (exclusive), hashes and document bounds of what stands between runs of at least ``min_newlines`` newlines.

    Shorter runs belong to the part. ``strip``: leave white space at both ends of a text out. A text
    without such a run is one part, an empty text too.
    """
    documents = len(text_bounds) - 1
    most = documents
    for code in codes:
        most += code == NEWLINE
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    hashes, bounds = np.empty(most, np.uint64), np.zeros(documents + 1, np.int64)
    count = 0
    for document in range(documents):
        position, end = text_bounds[document], text_bounds[document + 1]
        if strip:
            while position < end and flags[codes[position]] & SPACE:
                position += 1
            while end > position and flags[codes[end - 1]] & SPACE:
                end -= 1
        start, value = position, FNV_OFFSET
        while position < end:
            run = position
            while run < end and codes[run] == NEWLINE:
                run += 1
            if run - position >= min_newlines:
                starts[count], ends[count], hashes[count] = start, position, value
                count += 1
                start, value, position = run, FNV_OFFSET, run
                continue
            stop = max(run, position + 1)
            while position < stop:
                value = (value ^ np.uint64(codes[position])) * FNV_PRIME
                position += 1
        starts[count], ends[count], hashes[count] = start, end, value
        count += 1
        bounds[document + 1] = count
    return starts[:count].copy(), ends[:count].copy(), hashes[:count].copy(), bounds
