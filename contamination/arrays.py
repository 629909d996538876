"""Names of the array types that the modules of this package hand to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.signedinteger[Any]]  # positions, numbers, counts
KeyArray = NDArray[np.unsignedinteger[Any]]  # hashes, keys and code points
BoolArray = NDArray[np.bool_]
