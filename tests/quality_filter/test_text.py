from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scripts import SPACELESS_SCRIPTS
from quality_filter.text import SPACELESS_LETTER, classifier_line, classifier_words


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        (" \n\t\u2028 ", ""),
        ("Hello,  World!\r\nAgain", "hello, world! again"),
        ("one two three four five six", "one two three four five"),
        ("a\0b\x01c\x85d\x7fe", "a b c d e"),
        ("__label__positive good", " label positive good"),
        ("__LABEL__x", " label x"),
        ("__la__label__bel__y", "__la label bel__y"),
        ("end </s> more a</s>", "end s more a</s>"),
        ("</S>", "s"),
        ("我喜欢 tea", "我 喜 欢 tea"),
        ("ภาษา", "ภ า ษ า"),
        ("ÄRGER İ", "ärger i̇"),
    ],
)
def test_lines_by_hand(text: str, line: str) -> None:
    assert classifier_line(classifier_words(text, 5)) == line


@settings(deadline=None)
@given(st.text() | st.text(alphabet="_label</s> \n\0中x", max_size=60), st.integers(1, 8))
def test_no_text_reaches_fasttext_with_more_than_words(text: str, max_words: int) -> None:
    words = classifier_words(text, max_words)
    assert len(words) <= max_words
    line = classifier_line(words)
    tokens = line.split(" ")
    assert not set(line) & set("\n\r\t\v\f\0")
    assert "</s>" not in tokens
    assert not any(token.startswith("__label__") for token in tokens)


def test_one_huge_word_counts_once() -> None:
    assert classifier_words("x" * 1_000_000, 5) == ["x" * 1_000_000]


def test_letters_of_spaceless_scripts_are_found() -> None:
    listed = {code for first, last in SPACELESS_SCRIPTS for code in range(first, last + 1)}
    assert {code for code in range(0x40000) if SPACELESS_LETTER.match(chr(code))} == listed
