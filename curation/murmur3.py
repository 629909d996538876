"""MurmurHash3 for compiled code: the 32-bit hash and the 64-bit finaliser.

A standard that will not change, so kernels of other modules may call it. Imports numba: import this module where it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel

PADDING = 4  # bytes that ``murmur3_padded`` may read beyond what it hashes


@kernel
def rotate(value: Any, bits: Any) -> Any:
    """The 32-bit value turned left."""
    return np.uint32(np.uint32(value << bits) | np.uint32(value >> (32 - bits)))


@kernel
def scramble(block: Any) -> Any:
    """What a block of four bytes is multiplied and turned into before it is mixed in."""
    return np.uint32(rotate(np.uint32(block * np.uint32(0xCC9E2D51)), 15) * np.uint32(0x1B873593))


@kernel
def mix(value: Any, block: Any) -> Any:
    """The state after a block."""
    return np.uint32(rotate(np.uint32(value ^ scramble(block)), 13) * np.uint32(5) + np.uint32(0xE6546B64))


@kernel
def finalise(value: Any) -> Any:
    """The 32-bit finaliser, a bijection."""
    value = np.uint32(value ^ (value >> 16))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> 13))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> 16))


@kernel
def finalise64(value: Any) -> Any:
    """The 64-bit finaliser of MurmurHash3_x64_128, a bijection: every bit of the value reaches every bit of the result."""
    value = np.uint64(value ^ (value >> np.uint64(33)))
    value = np.uint64(value * np.uint64(0xFF51AFD7ED558CCD))
    value = np.uint64(value ^ (value >> np.uint64(33)))
    value = np.uint64(value * np.uint64(0xC4CEB9FE1A85EC53))
    return np.uint64(value ^ (value >> np.uint64(33)))


@kernel
def load(data: Any, position: Any) -> Any:
    """The four bytes from a position on (uint64: where the sign cannot be negative, they are read at once), little-endian."""
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    low = np.uint32(data[position]) | np.uint32(data[position + one]) << np.uint32(8)
    return np.uint32(low | np.uint32(data[position + two]) << np.uint32(16) | np.uint32(data[position + three]) << np.uint32(24))


@kernel
def mix_blocks(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """The state after all whole blocks of ``data[start:end]`` (uint8, little-endian)."""
    value = np.uint32(seed)
    position = np.uint64(start)
    last = position + (np.uint64(end) - position & ~np.uint64(3))
    while position < last:
        value = mix(value, load(data, position))
        position += np.uint64(4)
    return value


@kernel
def murmur3_padded(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """``murmur3`` where ``PADDING`` bytes after ``end`` can be read, too: takes two thirds of its time on short data."""
    value = mix_blocks(data, start, end, seed)
    length = np.uint64(end) - np.uint64(start)
    rest = length & np.uint64(3)
    # A rest of no bytes is a block of zero, which changes nothing.
    block = load(data, np.uint64(end) - rest) & np.uint32((np.uint64(1) << (rest << np.uint64(3))) - np.uint64(1))
    return finalise(np.uint32(value ^ scramble(np.uint32(block)) ^ np.uint32(length)))


@kernel
def murmur3(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """MurmurHash3_x86_32 of ``data[start:end]`` (uint8)."""
    value = mix_blocks(data, start, end, seed)
    tail = start + (end - start) // 4 * 4
    if tail < end:
        block = np.uint32(0)
        for position in range(end - 1, tail - 1, -1):
            block = np.uint32(block << 8 | np.uint32(data[position]))
        value = np.uint32(value ^ scramble(block))
    return finalise(np.uint32(value ^ np.uint32(end - start)))
