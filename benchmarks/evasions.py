"""Ways in which the text of a benchmark item stands differently on a page, its words unchanged to a reader."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable

FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}  # Unicode's full-width forms of ASCII
TAGS = ("b", "i", "em", "strong", "span", "a", "code", "td")


def _between_words(text: str, choose: Callable[[], str]) -> str:
    """The text with something else for the white space between its words."""
    return re.sub(r"\s+", lambda _: choose(), text)


def _case(text: str, draw: random.Random) -> str:
    return "".join(letter.upper() if draw.random() < 0.5 else letter.lower() for letter in text)


def _punctuation(text: str, draw: random.Random) -> str:
    return _between_words(text, lambda: draw.choice((" ", ", ", " - ", "; ", " (", ") ", "... ", " * ")))


def _curly_quotes(text: str, draw: random.Random) -> str:
    curly = text.replace("'", "\u2019").replace('"', "\u201d")
    return _between_words(curly, lambda: draw.choice((" ", " \u201c", "\u201d ", " \u2018", "\u2019 ")))


def _dashes(text: str, draw: random.Random) -> str:
    return _between_words(text.replace("-", "\u2010"), lambda: draw.choice((" ", " \u2013 ", "\u2014", " \u2212 ")))


def _no_break_spaces(text: str, draw: random.Random) -> str:
    return _between_words(text, lambda: draw.choice(("\u00a0", "\u202f", "\u2007", " \u00a0")))


def _zero_width_spaces(text: str, draw: random.Random) -> str:
    """Within words, or between them beside a space."""
    return "".join(letter + (draw.choice("\u200b\u2060\ufeff") if draw.random() < 0.2 else "") for letter in text)


def _zero_width_for_spaces(text: str, draw: random.Random) -> str:
    return _between_words(text, lambda: "\u200b")


def _full_width(text: str, draw: random.Random) -> str:
    return _between_words(text.translate(FULL_WIDTH), lambda: draw.choice((" ", "\u3000")))


def _html_remnants(text: str, draw: random.Random) -> str:
    words = []
    for word in map(html.escape, text.split()):
        name = draw.choice(TAGS)
        words += [f'<{name} class="w">{word}</{name}>' if draw.random() < 0.3 else word]
        words += [draw.choice((" ", "&nbsp;", "<br>", "</p>\n<p>", " &ndash; "))]
    return "".join(words[:-1])


def _line_breaks(text: str, draw: random.Random) -> str:
    return _between_words(text, lambda: draw.choice((" ", "\n", "\r\n", "\n\n", "\t")))


EVASIONS: dict[str, Callable[[str, random.Random], str]] = {
    "case": _case,
    "punctuation": _punctuation,
    "curly quotes": _curly_quotes,
    "dashes": _dashes,
    "no-break spaces": _no_break_spaces,
    "zero-width spaces in words": _zero_width_spaces,
    "zero-width spaces for spaces": _zero_width_for_spaces,
    "full-width forms": _full_width,
    "HTML remnants": _html_remnants,
    "line breaks": _line_breaks,
}
