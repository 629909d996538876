from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scripts import SPACELESS_SCRIPTS
from quality_filter.text import CHARACTERS_PER_WORD, Lines, normalise


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        (" \n\t\u2028 ", ""),
        ("Hello,  World!\r\nAgain", "hello, world! again"),
        ("one two three four five six", "one two three four five"),
        ("a\0b\x01c\x85d\x7fe", "a b c d e"),
        ("__label__positive good", "label positive good"),
        ("__LABEL__x", "label x"),
        ("__la__label__bel__y", "__la__label__bel__y"),
        ("end </s> more a</s>", "end s more a</s>"),
        ("</S>", "s"),
        ("我喜欢 tea", "我 喜 欢 tea"),
        ("ภาษา", "ภ า ษ า"),
        ("ÄRGER İ", "ärger i̇"),
        ("__label____label__ x", "label label x"),
        ("a__label__b我__label__q", "a__label__b 我 label q"),
        ("__label__</s>", "label s"),
        ("__label__a b c d e", "label a b c d"),
        ("| cell | - 3 ** • &c. ... (x)", "cell 3 &c. (x)"),
        ("\ud800x", "?x"),
    ],
)
def test_lines_by_hand(text: str, line: str) -> None:
    assert normalise([text], 5).texts() == [line]


def reference(text: str, max_words: int) -> list[str]:
    """The same by other means: one character after the other, then one word after the other."""
    lone = {code for first, last in SPACELESS_SCRIPTS for code in range(first, last + 1)}
    parted = ""
    for character in text[: CHARACTERS_PER_WORD * max_words].lower().encode("utf-8", "replace").decode():
        if unicodedata.category(character) == "Cc" or character.isspace():
            parted += " "
        else:
            parted += f" {character} " if ord(character) in lone else character
    words: list[str] = []
    for word in parted.split():
        if not any(unicodedata.category(character)[0] in "LN" or ord(character) in lone for character in word):
            continue
        while word.startswith("__label__"):
            words.append("label")
            word = word.removeprefix("__label__")
        words += [{"</s>": "s"}.get(word, word)] if word else []
    return words[:max_words]


TEXTS = (
    st.text() | st.text(alphabet="_label</s> \n\0中x|-", max_size=60) | st.sampled_from(["__label__", "</s>", "x __label____label__</s>"])
)


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4), st.integers(1, 8))
def test_any_batch_equals_the_reference(texts: list[str], max_words: int) -> None:
    lines = normalise(texts, max_words)
    expected = [reference(text, max_words) for text in texts]
    assert lines.texts() == [" ".join(words) for words in expected]
    assert lines.words.tolist() == [len(words) for words in expected]
    for line in lines.texts():
        assert not set(line) & set("\n\r\t\v\f\0")
        assert "</s>" not in line.split(" ")
        assert not any(word.startswith("__label__") for word in line.split(" "))


@given(st.lists(TEXTS, max_size=5))
def test_lines_survive_being_strings(texts: list[str]) -> None:
    lines = normalise(texts, 20)
    again = Lines.of(lines.texts())
    assert again.content.tobytes() == lines.content.tobytes()
    assert (again.bounds.tolist(), again.words.tolist()) == (lines.bounds.tolist(), lines.words.tolist())
    assert lines.select(np.arange(len(lines))[::2]).texts() == lines.texts()[::2]


def test_format_does_not_show() -> None:
    one = "A Title\n\nSome  words,\tin lines.\n- and\n- a list | of | cells"
    other = "a title some words, in lines. and a list of cells"
    assert normalise([one], 100).texts() == normalise([other], 100).texts()


def test_a_window_of_characters_bounds_a_huge_word() -> None:
    assert normalise(["x" * 1_000_000 + " y"], 5).texts() == ["x" * 5 * CHARACTERS_PER_WORD]


def test_nothing() -> None:
    assert normalise([], 5).texts() == []
    assert normalise([None, ""], 5).words.tolist() == [0, 0]
