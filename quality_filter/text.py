"""One line of plain words for fastText: the same function for training and scoring, for both classes.

fastText splits at ASCII white space, ends a document at a newline or at the word ``</s>``, and takes
a word that begins with ``__label__`` for a label; no page may reach it with any of these.
"""

from __future__ import annotations

import re

from curation.scripts import SPACELESS_SCRIPTS

LABEL_PREFIX = "__label__"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
END_OF_LINE_WORD = re.compile(r"(?<!\S)</s>(?!\S)")

SPACELESS_LETTER = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in SPACELESS_SCRIPTS) + "]")


def classifier_words(text: str, max_words: int) -> list[str]:
    """The first ``max_words`` words: what stands between white space and control characters, and spaceless letters."""
    line = " ".join(text.split(None, max_words)[:max_words])  # the rest of the text is not looked at
    spaced = SPACELESS_LETTER.sub(r" \g<0> ", CONTROL.sub(" ", line))
    return spaced.split(None, max_words)[:max_words]


def classifier_line(words: list[str]) -> str:
    """The words in lower case on one line, without anything that fastText takes for more than a word."""
    line = " ".join(words).lower().replace(LABEL_PREFIX, " label ")
    return END_OF_LINE_WORD.sub("s", line)
