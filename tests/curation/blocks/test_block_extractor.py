"""The extractor as a whole: what it keeps, refuses and says; how its text is written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.extraction.blocks.render import page_text
from curation.extraction.blocks.scan import MAX_BLOCKS, scan
from curation.extraction.extractor import HtmlPage, PageRefused, load_extractor
from curation.extraction.markup import LEVELS_OF_A_TABLE, check_markup
from curation.ledger import Action, Reason

PROSE = "The ferry crosses the river twice a day, and the captain knows every passenger by name. It leaves at nine, and again at four. "
MENU = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in ("Home", "About", "Shop", "Contact", "Imprint", "Login"))
QUOTED = 'a="b"'
PAGE = f"""<html><body><nav><ul>{MENU}</ul></nav><main><article><h1>The ferry</h1><p>{PROSE * 2}</p><p>{PROSE * 3}</p>
<p>{PROSE}</p></article></main><aside><ul>{MENU}</ul></aside><footer>© 2024 Ferry &amp; Co. All rights reserved.</footer></body></html>"""


@pytest.mark.parametrize("name", ["blocks", "blocks-precision", "blocks-recall"])
def test_prose_is_kept_and_menus_are_not(name: str) -> None:
    found = load_extractor(name).extract(HtmlPage(PAGE))
    assert found.text.count("captain knows") == 6
    assert "Imprint" not in found.text and "rights reserved" not in found.text
    assert found.confidence is not None and 0.8 < found.confidence <= 1


@pytest.mark.parametrize("html", [f"<ul>{MENU}</ul>", "<div id=root></div><noscript>You need to enable JavaScript.</noscript>"])
def test_a_page_without_main_content_is_removed_with_the_reason(html: str) -> None:
    with pytest.raises(PageRefused) as refused:
        load_extractor("blocks").extract(HtmlPage(html))
    assert (refused.value.refusal.action, refused.value.refusal.reason) == (Action.REMOVED, Reason.NO_MAIN_CONTENT)
    assert refused.value.refusal.detail["best_probability"] < 0.3


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div>" * 511 + PROSE, Reason.PAGE_TOO_DEEP),
        ("<table><tr><td>" * 171 + PROSE, Reason.PAGE_TOO_DEEP),
        ("<!-- > --><title><div></title><svg>" + "<g>" * 600, Reason.PAGE_TOO_DEEP),
        (f"<p {'a ' * 1001}>{PROSE}", Reason.TOO_MANY_ATTRIBUTES),
        (f"<p>{PROSE}</p {QUOTED * 1001}><p {QUOTED * 1001}", Reason.TOO_MANY_ATTRIBUTES),
        ("<div>" * 500 + f"<p>{PROSE * 5}", None),
        (f"<p {'a ' * 1000}>{PROSE * 5}", None),
        (f"{'<b>' * 400}{'</b>' * 400}<p title='{'a ' * 2000}'>{PROSE * 5}", None),
    ],
)
def test_budgets_of_the_markup_hold_though_only_the_scan_has_looked(html: str, reason: Reason | None) -> None:
    """With html and body, 511 divs are 513 elements deep, and 171 tables with a row and a cell 515."""
    try:
        assert "captain knows" in load_extractor("blocks").extract(HtmlPage(html)).text and reason is None
    except PageRefused as refused:
        assert refused.refusal.reason is reason


TAGS = st.sampled_from(
    [
        "<div>",
        "</div>",
        "<p>",
        "<b>",
        "</b>",
        "<table>",
        "<td>",
        "</table>",
        "<br/>",
        "<x-y>",
        "<!-- b -->",
        "<a b=c d='>' e>",
        "x",
        "<",
        "é",
    ]
)


@given(st.lists(TAGS, max_size=300).map("".join))
def test_the_scan_counts_no_less_than_what_is_refused(html: str) -> None:
    page = scan(html)
    try:
        check_markup(html, 32, 2)
    except PageRefused:
        assert page.most_open > 32 // LEVELS_OF_A_TABLE or page.most_attributes > 2


def test_a_page_of_too_many_blocks_is_quarantined() -> None:
    with pytest.raises(PageRefused) as refused:
        load_extractor("blocks").extract(HtmlPage("<p>x" * MAX_BLOCKS))
    assert (refused.value.refusal.action, refused.value.refusal.reason) == (Action.QUARANTINED, Reason.TOO_MANY_BLOCKS)


@pytest.mark.parametrize(
    "prose",
    [
        "この庭園は百年以上前に作られ、今も近くの住民によって大切に手入れされています。",
        "这座花园建于一百多年前,至今仍由附近的居民精心照料。",
    ],
)
def test_scripts_without_blanks(prose: str) -> None:
    page = PAGE.replace(PROSE, prose * 3)
    text = load_extractor("blocks").extract(HtmlPage(page)).text
    assert text.count(prose) == 18 and "Imprint" not in text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h1>Title</h1><p>one\n two</p>three", "Title\none two\nthree"),
        ("<ul><li>a<li><p>b</p><p>c</p></ul>", "- a\n- b\nc"),
        ("<ul><li>a<ul><li>b</ul>c</ul>", "- a\n- b\nc"),
        ("<table><tr><th>x<th>y<tr><td>1<td><p>2</p><p>3</p></table>", "x | y\n1 | 2\n3"),
        ("<pre>if x:\n    y = 1 &lt; 2\n</pre>", "if x:\n    y = 1 < 2"),
        ("<p>a<br>b", "a\nb"),
        ("<p>&lt;script&gt;", "<script>"),
    ],
)
def test_how_text_is_written(html: str, expected: str) -> None:
    page = scan(html)
    assert page_text(page, np.ones(len(page.blocks), np.bool_)) == expected


def test_only_kept_blocks_are_written() -> None:
    page = scan("<ul><li>a<li>b<li>c</ul><table><tr><td>1<td>2<td>3</table>")
    assert page_text(page, np.array([False, True, True, True, False, True])) == "- b\n- c\n1 | 3"


@pytest.mark.parametrize("html", ["<p>{}</p>", "{}", "<html><body><article><p>{}</p></article></body></html>", "<table><tr><td>{}</table>"])
def test_a_page_of_plain_text_alone_keeps_it(html: str) -> None:
    text = "lorem ipsum dolor sit amet consectetur"  # no sentence, and far too short to be told by its features
    assert load_extractor("blocks").extract(HtmlPage(html.format(text))).text == text
    with pytest.raises(PageRefused):
        load_extractor("blocks").extract(HtmlPage(html.format("Loading ...")))
    with pytest.raises(PageRefused):
        load_extractor("blocks").extract(HtmlPage(html.format(f"<nav>{text}</nav>")))
