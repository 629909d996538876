"""Standard output and errors as every command takes them for granted, whatever its caller made of them."""

from __future__ import annotations

import io
import os
import sys

_LAST_DESCRIPTOR = 2  # of standard errors


def prepare_standard_streams() -> None:
    """Have a stream that the caller closed lead nowhere, and write what the terminal cannot show in ASCII, so that no path ends a run.

    The first file that is opened takes the number of a closed stream; what a library prints would end up in it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_DESCRIPTOR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
