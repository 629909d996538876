"""The scan: blocks and containers of pages, against trees whose text is known, hand-made soup, and another parser."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from curation.extraction.blocks.inside import BIT
from curation.extraction.blocks.render import block_texts
from curation.extraction.blocks.scan import MAX_BLOCKS, Scan, scan
from tests.shared_data import shared

BLOCK_ELEMENTS = ["div", "section", "article", "blockquote", "ul", "footer", "h2", "figure"]
INLINE_ELEMENTS = ["b", "span", "em", "custom-tag", "code"]


def blocks_of(html: str) -> list[str]:
    return block_texts(scan(html))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", []),
        ("text", ["text"]),
        ("a < b and 1<2 <", ["a < b and 1<2 <"]),
        ("<p>one<p>two", ["one", "two"]),
        ("<ul><li>a<li>b <a href=x>c</a></ul>d", ["a", "b c", "d"]),
        ("<dl><dt>a<dd>b<dt>c</dl>", ["a", "b", "c"]),
        ("<table><tr><td>1<td>2<tr><th>3</table>t", ["1", "2", "3", "t"]),
        ("a<b>b</b>c <i> d</i>", ["abc d"]),
        ("a<br>b<br/><br>c", ["a\nb", "c"]),
        ("<title>t</title><script>if (a<b) '<p>x</p>'</script><style>p{}</style>a", ["a"]),
        ("<textarea><p>draft</textarea>a<select><option>o<option>p</select>b", ["a", "b"]),
        ("<noscript><p>post</p></noscript>", ["post"]),
        ("<!-- <p>no --><p>yes<!DOCTYPE x><?php no ?>", ["yes"]),
        ("<!-- never closed <p>a", ["a"]),
        ("<script>never closed <p>a</p>", ["a"]),
        ("<template><p>no</p></template><svg><text>no</text></svg>a", ["a"]),
        ("<p title='a > b' class=\"x'>\">a", ["a"]),
        ("<p>a</div>b</p>c", ["a", "b", "c"]),
        ("<div><b><p>a</b>b</p>c</div>", ["ab", "c"]),
        ("<td>a</table>b", ["a", "b"]),
        ("<pre>  x\n\n    y\n</pre>", ["  x\n\n    y"]),
        ("a&nbsp;b &lt;p&gt; &eacute;&#233;&#xe9;", ["a\xa0b <p> ééé"]),
        ("<div><custom-tag/>a</div>", ["a"]),
        ("<P>Upper<DIV>case</DIV>", ["Upper", "case"]),
        ("<p>a<p", ["a"]),
        ("<p>漢字<p>кириллица", ["漢字", "кириллица"]),
        # Names that begin like those of known elements are others', inline and seen.
        ("a<template-card>b</template-card><textarea-x>c</textarea-x><noscript-foo>d</noscript-foo>e", ["abcde"]),
        ("a<optgroup-x>b</optgroup-x><blockquoteish>c</blockquoteish><blockquote-x>d</blockquote-x><figcaptio>e</figcaptio>f", ["abcdef"]),
        ("a<BlockQuote>b</BLOCKQUOTE>c<figcaption>d</figcaption>e", ["a", "b", "c", "d", "e"]),
        ("<script>'</scripts>'; a<b</script >c", ["c"]),
        ("<textarea>a</textarea-x><p>b</textarea/>c", ["c"]),
        ("<p>a<script>b</script", ["a"]),
        ("<frameset><frame src=x><noframes><body><p>one<p>two</body></noframes></frameset>", ["one", "two"]),
        ("<p>a<noframes>b</noframes>c", ["a", "b", "c"]),
    ],
)
def test_blocks(html: str, expected: list[str]) -> None:
    assert blocks_of(html) == expected


def inside_of(page: Scan, block: int) -> set[str]:
    bits = int(page.runs[page.blocks[block, 0], 2])
    return {name for name, bit in BIT.items() if bits & bit}


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<nav><ul><li><a href=/>x", {"nav", "list", "item", "link"}),
        ("<div role=navigation>x", {"nav"}),
        ("<a name=x>x", set()),
        ("<div hidden>x", {"hidden"}),
        ("<div aria-hidden='true'>x", {"hidden"}),
        ("<div aria-hidden=false>x", set()),
        ("<div style='color: red; display: none'>x", {"hidden"}),
        ("<div style=display:inline>x", set()),
        ("<div itemprop=articleBody>x", {"body_text"}),
        ("<div class=nav id=footer>x", set()),
        ("<main></main>x", set()),
    ],
)
def test_what_text_lies_in(html: str, expected: set[str]) -> None:
    assert inside_of(scan(html), 0) == expected


Tree = tuple[str, list["Tree | str"]]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.tuples(st.sampled_from(BLOCK_ELEMENTS), st.lists(st.just("w"), max_size=2)),
    lambda inner: st.tuples(st.sampled_from(BLOCK_ELEMENTS + INLINE_ELEMENTS), st.lists(st.one_of(st.just("w"), inner), max_size=4)),
    max_leaves=12,
)


@given(trees)
def test_blocks_of_well_formed_trees(tree: Tree) -> None:
    """What a walk over the tree finds: a new block at every edge of a block element."""
    expected: list[list[str]] = [[]]
    html: list[str] = []

    def walk(node: Tree | str) -> None:
        if isinstance(node, str):
            word = f"w{len(html)}"
            html.append(word + " ")
            expected[-1].append(word)
            return
        name, children = node
        html.append(f"<{name} class=c>")
        if name in BLOCK_ELEMENTS:
            expected.append([])
        for child in children:
            walk(child)
        html.append(f"</{name}>")
        if name in BLOCK_ELEMENTS:
            expected.append([])

    walk(tree)
    assert blocks_of("".join(html)) == [" ".join(words) for words in expected if words]


SOUP = st.lists(
    st.sampled_from(["<", ">", "</", "/", "=", '"', "'", "!", "--", "&", ";", " ", "p", "table", "td", "a", "li", "x", "é", "<p>", "</p>"]),
    max_size=60,
)


@given(SOUP)
def test_soup_gives_a_well_formed_scan(parts: list[str]) -> None:
    html = "".join(parts)
    page = scan(html)
    size = len(html.encode())
    starts, ends = page.runs[:, 0], page.runs[:, 1]
    assert (starts < ends).all() and (ends <= size).all() and (ends[:-1] <= starts[1:]).all()
    assert (np.diff(page.blocks[:, 0]) > 0).all()
    around = page.containers[1:, 1]
    assert (around < np.arange(1, len(page.containers))).all() and (around >= 0).all()
    assert (page.containers[1:, 4] >= page.containers[around, 4]).all() and (page.containers[1:, 5] <= page.containers[around, 5]).all()
    assert all(text for text in block_texts(page) if text)


def test_text_beyond_the_most_blocks_joins_the_last() -> None:
    page = scan("<p>x" * (MAX_BLOCKS + 10))
    assert len(page.blocks) == MAX_BLOCKS
    texts = block_texts(page)
    assert texts[-1].split() == ["x"] * 11 and texts[0] == "x"


@pytest.mark.parametrize("unit", ["<b>", "<div>", "<a href=", "<script>", "<!--", "</p>", "<p", "&", "<table><tr><td>"])
def test_time_is_linear(unit: str) -> None:
    """A quadratic scan would take minutes; the test's time limit would end it."""
    assert len(scan(unit * (500_000 // len(unit)) + " end").runs) >= 0


@pytest.mark.slow
def test_real_pages_have_the_text_that_another_parser_finds() -> None:
    """All letters and digits in their order, beside lexbor's tree: pages where they differ at all are few, and differ little."""
    shares = []
    for html in real_pages():
        ours, theirs = ("".join(re.findall(r"\w", text)) for text in ("".join(blocks_of(html)), lexbor_text(html)))
        common = sum((Counter(ours) & Counter(theirs)).values())
        shares.append(1.0 if ours == theirs else common / max(len(ours), len(theirs)))
    assert min(shares) > 0.97 and shares.count(1.0) >= 15


def real_pages() -> Iterator[str]:
    """The first pages of the Web Content Extraction Benchmark."""
    with tarfile.open(shared("data", "extraction", "wcxb-dev.tar.xz")) as archive:
        pages = (member for member in archive if "/html/" in member.name and member.isfile())
        for _, member in zip(range(25), pages, strict=False):
            stream = archive.extractfile(member)
            assert stream
            yield stream.read().decode("utf-8", "replace").replace("\0", "")


def lexbor_text(html: str) -> str:
    tree = HTMLTree.parse(html)
    assert tree.body
    for node in tree.body.query_selector_all("script, style, textarea, template, svg, option, iframe, title, noembed, noframes, xmp"):
        node.decompose()
    return str(tree.body.text)
