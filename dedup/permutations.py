"""The permutations of a signature: those of datasketch, which takes long to import."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def draw_permutations(count: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Factors (odd) and addends of ``count`` bijections h -> a * h + b mod 2^32, the ones that datasketch draws (scheme affine32).

    Only the low 32 bits of the seed count: datasketch takes no more.
    """
    # As datasketch 2 does it (importing that takes longer than to sketch ten thousand documents); NumPy keeps this stream for good.
    stream = np.random.RandomState(seed & 0xFFFFFFFF)
    factors = stream.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, stream.randint(0, 1 << 32, count, dtype=np.uint32)
