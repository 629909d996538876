"""Words and n-gram keys: what OpenAI published, and a plain regular expression as the second opinion."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contamination.words import find_all_words, find_words, ngram_keys, normalise
from tests.shared_data import shared

# A letter or digit, and behind it more of them, marks or formatting characters (categories M and Cf), but not at the end.
MARK = "\u0301"
PLAIN_WORD = re.compile(rf"[^\W_](?:{MARK}*[^\W_])*")


def words_of(text: str) -> list[str]:
    return normalise(text).split()


def test_published_ngrams_are_thirteen_words_and_stay_as_they_are() -> None:
    listing = shared("data", "benchmarks", "gpt3", "overlap_frequency.md").read_text(encoding="utf-8")
    ngrams = re.findall(r"^(?:```)?\d+\s+(.+)$", listing, re.MULTILINE)
    assert len(ngrams) == 121
    for ngram in ngrams:
        assert normalise(ngram) == ngram.strip()
        assert len(find_words(ngram)) == 13


def test_punctuation_becomes_a_space() -> None:
    # The spellings on the right are from OpenAI's published 13-grams.
    assert normalise("I'm going") == "i m going"
    assert normalise("It\u2019s the life") == "it s the life"
    assert normalise("U.S. government") == "u s government"
    assert normalise("16-bit one's complement") == "16 bit one s complement"
    assert normalise("FP7/2007") == "fp7 2007"
    assert normalise("co\u2013operation \u2014 (ICAM-1)\u2026") == "co operation icam 1"
    assert normalise("snake_case") == "snake case"


def test_case_does_not_matter_in_any_script() -> None:
    for lower, upper in (("straße", "STRAßE"), ("οδός", "ΟΔΌΣ"), ("привет", "ПРИВЕТ"), ("istanbul", "\u0130STANBUL")):
        assert find_words(lower).hashes.tolist() == find_words(upper).hashes.tolist(), lower


def test_texts_without_words() -> None:
    for text in ("", " ", "\n\t", "--- ... _", "\u2028"):
        words = find_words(text)
        assert len(words) == 0
        assert len(ngram_keys(words, 1)) == 0


def test_offsets_count_characters_not_bytes() -> None:
    words = find_words("\U0001f600é, naïve\ud800x")
    assert list(zip(words.starts.tolist(), words.ends.tolist(), strict=True)) == [(1, 2), (4, 9), (10, 11)]


plain_text = st.text(st.characters(exclude_categories=["M", "Cf", "Cs"], exclude_characters="<&"))


@given(plain_text | st.text("aZ9_ '-\n\u00e9\u0130\u03a3\u4e2d\u0301\u00b2"))
def test_words_are_runs_of_letters_and_digits(text: str) -> None:
    words = find_words(text)
    assert list(zip(words.starts.tolist(), words.ends.tolist(), strict=True)) == [match.span() for match in PLAIN_WORD.finditer(text)]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 6))
def test_keys_are_equal_exactly_where_the_words_are(letters: list[str], ngram_words: int) -> None:
    keys = ngram_keys(find_words(" ".join(letters)), ngram_words)
    ngrams = [tuple(letters[start : start + ngram_words]) for start in range(len(letters) - ngram_words + 1)]
    assert len(keys) == len(ngrams)
    assert len(set(keys.tolist())) == len(set(ngrams))
    assert len(set(zip(keys.tolist(), ngrams, strict=True))) == len(set(ngrams))


def test_keys_do_not_depend_on_what_stands_before() -> None:
    phrase = "to be or not to be that is the question"
    alone = ngram_keys(find_words(phrase), 10)
    inside = ngram_keys(find_words(f"He said: 'To be, or not to be... THAT is the question'{' etc' * 50}"), 10)
    assert alone[0] == inside[2]


def test_keys_are_the_same_on_every_machine() -> None:
    """FNV-1a, fmix64 and the polynomial, computed here with Python's integers."""
    mask = (1 << 64) - 1

    def mix(value: int) -> int:
        for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            value = (value ^ value >> 33) * multiplier & mask
        return value ^ value >> 33

    def word_hash(word: str) -> int:
        value = 0xCBF29CE484222325
        for letter in word:
            value = (value ^ ord(letter)) * 0x100000001B3 & mask
        return mix(value)

    expected = 0
    for word in ("deja", "vu", "42"):
        expected = (expected * 0x9E3779B97F4A7C15 + word_hash(word)) & mask
    assert ngram_keys(find_words("x. Déjà-vu 42!"), 3)[1] == np.uint64(mix(expected))


QUOTE = "The naïve official said: it's fifty-fifty, at café No 1, first & last"
EVASIONS = {
    "case": QUOTE.upper(),
    "punctuation": QUOTE.replace(" ", " -- ").replace(",", " ;"),
    "curly quotes": QUOTE.replace("'", "\u2019").replace("it", "\u201cit"),
    "dashes": QUOTE.replace("-", "\u2014").replace(": ", " \u2013 "),
    "no-break spaces": QUOTE.replace(" ", "\u00a0"),
    "narrow and ideographic spaces": QUOTE.replace(" ", "\u202f").replace(",", "\u3000"),
    "full-width forms": "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in QUOTE),
    "ligatures of mathematical letters": QUOTE.replace("said", "\U0001d42c\U0001d41a\U0001d422\U0001d41d"),
    "decomposed accents": unicodedata.normalize("NFD", QUOTE),
    "no accents": QUOTE.replace("ï", "i").replace("é", "e"),
    "soft hyphens": QUOTE.replace("ci", "c\u00adi"),
    "zero-width spaces in words": QUOTE.replace("i", "i\u200b"),
    "zero-width joiners": QUOTE.replace("t", "t\u200d"),
    "zero-width spaces instead of spaces": QUOTE.replace(" ", "\u200b"),
    "zero-width spaces beside spaces": QUOTE.replace(" ", "\u200b \ufeff"),
    "line breaks": QUOTE.replace(" ", "\r\n"),
    "references": QUOTE.replace(" ", "&nbsp;").replace("'", "&#39;").replace("& l", "&amp; l"),
    "tags": QUOTE.replace("official", '<b class="x y">official</b>').replace(", ", ",<br/>\n</p><P>"),
}


@pytest.mark.parametrize("evasion", EVASIONS)
def test_what_looks_the_same_is_the_same(evasion: str) -> None:
    wanted = ngram_keys(find_words(QUOTE), 14)
    assert len(wanted) == 1
    assert wanted[0] in ngram_keys(find_all_words(f"Before. {EVASIONS[evasion]} and after"), 14)


def test_what_is_no_markup_is_text() -> None:
    for text in ("a < b and c > d", "x<y and z>w", "<unknown>", "AT&T; R&D", "a<b", "<b no end", "&; &#; & amp;"):
        assert normalise(text).split() == re.findall(r"[a-z]+", text.lower()), text
    assert normalise("<<b>x") == "x"


def test_places_of_a_word_leave_the_marks_behind_it_out() -> None:
    words = find_words("\u00adca\u00adfe\u0301\u200b!")
    assert list(zip(words.starts.tolist(), words.ends.tolist(), strict=True)) == [(1, 6)]


def test_many_beginnings_of_tags_take_linear_time() -> None:
    """A look-ahead that began again at each ``<`` or ``&`` would read the 2 million characters a million times."""
    for text in ("<a " * 700_000, "&amp" * 500_000, "<b" * 1_000_000, "<a" + " x" * 1_000_000):
        find_words(text)
