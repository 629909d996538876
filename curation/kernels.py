"""Kernels: functions that numba compiles once a machine and loads from then on.

A run's workers are fresh processes; without a cache each would compile for seconds. Numba finds the folder (``NUMBA_CACHE_DIR``,
``__pycache__`` beside the source, or the user's own) and makes the content; the files are ours, for numba's can go wrong. It
writes an index before the code that the index names, so a kill between the two leaves old code under a new name; two processes
may give one name to two signatures; a damaged file is run or crashes; an edit of another file, from which a kernel takes a
kernel or a constant, goes unnoticed. Here a file is named after all that its code was made from (numba's key names the
processor, too), appears whole, and carries a checksum of its name and its content; what is not as it should be, or could have been
written by somebody who cannot write to the program itself, is compiled anew. Imports numba: import this module where it is used.
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
from types import CodeType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

NAME_CHARACTERS = 16  # of a hash in a file's name: 64 bits
CHECKSUM_BYTES = hashlib.sha256().digest_size
_FILE_MODE = 0o644
_WRITABLE_BY_OTHERS = 0o022


def kernel(function: Callable[..., Any]) -> Any:
    """The function compiled, without the interpreter lock; uncached where no folder for it can be written to."""
    compiled: Any = njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError, OSError):  # neither the source's folder nor the home can be written to
        compiled._cache = _KernelCache(function)  # nobody's concern with NUMBA_DISABLE_JIT, where it is the function itself
    return compiled


class _KernelCache(FunctionCache):
    """Numba's cache of one function, with files of ours."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = _KernelFiles(function, Path(self.cache_path))  # type: ignore[assignment]

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled. A full disk, or a folder that is gone or closed by now, is no reason to stop."""
        with contextlib.suppress(OSError):
            super().save_overload(signature, compiled)  # type: ignore[no-untyped-call]


class _KernelFiles:
    """The compiled forms of one function, one for each signature and processor; takes the place of numba's class."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        source = Path(function.__code__.co_filename)
        self._function = function
        self._folder = folder
        self._name = f"{source.stem}.{function.__qualname__}.{sys.implementation.cache_tag}"
        self._trusted = {0, source.stat().st_uid} if os.name == "posix" else set()

    def load(self, key: Any) -> Any:
        """What was compiled for a key of numba's; None if it was not, is damaged, or is not to be trusted."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                if not self._is_trusted(os.fstat(file.fileno())):
                    return None
                content = file.read()
        except OSError:
            return None
        checksum, code = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
        return pickle.loads(code) if _checksum(path, code) == checksum else None

    def save(self, key: Any, compiled: Any) -> None:
        """Keep what was compiled, instead of what was made from earlier sources.

        Raises:
            OSError: it cannot be written.
        """
        code = dumps(compiled)  # type: ignore[no-untyped-call]
        path = self._path(key)
        temporary = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex}")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _FILE_MODE), "wb") as file:
                file.write(_checksum(path, code) + code)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        stamp = path.name.removeprefix(f"{self._name}.")[:NAME_CHARACTERS]
        for other in self._folder.glob(f"{self._name}.*"):
            if not other.name.startswith(f"{self._name}.{stamp}."):
                other.unlink(missing_ok=True)

    def _is_trusted(self, status: os.stat_result) -> bool:
        """Whether only this user, the superuser and the owner of the source can have written a file: its content is run."""
        if not self._trusted:  # Windows tells neither by numbers
            return True
        return status.st_uid in {*self._trusted, os.geteuid()} and not status.st_mode & _WRITABLE_BY_OTHERS

    def _path(self, key: Any) -> Path:
        # Made anew each time: constants that a test has replaced by now are part of what is compiled now.
        return self._folder / f"{self._name}.{_stamp_of(self._function)}.{_short_hash(repr(key))}.kernel"


def _checksum(path: Path, code: bytes) -> bytes:
    """Of a file's content and its name: a file that was renamed is another kernel's."""
    return hashlib.sha256(path.name.encode() + b"\n" + code).digest()


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:NAME_CHARACTERS]


def _stamp_of(function: Callable[..., Any]) -> str:
    """A hash of the compiler, of the function and of all kernels that it calls, directly or not, and of the constants they name."""
    switches = numba.config.OPT, numba.config.BOUNDSCHECK  # type: ignore[attr-defined]
    parts = {f"numba {numba.__version__}, llvmlite {llvmlite.__version__}, numpy {np.__version__}, {switches}"}
    waiting, seen = [function], {function}
    while waiting:
        current: Any = waiting.pop()
        own = f"{current.__module__}.{current.__qualname__}"
        parts.add(f"{own} {current.__defaults__!r} {_content(current.__code__)}")
        for name in _names(current.__code__):
            value = current.__globals__.get(name)
            if isinstance(value, Dispatcher):
                parts.add(f"{own} {name} {value.py_func.__module__}.{value.py_func.__qualname__}")
                if value.py_func not in seen:
                    seen.add(value.py_func)
                    waiting.append(value.py_func)
            elif isinstance(value, np.ndarray):
                digest = hashlib.sha256(value.tobytes()).hexdigest()
                parts.add(f"{own} {name} {value.dtype} {value.shape} {digest}")
            elif isinstance(value, (bool, int, float, str, bytes, tuple, np.generic)):
                parts.add(f"{own} {name} {value!r}")
    return _short_hash("\n".join(sorted(parts)))


def _content(code: CodeType) -> str:
    """All of a function's code that its machine code is made from."""
    constants = [_content(constant) if isinstance(constant, CodeType) else repr(constant) for constant in code.co_consts]
    arguments = (code.co_argcount, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags)
    return repr((code.co_code, code.co_exceptiontable, constants, code.co_names, arguments))


def _names(code: CodeType) -> set[str]:
    """Names of globals, and of attributes, in a function and in those within it."""
    return set(code.co_names).union(*(_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)))
