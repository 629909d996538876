"""MurmurHash3 for compiled code: the 32-bit hash and the 64-bit finaliser.

A standard that will not change, so kernels of other modules may call it. Imports numba: import this module where it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel


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
def mix_blocks(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """The state after all whole blocks of ``data[start:end]`` (uint8, little-endian)."""
    value = np.uint32(seed)
    for position in range(start, start + (end - start) // 4 * 4, 4):
        block = np.uint32(
            np.uint32(data[position])
            | np.uint32(data[position + 1]) << 8
            | np.uint32(data[position + 2]) << 16
            | np.uint32(data[position + 3]) << 24
        )
        value = mix(value, block)
    return value


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
