"""Short texts that say why there is no page: error and consent pages, checks for robots, pages that run only with scripts.

The trees know no words, and such a message is built like any short text. Only texts of a few lines are looked at, and the phrases are those
of somebody who addresses the reader, so that a text about cookies or error pages stays what it is.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

MAX_NOTICE_CHARACTERS = 600  # our choice: the longest notices that we know, of consent, have about 500
_MIN_SHARE = 0.55  # of a text's characters that stand in sentences with such a phrase (our choice)
_PHRASES = Path(__file__).with_name("notices.txt")
_SENTENCE = re.compile(r"(?:[^\n.!?。！？]|[.!?](?!\s))+[.!?。！？]*")
_MEANINGS = {"*": ".{0,40}", "^": r"^\W*", "$": r"\W*$"}


def is_notice(text: str) -> bool:
    """Whether most of a short text stands in sentences that tell the reader why he does not see the page."""
    if len(text) > MAX_NOTICE_CHARACTERS:
        return False
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text.replace("’", "'"))]
    return sum(len(sentence) for sentence in sentences if _phrase().search(sentence)) >= _MIN_SHARE * max(1, sum(map(len, sentences)))


@cache
def _phrase() -> re.Pattern[str]:
    lines = _PHRASES.read_text("utf-8").splitlines()
    phrases = ("".join(_MEANINGS.get(sign) or re.escape(sign) for sign in line) for line in lines if not line.startswith("#"))
    return re.compile("|".join(phrases), re.IGNORECASE)
