"""A filter of n-gram keys: answers "no" for sure, and "maybe" for the keys it was made of and a few others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contamination.arrays import KeyArray


@dataclass(frozen=True)
class KeyFilter:
    """A blocked Bloom filter of uint64 keys that are spread evenly. ``bits``: uint64, a power of two of them."""

    bits: KeyArray

    @classmethod
    def of(cls, keys: KeyArray, keys_per_word: int) -> KeyFilter:
        """The filter of keys that ascend and may repeat: ``keys_per_word`` different ones, or down to half as many, for each word."""
        from contamination.ngram_kernels import add_to_filter

        different = int(np.count_nonzero(keys[1:] != keys[:-1])) + min(1, len(keys))
        made = cls(np.zeros(1 << max(1, (different // keys_per_word).bit_length()), np.uint64))
        add_to_filter(keys, made.bits, made.shift)
        return made

    @property
    def shift(self) -> int:
        """How far a key is shifted to the right to become the number of its word in ``bits``."""
        return 65 - len(self.bits).bit_length()
