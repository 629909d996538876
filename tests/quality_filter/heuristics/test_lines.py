"""RefinedWeb's rules on lines: what is cut, by hand."""

from __future__ import annotations

import pytest

from curation.recipe_rules import LineSettings
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.lines import FAMILY, change, count


def cut(text: str, **settings: object) -> tuple[str, float]:
    batch = Batch([text])
    counts = count(batch, [], LineSettings(**settings))  # type: ignore[arg-type]
    changed = change(counts, batch, 0)
    return changed.text if changed else text, float(FAMILY.rules[0].value(counts)[0])


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("A line of prose", True),
        ("BREAKING NEWS today", False),  # 12 of 17 letters
        ("NASA and ESA met", False),  # 7 of 13 letters are capitals: more than half
        ("NASA heard nothing", True),  # 4 of 16
        ("12/05/2020 14:30", False),
        ("---", False),  # one word
        ("3 likes", False),
        ("3 people like this", True),
        ("Home", False),
        ("東京都", True),  # three letters, each a word
    ],
)
def test_a_line_is_cut_or_stays(line: str, stays: bool) -> None:
    text = f"Before it stands this.\n{line}\nAfter it stands that."
    assert cut(text)[0] == (text if stays else "Before it stands this.\nAfter it stands that.")


def test_blank_lines_stay_before_the_line_that_follows_them() -> None:
    assert cut("Home\n\nFirst words here.\n\nMENU\nMore words here.\n")[0] == "First words here.\nMore words here."
    assert cut("First words here.\n\nMore words here.\n")[0] == "First words here.\n\nMore words here.\n"


def test_the_share_of_words_cut() -> None:
    assert cut("One two three.\nHome\n3 likes")[1] == pytest.approx(3 / 6)
    assert cut("")[1] == 0


def test_switches() -> None:
    text = "Home\n12\n3 likes\nNEWS NOW HERE"
    assert cut(text, max_upper_case=None, cut_numbers=False, cut_counters=False, cut_single_words=False) == (text, 0.0)
