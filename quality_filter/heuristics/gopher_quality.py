"""Gopher's rules on words and lines (arXiv 2112.11446, A.1.1): whether a document reads like prose.

Words of nothing but punctuation count where the rule is about all words (hashes, ellipses,
alphabetic words) and not where it is about their number and length, as in the reference filter of
datatrove. The mean length is not judged where most words are letters of scripts without spaces.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
from curation.ledger import Reason
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.characters import ALPHABETIC, LINE_BREAK, SPACE, SPACELESS, SYMBOL, character_flags
from quality_filter.heuristics.rules import Family, FloatArray, Rule, share
from quality_filter.heuristics.words import hash_characters

IntArray = npt.NDArray[np.int64]
BULLET, DASH, HASH, FULL_STOP, ELLIPSIS = ord("•"), ord("-"), ord("#"), ord("."), ord("…")
CARRIAGE_RETURN, NEWLINE = ord("\r"), ord("\n")
DOTS = 3  # of an ellipsis


class Prose(NamedTuple):
    """Counts of each document (int64). ``words``: all of them; ``plain_words``: those that are more than punctuation."""

    words: IntArray
    plain_words: IntArray
    plain_characters: IntArray
    spaceless_words: IntArray
    alphabetic_words: IntArray
    stop_words: IntArray
    hashes: IntArray
    ellipses: IntArray
    lines: IntArray
    bullet_lines: IntArray
    ellipsis_lines: IntArray


def count(batch: Batch, _urls: list[str], settings: Any) -> Prose:
    """What the rules need."""
    flags = character_flags()
    hashes = [_hash(word) for word in set(settings.stop_words)]
    words = _count_words(batch.codes, *batch.words, np.sort(np.array(hashes, np.uint64)), flags)
    return Prose(*words, *_count_marks_and_lines(batch.codes, batch.bounds, flags))


def _hash(word: str) -> int:
    codes = np.frombuffer(word.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return int(hash_characters(codes, 0, len(codes)))


@kernel
def _count_words(codes: Any, starts: Any, ends: Any, hashes: Any, bounds: Any, stop_words: Any, flags: Any) -> Any:
    documents = len(bounds) - 1
    plain, characters, spaceless, alphabetic, stops = [np.zeros(documents, np.int64) for _ in range(5)]
    last_seen = np.full(len(stop_words), -1, np.int64)  # document in which a stop word was seen last
    for document in range(documents):
        for word in range(bounds[document], bounds[document + 1]):
            is_plain, is_alphabetic = False, False
            for position in range(starts[word], ends[word]):
                flag = flags[codes[position]]
                is_plain = is_plain or not flag & SYMBOL
                is_alphabetic = is_alphabetic or flag & ALPHABETIC > 0
                if is_plain and is_alphabetic:
                    break
            if is_plain:
                plain[document] += 1
                characters[document] += ends[word] - starts[word]
            alphabetic[document] += is_alphabetic
            spaceless[document] += flags[codes[starts[word]]] & SPACELESS > 0
            place = np.searchsorted(stop_words, hashes[word])
            if place < len(stop_words) and stop_words[place] == hashes[word] and last_seen[place] != document:
                last_seen[place] = document
                stops[document] += 1
    return np.diff(bounds), plain, characters, spaceless, alphabetic, stops


@kernel
def _count_marks_and_lines(codes: Any, bounds: Any, flags: Any) -> Any:
    documents = len(bounds) - 1
    hashes, ellipses, lines, bullet_lines, ellipsis_lines = [np.zeros(documents, np.int64) for _ in range(5)]
    for document in range(documents):
        line, end = bounds[document], bounds[document + 1]
        dots = 0
        for position in range(line, end):
            code = codes[position]
            hashes[document] += code == HASH
            dots = dots + 1 if code == FULL_STOP else 0
            ellipses[document] += code == ELLIPSIS
            if dots == DOTS:
                ellipses[document] += 1
                dots = 0
            is_break = flags[code] & LINE_BREAK > 0
            if is_break and code == CARRIAGE_RETURN and position + 1 < end and codes[position + 1] == NEWLINE:
                is_break = False  # the line ends with the newline
            if is_break or position + 1 == end:
                lines[document] += 1
                first, last = line, position + 1
                while first < last and flags[codes[first]] & SPACE:
                    first += 1
                while last > first and flags[codes[last - 1]] & SPACE:
                    last -= 1
                if first < last:
                    bullet_lines[document] += codes[first] == BULLET or codes[first] == DASH
                    three = last - first >= DOTS and codes[last - 1] == codes[last - 2] == codes[last - 3] == FULL_STOP
                    ellipsis_lines[document] += codes[last - 1] == ELLIPSIS or three
                line = position + 1
    return hashes, ellipses, lines, bullet_lines, ellipsis_lines


def plain_words(counts: Prose) -> FloatArray:
    """Words that are more than punctuation."""
    return counts.plain_words.astype(np.float64)


def mean_word_length(counts: Prose) -> FloatArray:
    """Mean characters of such a word; no number where length says nothing."""
    mean = share(counts.plain_characters, counts.plain_words)
    return np.where(2 * counts.spaceless_words > counts.words, np.nan, mean)


def hashes(counts: Prose) -> FloatArray:
    """# signs a word."""
    return share(counts.hashes, counts.words)


def ellipses(counts: Prose) -> FloatArray:
    """Ellipses a word."""
    return share(counts.ellipses, counts.words)


def bullet_lines(counts: Prose) -> FloatArray:
    """Share of the lines that begin with a bullet."""
    return share(counts.bullet_lines, counts.lines)


def ellipsis_lines(counts: Prose) -> FloatArray:
    """Share of the lines that end with an ellipsis."""
    return share(counts.ellipsis_lines, counts.lines)


def alphabetic_words(counts: Prose) -> FloatArray:
    """Share of the words that hold a letter."""
    return share(counts.alphabetic_words, counts.words)


def stop_words(counts: Prose) -> FloatArray:
    """How many of the stop words occur."""
    return counts.stop_words.astype(np.float64)


FAMILY = Family(
    "gopher_quality",
    count,
    (
        Rule(Reason.GOPHER_TOO_FEW_WORDS, "min_words", plain_words),
        Rule(Reason.GOPHER_TOO_MANY_WORDS, "max_words", plain_words),
        Rule(Reason.GOPHER_SHORT_WORDS, "min_mean_word_length", mean_word_length),
        Rule(Reason.GOPHER_LONG_WORDS, "max_mean_word_length", mean_word_length),
        Rule(Reason.GOPHER_HASHES, "max_hashes", hashes),
        Rule(Reason.GOPHER_ELLIPSES, "max_ellipses", ellipses),
        Rule(Reason.GOPHER_BULLET_LINES, "max_bullet_lines", bullet_lines),
        Rule(Reason.GOPHER_ELLIPSIS_LINES, "max_ellipsis_lines", ellipsis_lines),
        Rule(Reason.GOPHER_FEW_ALPHABETIC_WORDS, "min_alphabetic_words", alphabetic_words),
        Rule(Reason.GOPHER_FEW_STOP_WORDS, "min_stop_words", stop_words),
    ),
)
