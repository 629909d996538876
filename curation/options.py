"""Values of command line options that several commands take."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A positive whole number.

    Raises:
        ArgumentTypeError: it is none.
    """
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no positive whole number")
    return value
