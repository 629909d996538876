"""Gopher's rules on words and lines: values counted by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe_rules import GopherQualitySettings
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.gopher_quality import FAMILY, Prose, count

SETTINGS = GopherQualitySettings()


def counts_of(*texts: str, letters_apart: bool = False) -> Prose:
    return count(Batch(texts, letters_apart), [], SETTINGS)


def value_of(limit: str, text: str, letters_apart: bool = False) -> float:
    rule = next(rule for rule in FAMILY.rules if rule.limit == limit)
    return float(rule.value(counts_of(text, letters_apart=letters_apart))[0])


def test_words_of_punctuation_are_words_for_some_rules_only() -> None:
    # Words: The, cat, -, 42, ... and !; three are more than punctuation (The, cat, 42: 3 + 3 + 2 characters), two have letters.
    text = "The cat - 42...!"
    counts = counts_of(text)
    assert counts.words.tolist() == [6]
    assert value_of("min_words", text) == value_of("max_words", text) == 3
    assert value_of("min_mean_word_length", text) == pytest.approx(8 / 3)
    assert value_of("min_alphabetic_words", text) == pytest.approx(2 / 6)
    assert value_of("max_ellipses", text) == pytest.approx(1 / 6)


def test_marks_by_hand() -> None:
    # Five dots hold one ellipsis, six hold two; words: #, one, ....., two, ......, three, the sign, #.
    text = "#one ..... two ...... three… #"
    counts = counts_of(text)
    assert counts.hashes.tolist() == [2]
    assert counts.ellipses.tolist() == [1 + 2 + 1]
    assert counts.words.tolist() == [8]


def test_lines_by_hand() -> None:
    # str.splitlines: eight lines, the last newline ends the eighth; a blank line is a line.
    text = "• one\n  - two\r\nthree...\rfour…  \n\nfive ..\x85–six\u2028- ...\n"
    assert len(text.splitlines()) == 8
    counts = counts_of(text)
    assert counts.lines.tolist() == [8]
    assert counts.bullet_lines.tolist() == [3]  # •, - and -; an en dash is no bullet
    assert counts.ellipsis_lines.tolist() == [3]  # three..., four… and "- ..."


def test_stop_words_count_once_each_and_in_lower_case() -> None:
    assert value_of("min_stop_words", "The the the of, Of THE that's") == 3  # the, of, that (split off 's)
    assert value_of("min_stop_words", "") == 0


def test_mean_length_is_not_judged_where_letters_are_words() -> None:
    text = "東京都は日本の首都であり、世界最大の都市圏です。"
    assert math.isnan(value_of("min_mean_word_length", text, letters_apart=True))
    assert value_of("min_words", text, letters_apart=True) == 22  # 24 characters, a comma and a full stop among them
    assert value_of("max_mean_word_length", text) > 10  # as published, the sentence is a few long words


def test_nothing_has_no_words_and_no_lines() -> None:
    for text in ("", "   ", "\n"):
        assert value_of("min_words", text) == 0
        assert value_of("max_hashes", text) == value_of("max_bullet_lines", text) == 0


@given(st.lists(st.text(alphabet="ab .…#•-\n\r\x85\u2028", max_size=50), max_size=5))
def test_lines_and_marks_equal_plain_python(texts: list[str]) -> None:
    counts = counts_of(*texts)
    for number, text in enumerate(texts):
        lines = text.splitlines()
        assert counts.lines[number] == len(lines)
        assert counts.bullet_lines[number] == sum(line.lstrip().startswith(("•", "-")) for line in lines)
        assert counts.ellipsis_lines[number] == sum(line.rstrip().endswith(("...", "…")) for line in lines)
        assert counts.hashes[number] == text.count("#")
        assert counts.ellipses[number] == text.count("...") + text.count("…")
