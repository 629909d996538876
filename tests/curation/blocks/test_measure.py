"""Measures and features: counted by hand, the same for every script, and whole numbers that do not depend on the order of pages."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.extraction.blocks.features import NAMES
from curation.extraction.blocks.judge import block_features
from curation.extraction.blocks.measure import COLUMN, measure
from curation.extraction.blocks.scan import scan
from curation.extraction.blocks.structure import structure


def counts_of(html: str) -> dict[str, int]:
    counts, _ = measure(scan(html))
    return {name: int(counts[0, column]) for name, column in COLUMN.items()}


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One, two; three. Four!", {"words": 4, "commas": 2, "sentences": 2, "letters": 15, "capitals": 2}),
        ("<p>a <a href=/>b c</a> d <a href=/>e</a>", {"words": 5, "link_words": 3, "links": 2}),
        ("<p>a <a name=x>b</a>", {"words": 2, "link_words": 0, "links": 0}),
        ("<p>x<b>y</b>z", {"words": 1, "letters": 3}),
        ("<p>x<br>y", {"words": 2, "lines": 2}),
        ("<p>2024 items", {"digits": 4, "words": 2}),
        ("<p>&copy; &#169; \xa9", {"copyright": 2}),  # a name stands for a dash
        ("<p>caf&eacute; &#1076;&#x430;", {"words": 2, "letters": 6}),
        ("<p>a&nbsp;b", {"words": 2}),
        ("<p>漢字仮名。、", {"words": 2, "letters": 12, "sentences": 1, "commas": 1}),
        ("<p>ภาษาไทยคำ", {"words": 2, "letters": 9}),
        ("<p>नमस्ते दुनिया।", {"words": 2, "sentences": 1}),
        ("<p>مرحبا، كيف؟", {"words": 2, "commas": 1, "sentences": 1}),
        ("<p>…", {"words": 0, "sentences": 1}),
    ],
)
def test_what_a_block_consists_of(html: str, expected: dict[str, int]) -> None:
    assert expected.items() <= counts_of(html).items()


@given(st.lists(st.from_regex(r"[a-zA-Z0-9]{1,8}[.,!]?", fullmatch=True), min_size=1, max_size=30))
def test_words_are_those_of_a_regular_expression(words: list[str]) -> None:
    text = " ".join(words)
    counts = counts_of(f"<p>{text}")
    assert counts["words"] == len(re.findall(r"\w+", text))
    assert counts["letters"] == len(re.findall(r"\w", text))
    assert counts["sentences"] == len(re.findall(r"[.!]", text))


PAGE = """<nav><a href=/>Home</a> <a href=/a>About</a></nav><main><h1>Title</h1>
<div class=post><p>{prose}</p><p>{prose}</p></div><div class=post><p>{prose}</p></div></main><footer>Imprint</footer>"""
PROSE = "The ferry crosses the river twice a day, and the captain knows every passenger by name."


def column(name: str) -> list[int]:
    table, _ = block_features(scan(PAGE.format(prose=PROSE)))
    return [int(value) for value in table[:, NAMES.index(name)]]


def test_features_of_a_page() -> None:
    """Blocks: menu, title, three paragraphs, imprint; a paragraph has 16 words, the page 52."""
    assert column("own_words") == [2, 1, 16, 16, 16, 1]
    assert column("own_link_share") == [1000, 0, 0, 0, 0, 0]
    assert column("own_copies") == [1, 1, 3, 3, 3, 1] and column("own_earlier_copies") == [0, 0, 0, 1, 2, 0]
    assert column("inside_nav") == [1, 0, 0, 0, 0, 0] and column("inside_main") == [0, 1, 1, 1, 1, 0]
    assert column("place_to_first_heading") == [-1, 0, 1, 2, 3, 4]
    assert column("place_in_prose") == [0, 0, 1, 1, 0, 0]  # the first post holds twice the prose of the second
    assert column("place_steps_down_to_prose") == [2, 1, 0, 0, 1, 2]
    assert column("level1_words_share") == [1000, 942, 615, 615, 307, 1000]  # 52, 49, 32 and 16 of 52
    assert column("template1_members")[2:5] == [2, 2, 2]  # two posts
    assert column("page_words") == [52] * 6
    assert column("neighbour-1_words") == [-1, 2, 1, 16, 16, 16]


def test_every_feature_is_named_and_varies() -> None:
    table, _ = block_features(scan(PAGE.format(prose=PROSE) + "<ul><li hidden><a href=x>y</a><li>©1 z;</ul>"))
    assert table.shape[1] == len(NAMES) == len(set(NAMES))
    assert table.dtype == np.int32


def test_a_page_without_text_has_no_rows() -> None:
    table, words = block_features(scan("<div></div>"))
    assert table.shape == (0, len(NAMES)) and len(words) == 0


def test_containers_of_one_template_are_one_group() -> None:
    cards = "".join(f"<div class=card><p>w{number}</p></div>" for number in range(5))
    page = scan(f"<div>{cards}</div><div class=other><p>x</p></div>")
    counts, _ = measure(page)
    groups = structure(page, counts).groups
    assert sorted(groups[1:, 0].tolist()) == [1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]
