"""Short texts that say why there is no page: error and consent pages, checks for robots, pages that run only with scripts.

The trees know no words, and such a message is built like any short text. Only texts of a few lines are looked at, so that an article about
cookies or scripts stays what it is.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

MAX_NOTICE_CHARACTERS = 600  # our choice: the longest notices that we know, of consent, have about 500
_MIN_SHARE = 0.5  # of a text's characters that stand in lines with such a phrase (our choice)
_PHRASES = Path(__file__).with_name("notices.txt")
_MEANINGS = {"*": ".{0,40}", "^": r"^\W*", "$": r"\W*$"}


def is_notice(text: str) -> bool:
    """Whether half of a short text stands in lines that tell the reader why he does not see the page."""
    if len(text) > MAX_NOTICE_CHARACTERS:
        return False
    lines = text.replace("’", "'").split("\n")
    return sum(len(line) for line in lines if _phrase().search(line)) >= _MIN_SHARE * max(1, sum(map(len, lines)))


@cache
def _phrase() -> re.Pattern[str]:
    lines = _PHRASES.read_text("utf-8").splitlines()
    phrases = ("".join(_MEANINGS.get(sign) or re.escape(sign) for sign in line) for line in lines if not line.startswith("#"))
    return re.compile("|".join(phrases), re.IGNORECASE)
