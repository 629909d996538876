"""Words as GPT-3 counts them: lower-case letters and digits, anything else is a space.

"A gram is a lowercase, whitespace delimited word with no punctuation" (GPT-3, appendix C); the
n-grams that OpenAI published show that punctuation became a space, not nothing: "i m going",
"u s government". Letters and digits are those of Unicode (``str.isalnum``), which leaves the
underscore and combining marks to the spaces. A run of Chinese or Thai without spaces is one word.

Each word keeps its place in the original text, so that whatever is found can be cut out of it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from contamination.arrays import IntArray, KeyArray

FINAL_SIGMA, SIGMA = 0x3C2, 0x3C3
CODE_POINTS = 0x110000


@dataclass(frozen=True)
class Words:
    """The words of one text, in order.

    ``starts``, ``ends``: int64, characters (code points), end exclusive. ``hashes``: uint64, equal
    for equal words whatever their case.
    """

    starts: IntArray
    ends: IntArray
    hashes: KeyArray

    def __len__(self) -> int:
        return len(self.starts)


@functools.cache
def folding_table() -> KeyArray:
    """uint32 for each code point: the lower-case form of a letter or digit, 0 for anything else.

    One code point stands for one code point: of the dotted capital I, whose lower-case form is two,
    the first stays, and a final sigma equals the sigma that a capital gives.
    """
    table = np.zeros(CODE_POINTS, np.uint32)
    for code_point in range(CODE_POINTS):
        character = chr(code_point)
        if character.isalnum():
            table[code_point] = ord(character.lower()[0])
    table[FINAL_SIGMA] = SIGMA
    return table


def find_words(text: str) -> Words:
    """The words of a text of any length, with their places and hashes."""
    from contamination import kernels

    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return Words(*kernels.find_words(code_points, folding_table()))


def ngram_keys(words: Words, ngram_words: int) -> KeyArray:
    """64-bit key of the n-gram that begins at each word; empty where the text has fewer words.

    The odds of a mistake: a scanned n-gram that is in no benchmark takes the key of one of K indexed
    n-grams with probability K / 2^64. With K = 5 million and a corpus of 10^12 words that is 0.3
    expected false matches in the whole corpus.
    """
    from contamination import kernels

    return np.asarray(kernels.ngram_keys(words.hashes, ngram_words))


def normalise(text: str, words: Words | None = None, first: int = 0, count: int | None = None) -> str:
    """``count`` words from word ``first`` on, lower-case, with single spaces between; by default all of them."""
    if words is None:
        words = find_words(text)
    last = len(words) if count is None else first + count
    spans = zip(words.starts[first:last].tolist(), words.ends[first:last].tolist(), strict=True)
    return " ".join(text[start:end].lower() for start, end in spans)
