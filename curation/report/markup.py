"""Text into HTML that cannot be anything but text, and numbers that people can read."""

from __future__ import annotations

import math
import re
from html import escape

# Shown by their code: they would hide, reorder or break what stands around them. Controls other than tab and line
# feed, lone surrogates, noncharacters of the first plane, and Unicode's embeddings, overrides and isolates of direction (UAX 9).
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
LINE_BREAK = re.compile("\r\n?")
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def visible(text: str) -> str:
    """The text escaped for HTML content and quoted attributes; characters that would not show as themselves become ``⟨U+202E⟩``."""
    return escape(UNSAFE.sub(_code, LINE_BREAK.sub("\n", text)))


def _code(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"


def isolated(text: str) -> str:
    """The text on its own, whatever its direction, within a line of other text."""
    return f"<bdi>{visible(text)}</bdi>"


def count(value: float) -> str:
    """A whole number with thousands separated: ``1,234,567``."""
    return f"{value:,.0f}"


def compact(value: float) -> str:
    """A number in three digits and a unit: ``1.23 M``; whole numbers below 10,000 as they are."""
    if abs(value) < 10_000 and value == int(value):
        return f"{value:,.0f}"
    for size, unit in UNITS:
        if abs(value) >= 0.9995 * size:
            return f"{_digits(value / size)}\u202f{unit}"
    return _digits(value)


def _digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value) * 1.0005)))
    return f"{value:,.{places}f}"


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole``, one decimal: ``4.5 %``; never 0 % or 100 % unless it is none or all."""
    if whole == 0:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.05:
        return "<\u202f0.1\u202f%"
    if 99.95 <= share < 100:
        return ">\u202f99.9\u202f%"
    return f"{share:.1f}\u202f%" if share % 100 else f"{share:.0f}\u202f%"


def plural(number: int, noun: str) -> str:
    """``1 document``, ``2 documents``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def words(name: str) -> str:
    """A name with its underscores as spaces."""
    return name.replace("_", " ")
