"""Escaping and readable numbers."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.report.markup import compact, count, isolated, percent, plural, visible

THIN = "\u202f"


@given(st.text(st.characters(exclude_categories=())))
def test_visible_text_holds_no_markup_and_can_be_encoded(text: str) -> None:
    shown = visible(text)
    assert not set("<>\"'") & set(shown)
    assert not re.search("&(?!(amp|lt|gt|quot|#x27);)", shown)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    shown.encode()


@given(st.text(st.characters(exclude_categories=("C",))))
def test_ordinary_text_reads_as_it_was(text: str) -> None:
    assert html.unescape(visible(text)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\rc\n\td", "a\nb\nc\n\td"),
        ("\x00\x7f\x85", "⟨U+0000⟩⟨U+007F⟩⟨U+0085⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\u202e\u2066", "⟨U+202E⟩⟨U+2066⟩"),
        ("שלום\u200f \u200eab", "שלום\u200f \u200eab"),  # plain marks belong to right-to-left writing
        ("👩\u200d👧", "👩\u200d👧"),  # joiners belong to emoji and Indic scripts
        ("&amp;", "&amp;amp;"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_isolated_text_is_escaped_too() -> None:
    assert isolated("<b>") == "<bdi>&lt;b&gt;</bdi>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (9999, "9,999"),
        (10_000, f"10.0{THIN}k"),
        (12_345, f"12.3{THIN}k"),
        (999_499, f"999{THIN}k"),
        (999_600, f"1.00{THIN}M"),
        (1_624_314, f"1.62{THIN}M"),
        (45.6e9, f"45.6{THIN}B"),
        (3e11, f"300{THIN}B"),
        (2.5e13, f"25.0{THIN}T"),
        (190.566, "191"),
        (0.0625, "0.0625"),
        (9.9996, "10.0"),
    ],
)
def test_compact_has_three_digits_and_a_unit(value: float, shown: str) -> None:
    assert compact(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 5, f"0{THIN}%"),
        (5, 5, f"100{THIN}%"),
        (7, 156, f"4.5{THIN}%"),
        (1, 1_000_000, f"<{THIN}0.1{THIN}%"),
        (999_999, 1_000_000, f">{THIN}99.9{THIN}%"),
        (0, 0, "–"),
    ],
)
def test_percent_never_rounds_to_nothing_or_to_everything(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


def test_whole_numbers() -> None:
    assert count(1234567.0) == "1,234,567"
    assert plural(1, "document") == "1 document"
    assert plural(1200, "document") == "1,200 documents"
