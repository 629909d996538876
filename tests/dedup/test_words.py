from __future__ import annotations

import hashlib
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.murmur3 import PADDING
from dedup.words import CLASS_BITS, DOTTED_I, LETTER, LONE_LETTER, MARK, SEPARATOR, character_table, split_words, text_digests


def normalised(text: str) -> str:
    return split_words([text]).text(0).decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        (" \n\t", ""),
        ("!?* --", ""),
        ("Hello, World!", "hello world"),
        ("don't e-mail snake_case", "don t e mail snake case"),
        ("x=3.14", "x 3 14"),
        ("ÉCOLE Straße ΟΔΟΣ", "école straße οδος"),
        ("Σ ΣΑΣ Σ. İzmir ẞ ΪΌ", "σ σας σ i\u0307zmir ß ϊό"),  # where Python's own rules decide
        ("ȺȾKÅ Ⱥ", "ⱥⱦkå ⱥ"),  # lower cases of more bytes, and of fewer
        ("a\u00a0b\u2028c\u200bd", "a b c d"),
        ("中文 和English混合", "中 文 和 english 混 合"),
        ("ひらがな カタ", "ひ ら が な カ タ"),
        ("한국어 문장", "한국어 문장"),
        ("हिन्दी में", "हिन्दी में"),  # vowel signs are marks and belong to their word
        ("ที่นี่", "ที่ นี่"),  # two syllables: consonant, vowel sign, tone mark
        ("e\u0301t\u0301e", "e\u0301t\u0301e"),
        ("\u0301", "\u0301"),
        ("𝔘nicode 𠀀𠀁", "𝔘nicode 𠀀 𠀁"),
    ],
)
def test_words_by_hand(text: str, words: str) -> None:
    assert normalised(text) == words
    assert split_words([text]).counts.tolist() == [len(words.split())]


def plain_words(text: str) -> list[str]:
    """The same definition for texts without scripts that need no spaces, in plain Python."""
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text.lower()).split()


@settings(deadline=None)
@given(st.lists(st.text(alphabet=st.characters(max_codepoint=0xDFF, exclude_categories=["Cs"]), max_size=40), max_size=6))
def test_words_agree_with_plain_python(texts: list[str]) -> None:
    words = split_words(texts)
    assert words.counts.tolist() == [len(plain_words(text)) for text in texts]
    for number, text in enumerate(texts):
        assert words.text(number).decode() == " ".join(plain_words(text))


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_text_and_any_batch(texts: list[str]) -> None:
    words = split_words(texts)
    assert [words.text(number).decode() for number in range(len(texts))] == [normalised(text) for text in texts]


def test_every_code_point_has_its_class_and_lower_case() -> None:
    table = character_table()
    classes = {"L": {LETTER, LONE_LETTER}, "N": {LETTER, LONE_LETTER}, "M": {MARK}}
    for code, entry in enumerate(table.tolist()):
        lowered = chr(code).lower()
        assert len(lowered) == 1 or code == DOTTED_I
        if len(lowered) == 1:
            assert entry >> CLASS_BITS == ord(lowered)
            assert entry & 3 in classes.get(unicodedata.category(lowered)[0], {SEPARATOR})


def test_word_offsets() -> None:
    words = split_words(["", "one two", "!", "three"])
    assert words.content.tobytes() == b"one two three " + bytes(PADDING)
    assert words.bounds.tolist() == [0, 1, 4, 5, 7]
    assert words.starts.tolist() == [0, 0, 4, 8, 8, 8, 14]


def test_lone_surrogates_do_not_fail() -> None:
    assert normalised("a\ud800b") == "a b"


def test_digest_is_blake2b_of_the_normalised_text() -> None:
    high, low = text_digests(split_words(["x", "Hello,  World"]))[1].tolist()
    assert high.to_bytes(8, "big") + low.to_bytes(8, "big") == hashlib.blake2b(b"hello world", digest_size=16).digest()
    assert text_digests(split_words([])).shape == (0, 2)
