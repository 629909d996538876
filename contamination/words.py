"""Words as GPT-3 counts them: lower-case letters and digits, anything else is a space.

"A gram is a lowercase, whitespace delimited word with no punctuation" (GPT-3, appendix C); the
n-grams that OpenAI published show that punctuation became a space, not nothing: "i m going",
"u s government". Letters and digits are those of Unicode (``str.isalnum``), which leaves the
underscore to the spaces. A run of Chinese or Thai without spaces is one word.

What looks the same to a reader is the same word: full-width forms and ligatures are read as the letters
that they stand for, accents are passed over whether they are part of the letter or marks behind it, and
so are soft hyphens and other invisible characters. HTML tags and character references that an extractor
left in the text are spaces. A zero-width space may stand within a word or between two: both readings
of a text are looked at.

Each word keeps its place in the original text, so that whatever is found can be cut out of it.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np

from contamination.arrays import IntArray, KeyArray

CODE_POINTS = 0x110000
FINAL_SIGMA, SIGMA = "\u03c2", "\u03c3"
INVISIBLE_CATEGORIES = ("Mn", "Mc", "Me", "Cf")  # Unicode: accents, vowel signs and other marks, formatting characters
ZERO_WIDTH_SPACES = ("\u200b", "\u2060", "\ufeff")  # zero-width space, word joiner, zero-width no-break space
# Those that stand within and between paragraphs of text (HTML Living Standard, 4.3 to 4.9), and font and center.
HTML_ELEMENTS = (
    "a abbr b bdi bdo big blockquote br center cite code dd del dfn div dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins "
    "kbd label li mark nobr ol p pre q s samp section small span strike strong sub sup table tbody td th thead time tr tt u ul var wbr"
)


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
    """uint32 for each code point: the letter that a letter or digit stands for, INVISIBLE, or 0 for a space.

    One code point stands for one letter: of the ligature fi, and of the dotted capital I, the first. A final sigma
    equals the sigma that a capital gives.
    """
    from contamination.word_kernels import INVISIBLE

    table = np.zeros(CODE_POINTS, np.uint32)
    for code_point in range(CODE_POINTS):
        character = chr(code_point)
        if character.isalnum():
            table[code_point] = ord(_base_letter(character))
        elif unicodedata.category(character) in INVISIBLE_CATEGORIES:
            table[code_point] = INVISIBLE
    return table


@functools.cache
def _parting_table() -> KeyArray:
    """The same for the reading in which zero-width spaces part words."""
    table = folding_table().copy()
    table[[ord(character) for character in ZERO_WIDTH_SPACES]] = 0
    return table


def _base_letter(character: str) -> str:
    """Lower-case and without accents; compatibility forms as what they stand for (Unicode NFKC, NFD)."""
    compatible = unicodedata.normalize("NFKC", character)
    plain = compatible if compatible.isalnum() else character
    letter, *marks = list(unicodedata.normalize("NFD", plain[0].lower().replace(FINAL_SIGMA, SIGMA)))
    return letter if all(unicodedata.category(mark) in INVISIBLE_CATEGORIES for mark in marks) else plain[0].lower()[0]


@functools.cache
def _tag_hashes() -> KeyArray:
    from contamination.word_kernels import fnv_hash

    hashes = [fnv_hash(np.frombuffer(name.encode("utf-32-le"), np.dtype("<u4"))) for name in HTML_ELEMENTS.split()]
    return np.sort(np.array(hashes, np.uint64))


def find_words(text: str) -> Words:
    """The words of a text of any length, with their places and hashes; zero-width spaces are part of words."""
    return _words_of(text, zero_width_is_space=False)


def find_all_words(text: str) -> Words:
    """The words of a document in every reading.

    Where the text has zero-width spaces, the words of the reading in which they part words follow behind a
    word that is in no benchmark; their places begin at the start of the text again.
    """
    words = find_words(text)
    if not any(space in text for space in ZERO_WIDTH_SPACES):
        return words
    other = _words_of(text, zero_width_is_space=True)
    seam = np.array([len(text)])
    return Words(
        np.concatenate((words.starts, seam, other.starts)),
        np.concatenate((words.ends, seam, other.ends)),
        np.concatenate((words.hashes, np.zeros(1, np.uint64), other.hashes)),
    )


def _words_of(text: str, zero_width_is_space: bool) -> Words:
    from contamination import word_kernels

    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return Words(*word_kernels.find_words(code_points, _parting_table() if zero_width_is_space else folding_table(), _tag_hashes()))


def ngram_keys(words: Words, ngram_words: int) -> KeyArray:
    """64-bit key of the n-gram that begins at each word; empty where the text has fewer words.

    The odds of a mistake: a scanned n-gram that is in no benchmark takes the key of one of K indexed
    n-grams with probability K / 2^64. With K = 5 million and a corpus of 10^12 words that is 0.3
    expected false matches in the whole corpus.
    """
    from contamination import ngram_kernels

    return np.asarray(ngram_kernels.ngram_keys(words.hashes, ngram_words))


def normalise(text: str, words: Words | None = None, first: int = 0, count: int | None = None) -> str:
    """``count`` words from word ``first`` on, by default all of them, with single spaces between.

    In lower case, with their accents, without characters that nobody sees.
    """
    if words is None:
        words = find_words(text)
    last = len(words) if count is None else first + count
    spans = zip(words.starts[first:last].tolist(), words.ends[first:last].tolist(), strict=True)
    shown = " ".join([text[start:end] for start, end in spans]).lower()
    return shown if shown.isascii() else "".join(character for character in shown if unicodedata.category(character) != "Cf")
