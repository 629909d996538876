"""One line of plain words for fastText: the same function for training and scoring, for both classes.

fastText splits at ASCII white space, ends a document at a newline or at the word ``</s>``, and takes
a word that begins with ``__label__`` for a label; no page may reach it with any of these.
"""

from __future__ import annotations

import re

LABEL_PREFIX = "__label__"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
END_OF_LINE_WORD = re.compile(r"(?<!\S)</s>(?!\S)")

# Letters of scripts that put no spaces between words (the ranges of dedup/words.py, as one class): each
# is a word, or a Chinese page would be a handful of words that no other page holds.
SPACELESS_LETTER = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def classifier_words(text: str, max_words: int) -> list[str]:
    """The first ``max_words`` words: what stands between white space and control characters, and spaceless letters."""
    line = " ".join(text.split(None, max_words)[:max_words])  # the rest of the text is not looked at
    spaced = SPACELESS_LETTER.sub(r" \g<0> ", CONTROL.sub(" ", line))
    return spaced.split(None, max_words)[:max_words]


def classifier_line(words: list[str]) -> str:
    """The words in lower case on one line, without anything that fastText takes for more than a word."""
    line = " ".join(words).lower().replace(LABEL_PREFIX, " label ")
    return END_OF_LINE_WORD.sub("s", line)
