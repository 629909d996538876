"""A keyed permutation of 0..size-1 that needs no memory, so that a shuffle can resume anywhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

# Luby and Rackoff (1988): four rounds cannot be told from a random permutation by who does not see
# the inside; small domains mix slower, and a sample costs microseconds, so ours is twice that.
ROUNDS = 8


def keyed_permutation(size: int, key: str) -> Callable[[int], int]:
    """A bijection of 0..size-1 chosen by the key: a generalised Feistel network with cycle walking.

    A number is written as (left, right) over moduli that are near the square root of the size;
    rounds add a keyed hash of one half to the other. What falls outside the range is permuted again
    until it falls inside (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", method 3).
    """
    right_modulus = math.isqrt(max(size - 1, 0)) + 1  # ceil(sqrt(size))
    left_modulus = -(-size // right_modulus)
    hashed_key = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).digest()

    def round_value(number: int, half: int) -> int:
        message = half.to_bytes(16, "little")
        digest = hashlib.blake2b(message, digest_size=8, key=hashed_key, salt=number.to_bytes(16, "little"))
        return int.from_bytes(digest.digest(), "little")

    def permute_once(index: int) -> int:
        left, right = divmod(index, right_modulus)
        for number in range(0, ROUNDS, 2):
            left = (left + round_value(number, right)) % left_modulus
            right = (right + round_value(number + 1, left)) % right_modulus
        return left * right_modulus + right

    def permute(index: int) -> int:
        if not 0 <= index < size:
            raise IndexError(f"{index} is outside a permutation of {size}")
        index = permute_once(index)
        while index >= size:
            index = permute_once(index)
        return index

    return permute
