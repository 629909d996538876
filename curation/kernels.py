"""Kernels: functions that numba compiles once a machine and loads from then on.

A run's workers are fresh processes; without a cache each would compile for seconds. Numba finds the folder (beside the
source, or the user's own) and makes the content; the files are ours, for numba's can go wrong. It writes an index before
the code that the index names, so a kill between the two leaves old code under a new name; two processes may give one name
to two signatures; a damaged file is run or crashes; an edit of another file, from which a kernel takes a kernel or a
constant, goes unnoticed. Here a file is named after all that its code was made from (numba's key names the processor, too),
appears whole, and carries its checksum; what is not as it should be is compiled anew. Imports numba: import this module
where it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

NAME_CHARACTERS = 16  # of a hash in a file's name: 64 bits

# What each kernel was made from, so that those that call it are made from it, too.
_stamps: dict[Any, str] = {}


def kernel(function: Callable[..., Any]) -> Any:
    """The function compiled, without the interpreter lock; uncached where no folder for it can be written to."""
    try:
        compiled: Any = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the source's folder nor the home can be written to
        return njit(nogil=True)(function)
    cache = compiled._cache
    stamp = _stamps[compiled] = _stamp_of(function, cache._impl.locator.get_source_stamp())
    name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}.{sys.implementation.cache_tag}"
    cache._cache_file = _KernelFiles(Path(cache.cache_path), name, stamp)
    return compiled


class _KernelFiles:
    """The compiled forms of one function, one for each signature and processor; takes the place of numba's class."""

    def __init__(self, folder: Path, name: str, stamp: str) -> None:
        self._folder = folder
        self._name = name
        self._stamp = stamp[:NAME_CHARACTERS]

    def load(self, key: Any) -> Any:
        """What was compiled for a key of numba's; None if it was not, or is damaged."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        checksum, code = content[: hashlib.sha256().digest_size], content[hashlib.sha256().digest_size :]
        return pickle.loads(code) if hashlib.sha256(code).digest() == checksum else None

    def save(self, key: Any, compiled: Any) -> None:
        """Keep what was compiled, instead of what was made from earlier sources; a full disk is no reason to stop."""
        code = dumps(compiled)  # type: ignore[no-untyped-call]
        path = self._path(key)
        temporary = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex}")
        try:
            temporary.write_bytes(hashlib.sha256(code).digest() + code)
            os.replace(temporary, path)
            for other in self._folder.glob(f"{self._name}.*"):
                if not other.name.startswith(f"{self._name}.{self._stamp}."):
                    other.unlink(missing_ok=True)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _path(self, key: Any) -> Path:
        return self._folder / f"{self._name}.{self._stamp}.{hashlib.sha256(repr(key).encode()).hexdigest()[:NAME_CHARACTERS]}.kernel"


def _stamp_of(function: Callable[..., Any], source: bytes) -> str:
    """A hash of the file that holds a function, the kernels and constants of others that it names, and the compiler."""
    parts = [source.hex(), numba.__version__, llvmlite.__version__]
    for name in sorted(function.__code__.co_names):
        value = function.__globals__.get(name)
        if isinstance(value, Dispatcher):
            parts.append(f"{name} {_stamps.get(value, '')}")
        elif isinstance(value, np.ndarray):
            parts.append(f"{name} {value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}")
        elif isinstance(value, (bool, int, float, str, bytes, tuple, np.generic)):
            parts.append(f"{name} {value!r}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
