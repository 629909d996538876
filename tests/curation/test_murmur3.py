from __future__ import annotations

import mmh3
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.murmur3 import PADDING, finalise64, murmur3, murmur3_padded


@given(st.binary(max_size=20), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_hashes_equal_another_implementation(data: bytes, start: int, seed: int) -> None:
    padded = np.frombuffer(b"\xff" * start + data + b"\xff" * PADDING, np.uint8)
    expected = mmh3.hash(data, seed, signed=False)
    assert murmur3(padded[: start + len(data)], start, start + len(data), seed) == expected
    assert murmur3_padded(padded, start, start + len(data), seed) == expected


@given(st.integers(0, 2**32 - 1))
def test_finaliser_of_64_bits_equals_another_implementation(seed: int) -> None:
    """Of no bytes the 128-bit hash is (f(2 s) + f(3 s), f(2 s) + 2 f(3 s)), f being the finaliser and s the seed."""
    first, second = mmh3.hash64(b"", seed, x64arch=True, signed=False)
    assert int(finalise64(np.uint64(3 * seed))) == (second - first) % 2**64
    assert int(finalise64(np.uint64(2 * seed))) == (2 * first - second) % 2**64
