"""Which words of a benchmark item and of a document passage are the same, for showing them side by side."""

from __future__ import annotations

import numpy as np

from contamination.scan import stretches
from contamination.split import Span
from contamination.words import find_words, ngram_keys


def shared_spans(text: str, other: str, ngram_words: int) -> list[Span]:
    """Characters of ``text`` that n-grams which also occur in ``other`` cover, ascending, apart from each other."""
    words, other_words = find_words(text), find_words(other)
    positions = np.flatnonzero(np.isin(ngram_keys(words, ngram_words), ngram_keys(other_words, ngram_words)))
    first, last = stretches(positions, ngram_words)
    starts, ends = words.starts[positions[first]], words.ends[positions[last] + ngram_words - 1]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
