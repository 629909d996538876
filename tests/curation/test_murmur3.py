from __future__ import annotations

import mmh3
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.murmur3 import murmur3


@given(st.binary(max_size=20), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_hashes_equal_another_implementation(data: bytes, start: int, seed: int) -> None:
    padded = b"\xff" * start + data + b"\xff"
    assert murmur3(np.frombuffer(padded, np.uint8), start, start + len(data), seed) == mmh3.hash(data, seed, signed=False)
