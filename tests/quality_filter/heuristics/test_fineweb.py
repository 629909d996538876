"""FineWeb's rules on lines: values counted by hand, and by plain Python after the paper's definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe_rules import FinewebSettings
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.fineweb import FAMILY, count


def values_of(*texts: str, short_line_characters: int = 30) -> dict[str, list[float]]:
    counts = count(Batch(texts), [], FinewebSettings(short_line_characters=short_line_characters))
    return {rule.limit: rule.value(counts).tolist() for rule in FAMILY.rules}


def test_values_by_hand() -> None:
    # Four lines that hold something; 8 newlines, two of them and the spaces in blank lines; two lines end with a terminal mark
    # ("end. " ends with a space). "same line!" is repeated: 10 of 10 + 10 + 5 + 7 + 2 + 1 characters without newlines. 8 words.
    text = "\n\nsame line!\nsame line!\n  \nend. \n終わり。終わり\n\n \n"
    values = values_of(text)
    assert values["min_punctuated_lines"] == [2 / 4]
    assert values["max_short_lines"] == [1.0]
    assert values["max_duplicate_line_characters"] == [10 / 35]
    assert values["max_newlines"] == [9 / 9]  # words: same line ! same line ! end . 終わり。終わり


def test_terminal_marks_of_other_scripts_end_lines() -> None:
    assert values_of("終わり。\nनमस्ते।\nمرحبا؟\nend;")["min_punctuated_lines"] == [3 / 4]


def test_a_short_line_has_so_many_characters_or_fewer() -> None:
    assert values_of("x" * 30 + "\n" + "x" * 31)["max_short_lines"] == [1 / 2]
    assert values_of("abc\nabcd", short_line_characters=2)["max_short_lines"] == [0.0]


def test_white_space_alone_has_no_lines() -> None:
    assert all(value == [0.0, 0.0] for value in values_of("", " \n \n").values())


@given(st.lists(st.text(alphabet="ab. \n\t", max_size=80), max_size=5))
def test_values_equal_plain_python(texts: list[str]) -> None:
    values = values_of(*texts, short_line_characters=3)
    for number, text in enumerate(texts):
        lines = [line for line in text.split("\n") if line.strip()]
        if not lines:
            continue
        repeated = sum(len(line) for place, line in enumerate(lines) if line in lines[:place])
        assert values["min_punctuated_lines"][number] == pytest.approx(sum(line.endswith(".") for line in lines) / len(lines))
        assert values["max_short_lines"][number] == pytest.approx(sum(len(line) <= 3 for line in lines) / len(lines))
        assert values["max_duplicate_line_characters"][number] == pytest.approx(repeated / len(text.replace("\n", "")))
