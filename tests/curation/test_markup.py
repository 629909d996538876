"""Budgets of markup: what nests, what only looks like it, and attributes; real pages pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import fromstring

from curation.extraction.extractor import PageRefused
from curation.extraction.markup import check_markup
from curation.ledger import Action, Reason

DEPTH, ATTRIBUTES = 512, 1000


def refusal(html: str, depth: int = DEPTH, attributes: int = ATTRIBUTES) -> Reason | None:
    try:
        check_markup(html, depth, attributes)
    except PageRefused as refused:
        assert refused.refusal.action is Action.QUARANTINED
        return refused.refusal.reason
    return None


def page(body: str) -> str:
    return f"<!DOCTYPE html><html><head><title>Page</title></head><body>{body}</body></html>"


# --- nesting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    ["div", "DIV", "blockquote", "font", "b", "span", "ul><li", "table><tr><td", "svg><g", "section", "x-custom", "p-x", "br-x", "li1"],
)
@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting_is_refused(tag: str, closed: bool) -> None:
    opening = f"<{tag}>"
    closing = "".join(f"</{name}>" for name in reversed(tag.split("><"))) if closed else ""
    assert refusal(page(opening * 600 + "text" + closing * 600)) is Reason.PAGE_TOO_DEEP


def test_the_limit_is_the_number_of_elements_from_the_root() -> None:
    """html, body, then divs: 510 of them are 512 elements, and the text in them is no element."""
    assert refusal(page("<div>" * 510 + "text" + "</div>" * 510)) is None
    assert refusal(page("<div>" * 511 + "text" + "</div>" * 511)) is Reason.PAGE_TOO_DEEP


@pytest.mark.parametrize(
    "piece",
    [
        "<p>text",
        "<a href=x>text",
        "<li>text",
        "<br>text",
        "<img src=a>text",
        "<input/>text",
        "<hr><wbr>",
        "<tr><td>text",
        "<dt>term<dd>text",
        "<option>text",
        "<div>text</div>",
        "<path d='M0 0'/>",
        "a < b and <3 ",
        "<!-- <div> -->",
        "</div></span></b>",
    ],
)
def test_long_pages_are_not_deep(piece: str) -> None:
    assert refusal(page(piece * 20_000)) is None
    assert refusal(page(f"<table>{piece * 2000}</table><select>{piece * 2000}</select>")) is None


def test_markup_in_a_script_is_none() -> None:
    assert refusal(page(f"<script>var s = '{'<div>' * 3000}';</script><p>text</p>")) is None
    assert refusal(page(f"<style>/*{'<b>' * 3000}*/</style><p>text</p>")) is None


def test_raw_text_ends_at_its_own_end_tag() -> None:
    attributes = " ".join(f"a{number}" for number in range(3000))
    assert refusal(page(f"<script>'</scripts'; '<p {attributes}>'</script>")) is None
    assert refusal(page(f"<script>'</scripts'</script ><p {attributes}>")) is Reason.TOO_MANY_ATTRIBUTES


def test_a_recipe_sets_the_limit() -> None:
    html = page("<div>" * 100 + "text")
    assert refusal(html, depth=64) is Reason.PAGE_TOO_DEEP
    assert refusal(html, depth=128) is None


# --- attributes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("attribute", ["a{}=1", "a{}", 'a{}="x y"', "a{} = 1", 'data-{}=""', "é{}=1"])
def test_many_attributes_are_refused(attribute: str) -> None:
    for number, expected in ((1000, None), (1001, Reason.TOO_MANY_ATTRIBUTES)):
        attributes = " ".join(attribute.format(i) for i in range(number))
        assert refusal(page(f"<p {attributes}>text</p>")) is expected


@pytest.mark.parametrize("tag", ["<p {}>", "<p {}/>", "<IMG {}"])
@pytest.mark.parametrize(("attribute", "separator"), [('a{}="1"', ""), ("a{}='x y'", ""), ("a{}", "/"), ("a{}=1", "\n"), ("a{}='>'", " ")])
def test_attributes_stand_close_together(tag: str, attribute: str, separator: str) -> None:
    attributes = separator.join(attribute.format(i) for i in range(1, 3001))
    assert refusal(page(tag.format(attributes))) is Reason.TOO_MANY_ATTRIBUTES


@pytest.mark.parametrize(
    "body",
    [
        f"<p title='{'word ' * 5000}'>text</p>",
        f'<img src="data:image/png;base64,{"QUJD" * 100_000}">',
        f"<script>for (i = 0; i<n; i++) {{ {'x y = 1; ' * 5000} }}</script>",
        f"<script>if (a <b && {'x y ' * 5000}",
        f"<!-- <p {'a b c ' * 5000} --><p>text</p>",
        f"<style>p <q {'a b ' * 5000}</style>",
        f"a < b {'and so on ' * 5000}",
        f"<p>{'long text ' * 5000}</p>",
        f"<svg><path d='{'M 0 1 ' * 9000}'/></svg>",
        f"<textarea><p {'a ' * 5000}></textarea>",
    ],
    ids=["long value", "data URI", "script", "script without end", "comment", "style", "less than", "text", "svg path", "textarea"],
)
def test_long_tags_are_not_many_attributes(body: str) -> None:
    assert refusal(page(body)) is None


# --- anything -----------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["<div>", "</div>", "<p>", "<b>", "</b>", "<table>", "<td>", "<!--", "-->", "<script>", "</script>", "x", "<", "</", "\ud800", "é"]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_short_pages_pass(html: str) -> None:
    assert refusal(html) is None


@given(st.lists(PIECES, max_size=300).map("".join))
def test_what_is_refused_is_deep_in_the_tree_of_the_parser(html: str) -> None:
    if refusal(html, depth=32) is not None:
        tree = fromstring(html.encode("utf-8", "surrogatepass"))
        assert max(len(list(node.iterancestors())) for node in tree.iter()) >= 32


def test_bombs_take_linear_time() -> None:
    """Two megabytes of what makes scans quadratic, which would take minutes."""
    for piece in ("<", "<a", "<!--", "<script", "</", "<a '", '<a "', "<a =", "<script>", "a=", "<p a=' ", f"<a {'b ' * 900}= "):
        refusal(page(piece * (2_000_000 // len(piece))))
