"""Randomness as a pure function of (seed, purpose, document): the same on every machine, in any order."""

from __future__ import annotations

import hashlib

DRAW_BYTES = 8
MANTISSA_BITS = 53  # so that every draw is a double, exactly


def draw_integer(seed: int, purpose: str, key: str) -> int:
    """Uniform integer from 0 to 2^64 - 1; draws for different purposes (16 bytes at most) are independent."""
    digest = hashlib.blake2b(
        key.encode("utf-8", "surrogatepass"), digest_size=DRAW_BYTES, key=seed.to_bytes(8, "little"), person=purpose.encode()
    )
    return int.from_bytes(digest.digest(), "little")


def draw_uniform(seed: int, purpose: str, key: str) -> float:
    """Uniform number from 0 (inclusive) to 1 (exclusive)."""
    return (draw_integer(seed, purpose, key) >> (8 * DRAW_BYTES - MANTISSA_BITS)) * 2.0**-MANTISSA_BITS
