"""C4's rules: what is cut and counted, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe_rules import C4Settings
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.c4 import CUTS, FAMILY, change, count

OFF = {"terminal_punctuation": False, "min_words_per_line": None, "min_sentences": None}


def clean(text: str, **settings: object) -> tuple[str, dict[str, int], dict[str, float]]:
    """The cleaned text, lines cut by cause, and the rules' values."""
    batch = Batch([text])
    counts = count(batch, [], C4Settings(**settings))  # type: ignore[arg-type]
    changed = change(counts, batch, 0)
    cuts = {cause: int(number) for cause, number in zip(CUTS, counts.cuts[0], strict=True) if number}
    return changed.text if changed else text, cuts, {rule.limit: float(rule.value(counts)[0]) for rule in FAMILY.rules}


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("This line is a sentence.", None),
        ("So is this!", None),
        ("Is this one?", None),
        ('"This is quoted"', None),
        ("'This is quoted'", None),
        ("This is none", "no_terminal_punctuation"),
        ("This trails off...", "no_terminal_punctuation"),
        ("This trails off…", "no_terminal_punctuation"),
        ("“This is curly”", "no_terminal_punctuation"),
        ("Too short.", "few_words"),
        ("We use JavaScript here.", "javascript"),
        ("We use javas\u212aript no.", None),  # a Kelvin sign is a k, and no c
        ("Read our PRIVACY policy now.", "policy"),
        ("This site uses coo\u212aies well.", "policy"),
        ("x" * 1001 + " is long.", "long_word"),
        ("x" * 1000 + " is long.", None),
        ("A claim of note.[12]", None),
        ("A claim of note.[]", None),
        ("A claim of note.[edit]", None),
        ("A claim of note.[citation needed]", None),
        ("A claim of note.[a]", "no_terminal_punctuation"),
        ("A claim. [1]", "no_terminal_punctuation"),  # a space is left after the full stop
        ("   ", "blank"),
    ],
)
def test_a_line_is_cut_for_the_first_cause(line: str, cause: str | None) -> None:
    _, cuts, _ = clean(f"Here is a sentence.\n{line}", min_sentences=None)
    assert cuts == ({cause: 1} if cause else {})


def test_what_is_left_is_joined_and_citations_go() -> None:
    text = "\n  First line stays here.[1]  \r\nMenu\n\n[3]Last\u00a0line stays here.\u2028"
    cleaned, cuts, _ = clean(text)
    assert cleaned == "First line stays here.\nLast\u00a0line stays here."
    assert cuts == {"no_terminal_punctuation": 1, "blank": 2}


def test_with_all_switches_off_only_line_breaks_change() -> None:
    assert clean("Menu\r\n\r\n x [1]\x85end", **OFF, cut_citations=False)[0] == "Menu\n\nx [1]\nend"


def test_sentences_by_hand() -> None:
    # Lines begin sentences; so does what follows an end mark and is no punctuation. Abbreviations do not end them.
    assert clean("One is here. Two is here! Three?")[2]["min_sentences"] == 3
    assert clean('He said "so." Then left.')[2]["min_sentences"] == 2
    assert clean("Dr. Who came e.g. today at 10 a.m. sharp.")[2]["min_sentences"] == 1
    assert clean("First line is here.\nSecond line is here.\ncut")[2]["min_sentences"] == 2
    assert clean("Wait!!! What?! No way.")[2]["min_sentences"] == 3
    assert clean("")[2]["min_sentences"] == 0


def test_documents_are_judged_by_the_lines_that_are_left() -> None:
    values = clean("Some lorem ipsum is here.\nA { bracket is here.\nlorem ipsum\nfunction() {")[2]
    assert values["max_lorem_ipsum"] == 1
    assert values["max_curly_brackets"] == 1


def test_bad_words_are_whole_words_and_letters_of_spaceless_scripts_stand_anywhere(tmp_path: Path) -> None:
    words = tmp_path / "bad.txt"
    words.write_text("Bad\nvery bad\n悪い\n\n", encoding="utf-8")
    assert clean("Not badly made.", bad_words=str(words))[2]["max_bad_words"] == 0
    assert clean("BAD, bad and very bad.", bad_words=str(words))[2]["max_bad_words"] == 2
    assert clean("とても悪いです", bad_words=str(words))[2]["max_bad_words"] == 1


@given(st.lists(st.text(alphabet='ab .[1]"{\n\r…', max_size=60), max_size=4))
def test_cleaning_twice_changes_nothing_more_and_neighbours_do_not_matter(texts: list[str]) -> None:
    settings = C4Settings(min_words_per_line=1, cut_citations=False)
    batch = Batch(texts)
    counts = count(batch, [], settings)
    for number, text in enumerate(texts):
        changed = change(counts, batch, number)
        cleaned = changed.text if changed else text
        assert cleaned == clean(text, min_words_per_line=1, cut_citations=False)[0]
        assert clean(cleaned, min_words_per_line=1, cut_citations=False)[0] == cleaned
