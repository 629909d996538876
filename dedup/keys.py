"""From signatures to band keys: one 64-bit key for each band. Imports numba: import this module where it is used."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
from curation.murmur3 import finalise64


def band_keys(signatures: npt.NDArray[np.uint32], bands: int, rows: int) -> npt.NDArray[np.uint64]:
    """Key of each band: (documents, bands) uint64.

    Documents with equal rows have equal keys; two others share a key by chance once in 2^64 pairs,
    which the verification catches.
    """
    return _band_keys(signatures, bands, rows)  # type: ignore[no-any-return]


@kernel
def _band_keys(signatures: Any, bands: Any, rows: Any) -> Any:
    keys = np.empty((len(signatures), bands), np.uint64)
    for document in range(len(signatures)):
        for band in range(bands):
            key = np.uint64(0)
            for row in range(band * rows, (band + 1) * rows):
                key = finalise64((key ^ np.uint64(signatures[document, row])) + np.uint64(0x9E3779B97F4A7C15))
            keys[document, band] = key
    return keys
