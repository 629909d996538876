"""Kernels: functions that numba compiles once a machine and loads from then on.

A run's workers are fresh processes; without a cache each would compile for seconds. Numba keeps
the machine code beside the source or in the user's cache folder, and compiles anew when the file
that holds the kernel changes. It does not see changes in other files, so a kernel calls kernels
of its own module only, or of those that follow a
standard and will not change (``murmur3``, ``utf8``). Imports numba: import this module where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:
    """The function compiled, without the interpreter lock; uncached where no folder for it can be written to."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the source's folder nor the home can be written to
        return njit(nogil=True)(function)
