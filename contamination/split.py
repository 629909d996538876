"""Cutting benchmark n-grams and what surrounds them out of a text: which pieces stay (GPT-3, appendix C).

Everything is in characters (code points), starts inclusive, ends exclusive. Windows and pieces
together are exactly the text, each character once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class Split:
    """What cutting does to one text.

    ``windows``: what is cut out, merged, ascending. ``pieces``: all that is left between them,
    none empty; their number decides whether the document is dropped. ``kept``: the pieces that are
    long enough.
    """

    windows: list[Span]
    pieces: list[Span]
    kept: list[Span]


def merge_windows(hits: Iterable[Span], length: int, window_characters: int) -> list[Span]:
    """The hits widened by the window on each side, clipped to the text, merged where they meet or overlap."""
    merged: list[Span] = []
    for start, end in sorted(hits):
        low, high = max(0, start - window_characters), min(length, end + window_characters)
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def split_text(length: int, hits: Iterable[Span], window_characters: int, min_piece_characters: int) -> Split:
    """Windows and pieces of a text of ``length`` characters with n-gram matches at ``hits``."""
    windows = merge_windows(hits, length, window_characters)
    starts = [0, *(end for _, end in windows)]
    ends = [*(start for start, _ in windows), length]
    pieces = [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]
    return Split(windows, pieces, [piece for piece in pieces if piece[1] - piece[0] >= min_piece_characters])
