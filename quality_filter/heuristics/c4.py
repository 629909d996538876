"""C4's rules (JMLR 21-074, 2.2, and the released code): lines that are no sentences go, and documents with few sentences left.

A line is cut for the first of these that holds: it is blank; a word in it is too long; it does not
end like a sentence once citation marks are cut out; it has too few words; it names javascript; it
is about a policy. The rules on documents look at what is left. Lines end where ``str.splitlines``
says; sentences are those of spaCy's sentencizer, as in the reference filter of datatrove.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation import storage
from curation.kernels import kernel
from curation.ledger import Reason
from quality_filter.heuristics.batch import Batch, Parts, word_tables
from quality_filter.heuristics.characters import DIGIT, LINE_BREAK, PUNCTUATION, SENTENCE_END, SPACE, SPACELESS, character_flags
from quality_filter.heuristics.rules import Change, Family, FloatArray, Rule
from quality_filter.heuristics.words import find_words

IntArray = npt.NDArray[np.int64]

CUTS = ("blank", "long_word", "no_terminal_punctuation", "few_words", "javascript", "policy")  # why lines were cut, in order
BLANK, LONG_WORD, UNFINISHED, FEW_WORDS, JAVASCRIPT, POLICY = range(len(CUTS))
LOREM_IPSUM, FIRST_POLICY = 1, 2  # places among the phrases
PHRASES = (
    "javascript",
    "lorem ipsum",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
CITATIONS = ("[edit]", "[citation needed]")  # and [12] with any digits or none
TERMINALS = tuple(ord(mark) for mark in ".?!\"'")
SWITCHED_OFF = -1

NEWLINE, CARRIAGE_RETURN, BLANK_SPACE, FULL_STOP = ord("\n"), ord("\r"), ord(" "), ord(".")
OPENING_BRACKET, CLOSING_BRACKET, CURLY_BRACKET = ord("["), ord("]"), ord("{")
CAPITAL_A, CAPITAL_Z, TO_SMALL = ord("A"), ord("Z"), ord("a") - ord("A")
KELVIN, SMALL_K = 0x212A, ord("k")  # the one character outside ASCII whose lower-case form is an ASCII letter


class Cleaned(NamedTuple):
    """What is left of the texts of a batch, as code points with document bounds, and counts of each document.

    ``cuts``: int64 (documents, len(CUTS)), lines cut for each cause.
    """

    codes: npt.NDArray[np.uint32]
    bounds: IntArray
    cuts: IntArray
    citations: IntArray
    lorem_lines: IntArray
    curly_lines: IntArray
    sentences: IntArray
    bad_words: IntArray


def count(batch: Batch, _urls: list[str], settings: Any) -> Cleaned:
    """The cleaned texts, and what the rules need of them."""
    flags = character_flags()
    switches = (settings.terminal_punctuation, settings.cut_javascript, settings.cut_policies, settings.cut_citations)
    limits = tuple(SWITCHED_OFF if limit is None else limit for limit in (settings.max_word_length, settings.min_words_per_line))
    codes, bounds, cuts, citations, lorem, curly = _clean(batch.codes, batch.bounds, flags, _phrases(), _citations(), switches, limits)
    words = Parts(*find_words(codes, bounds, flags, word_tables(), batch.letters_apart))
    sentences = _count_sentences(codes, bounds, words.starts, words.ends, words.bounds, flags)
    return Cleaned(codes, bounds, cuts, citations, lorem, curly, sentences, _count_bad_words(batch, settings.bad_words))


def _as_arrays(phrases: tuple[str, ...]) -> tuple[npt.NDArray[np.uint32], IntArray]:
    bounds = np.cumsum([0, *(len(phrase) for phrase in phrases)])
    return np.frombuffer("".join(phrases).encode("utf-32-le"), np.dtype("<u4")), bounds


@functools.cache
def _phrases() -> tuple[npt.NDArray[np.uint32], IntArray]:
    return _as_arrays(PHRASES)


@functools.cache
def _citations() -> tuple[npt.NDArray[np.uint32], IntArray]:
    return _as_arrays(CITATIONS)


@kernel
def _lower(code: Any) -> Any:
    if CAPITAL_A <= code <= CAPITAL_Z:
        return code + TO_SMALL
    return SMALL_K if code == KELVIN else code


@kernel
def _begins_with(codes: Any, position: Any, end: Any, phrases: Any, phrase: Any, fold: Any) -> Any:
    """Whether a phrase stands at a position, in any case if ``fold``."""
    letters, phrase_bounds = phrases
    first, length = phrase_bounds[phrase], phrase_bounds[phrase + 1] - phrase_bounds[phrase]
    if position + length > end:
        return False
    for offset in range(length):
        code = codes[position + offset]
        if (_lower(code) if fold else code) != letters[first + offset]:
            return False
    return True


@kernel
def _find_phrases(codes: Any, start: Any, end: Any, phrases: Any) -> Any:
    """Bit i is set if phrase i occurs, in any case."""
    letters, phrase_bounds = phrases
    found = 0
    for position in range(start, end):
        code = _lower(codes[position])
        for phrase in range(len(phrase_bounds) - 1):
            if code == letters[phrase_bounds[phrase]] and _begins_with(codes, position, end, phrases, phrase, True):
                found |= 1 << phrase
    return found


@kernel
def _citation_at(codes: Any, position: Any, end: Any, citations: Any, flags: Any) -> Any:
    """Characters of the citation mark at a position, 0 if there is none."""
    digits = position + 1
    while digits < end and flags[codes[digits]] & DIGIT:
        digits += 1
    if digits < end and codes[digits] == CLOSING_BRACKET:
        return digits + 1 - position
    bounds = citations[1]
    for citation in range(len(bounds) - 1):
        if _begins_with(codes, position, end, citations, citation, False):
            return bounds[citation + 1] - bounds[citation]
    return 0


@kernel
def _copy_line(codes: Any, start: Any, end: Any, cleaned: Any, written: Any, cut_citations: Any, citations: Any, flags: Any) -> Any:
    """Copy a line, without its citation marks; where the copy ends and how many marks were cut."""
    cut = 0
    position = start
    while position < end:
        if cut_citations and codes[position] == OPENING_BRACKET:
            length = _citation_at(codes, position, end, citations, flags)
            if length:
                cut += 1
                position += length
                continue
        cleaned[written] = codes[position]
        written += 1
        position += 1
    return written, cut


@kernel
def _count_line_words(codes: Any, start: Any, end: Any, flags: Any) -> Any:
    """How many runs of other than white space, and the longest of them."""
    words, longest, length = 0, 0, 0
    for position in range(start, end):
        if flags[codes[position]] & SPACE:
            length = 0
        else:
            words += length == 0
            length += 1
            longest = max(longest, length)
    return words, longest


@kernel
def _ends_as_sentence(codes: Any, start: Any, end: Any) -> Any:
    if start == end or codes[end - 1] not in TERMINALS:
        return False
    return not (end - start > 2 and codes[end - 1] == FULL_STOP and codes[end - 2] == FULL_STOP and codes[end - 3] == FULL_STOP)


@kernel
def _why_cut(words: Any, longest: Any, line: Any, start: Any, end: Any, found: Any, switches: Any, limits: Any) -> Any:
    """Place in ``CUTS`` of the first cause, -1 to keep the line, whose copy is ``line[start:end]``."""
    terminal_punctuation, cut_javascript, cut_policies, _ = switches
    max_word_length, min_words = limits
    if words == 0 and (terminal_punctuation or min_words > 0):
        return BLANK
    if max_word_length != SWITCHED_OFF and longest > max_word_length:
        return LONG_WORD
    if terminal_punctuation and not _ends_as_sentence(line, start, end):
        return UNFINISHED
    if words < min_words:
        return FEW_WORDS
    if cut_javascript and found & 1:
        return JAVASCRIPT
    if cut_policies and found >> FIRST_POLICY:
        return POLICY
    return -1


@kernel
def _clean(codes: Any, text_bounds: Any, flags: Any, phrases: Any, citations: Any, switches: Any, limits: Any) -> Any:
    documents = len(text_bounds) - 1
    cleaned = np.empty(len(codes) + documents, np.uint32)
    bounds = np.zeros(documents + 1, np.int64)
    cuts = np.zeros((documents, POLICY + 1), np.int64)
    citations_cut, lorem, curly = np.zeros(documents, np.int64), np.zeros(documents, np.int64), np.zeros(documents, np.int64)
    written = 0
    for document in range(documents):
        line, text_end = text_bounds[document], text_bounds[document + 1]
        while line < text_end:
            start = line
            while line < text_end and not flags[codes[line]] & LINE_BREAK:
                line += 1
            end = line
            line += 2 if line + 1 < text_end and codes[line] == CARRIAGE_RETURN and codes[line + 1] == NEWLINE else 1
            while start < end and flags[codes[start]] & SPACE:
                start += 1
            while end > start and flags[codes[end - 1]] & SPACE:
                end -= 1
            words, longest = _count_line_words(codes, start, end, flags)
            copy_end, marks = _copy_line(codes, start, end, cleaned, written, switches[3], citations, flags)
            found = _find_phrases(cleaned, written, copy_end, phrases)
            cause = _why_cut(words, longest, cleaned, written, copy_end, found & ~(1 << LOREM_IPSUM), switches, limits)
            # The reference removes the document at a line with lorem ipsum before it looks for javascript, and at one
            # with a bracket before it looks for policies.
            if cause in (-1, JAVASCRIPT, POLICY):
                lorem[document] += found >> LOREM_IPSUM & 1
            if cause in (-1, POLICY):
                for position in range(written, copy_end):
                    if cleaned[position] == CURLY_BRACKET:
                        curly[document] += 1
                        break
            if cause >= 0:
                cuts[document, cause] += 1
                continue
            citations_cut[document] += marks
            cleaned[copy_end] = NEWLINE
            written = copy_end + 1
        while written > bounds[document] and flags[cleaned[written - 1]] & SPACE:
            written -= 1
        bounds[document + 1] = written
    return cleaned[:written].copy(), bounds, cuts, citations_cut, lorem, curly


@kernel
def _count_sentences(codes: Any, bounds: Any, starts: Any, ends: Any, word_bounds: Any, flags: Any) -> Any:
    """Sentences of each document: a line begins one, and so does what follows an end mark and is no punctuation."""
    sentences = np.zeros(len(bounds) - 1, np.int64)
    for document in range(len(bounds) - 1):
        previous = bounds[document]
        ended, at_line_start = False, True
        for word in range(word_bounds[document], word_bounds[document + 1]):
            for position in range(previous, starts[word]):
                at_line_start = at_line_start or codes[position] == NEWLINE
            gap = starts[word] - previous
            space_is_word = gap > 1 or (gap == 1 and codes[previous] != BLANK_SPACE)
            if at_line_start or (ended and space_is_word):
                sentences[document] += 1
                ended = False
            is_end = ends[word] - starts[word] == 1 and flags[codes[starts[word]]] & SENTENCE_END > 0
            is_punctuation = True
            for position in range(starts[word], ends[word]):
                is_punctuation = is_punctuation and flags[codes[position]] & PUNCTUATION > 0
            if ended and not is_punctuation and not is_end:
                sentences[document] += 1
                ended = False
            ended = ended or is_end
            at_line_start, previous = False, ends[word]
    return sentences


def _count_bad_words(batch: Batch, path: str | None) -> IntArray:
    """How many different words and phrases of a list each text has."""
    if path is None:
        return np.zeros(len(batch.characters), np.int64)
    pattern = bad_word_pattern(path, storage.sha256_of(storage.read_bytes(path)))
    return np.array([len(set(pattern.findall(batch.text(document).lower()))) for document in range(len(batch.characters))], np.int64)


@functools.lru_cache(maxsize=1)
def bad_word_pattern(path: str, _digest: str) -> re.Pattern[str]:
    """The words of a list in lower case, one a line, as whole words; letters of scripts without spaces anywhere."""
    lines = storage.read_bytes(path).decode("utf-8", "replace").splitlines()
    words = sorted({line.strip().lower() for line in lines} - {""}, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(_as_whole_word, words)) or "(?!)")


def _as_whole_word(word: str) -> str:
    flags = character_flags()
    before = "" if flags[ord(word[0])] & SPACELESS else r"(?<!\w)"
    after = "" if flags[ord(word[-1])] & SPACELESS else r"(?!\w)"
    return before + re.escape(word) + after


def bad_words(counts: Cleaned) -> FloatArray:
    """Different words and phrases of the list."""
    return counts.bad_words.astype(np.float64)


def lorem_ipsum(counts: Cleaned) -> FloatArray:
    """Lines with lorem ipsum."""
    return counts.lorem_lines.astype(np.float64)


def curly_brackets(counts: Cleaned) -> FloatArray:
    """Lines with an opening curly bracket."""
    return counts.curly_lines.astype(np.float64)


def sentences(counts: Cleaned) -> FloatArray:
    """Sentences left."""
    return counts.sentences.astype(np.float64)


def change(counts: Cleaned, batch: Batch, document: int) -> Change | None:
    """The cleaned text of a document that passes, if it differs."""
    left = counts.codes[counts.bounds[document] : counts.bounds[document + 1]]
    text = left.tobytes().decode("utf-32-le", "surrogatepass").strip()
    if text == batch.text(document):
        return None
    lines = {cause: int(number) for cause, number in zip(CUTS, counts.cuts[document], strict=True) if number}
    return Change(text, {"lines": lines, "citations": int(counts.citations[document])})


FAMILY = Family(
    "c4",
    count,
    (
        Rule(Reason.C4_BAD_WORDS, "max_bad_words", bad_words),
        Rule(Reason.C4_LOREM_IPSUM, "max_lorem_ipsum", lorem_ipsum),
        Rule(Reason.C4_CURLY_BRACKETS, "max_curly_brackets", curly_brackets),
        Rule(Reason.C4_FEW_SENTENCES, "min_sentences", sentences),
    ),
    change,
)
