"""UTF-8 for compiled code: a standard that will not change, so kernels of other modules may call it.

Imports numba: import this module where it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel


@kernel
def decode(data: Any, position: Any) -> Any:
    """The code point that begins at ``position`` of valid UTF-8 (uint8), and its width in bytes."""
    first = np.int64(data[position])
    if first < 0x80:
        return first, 1
    second = np.int64(data[position + 1] & 0x3F)
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, 2
    third = np.int64(data[position + 2] & 0x3F)
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | third, 3
    return (first & 0x07) << 18 | second << 12 | third << 6 | np.int64(data[position + 3] & 0x3F), 4
