"""The debug page: safe whatever the page holds, its text unchanged, every block painted; told by another parser's tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from curation.extraction.blocks.judge import Judgement, judge
from curation.extraction.blocks.model import ONE
from curation.extraction.blocks.render import block_texts
from curation.extraction.blocks.scan import scan
from curation.extraction.paint import painted_markup, painted_page
from tests.curation.blocks.test_scan import lexbor_text, real_pages

PROSE = "The ferry crosses the river twice a day, and the captain knows every passenger by name. "
ACTING = (
    "script, iframe, frame, frameset, object, embed, applet, base, link, meta[http-equiv=refresh i], svg, math, template, noscript, "
    "audio, video, source, track, portal, [src], [srcset], [action], [formaction], [background], [poster], [ping], [autofocus], [srcdoc]"
)

HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT/x>alert(1)</SCRIPT >",
    "<scr<script>ipt>alert(1)</script>",
    "<script><!--<script></script>alert(1)--></script>",
    "<img src=x onerror=alert(1)>",
    "<img/src='x'/onerror=alert(1)>",
    '<img alt="a>b" onerror="alert(1)">',
    "<img src=x onerror\n=\nalert(1)//",
    '<p title="x" "onclick=alert(1)">t</p>',
    '<p ="onclick=alert(1)" onclick=alert(1)>t',
    '<p title="\'><img src=x onerror=alert(1)>">t',
    '<p title=&quot;><img src=x onerror=alert(1)>">t',
    "<svg onload=alert(1)><style><img src=x onerror=alert(1)></style><a xlink:href=javascript:alert(1)><text>t",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea></textarea><img src=x onerror=alert(1)></textarea>",
    "<title></title><script>alert(1)</script></title>",
    "<style></style><img src=x onerror=alert(1)></style>",
    "<style>p{}</styleX><img src=x onerror=alert(1)>",
    "<xmp></xmp><script>alert(1)</script></xmp><plaintext><script>alert(1)</script>",
    "<template><script>alert(1)</script></template><select><script>alert(1)</script><option>t",
    "<noframes><p title='</noframes><img src=x onerror=alert(1)>'>t</noframes><p>t",
    "<style></style-x><img src=x onerror=alert(1)></style\t><iframe></iframes><script>alert(1)</script></iframe/>t",
    "<template-x><svg-x onload=alert(1)></svg-x></template-x><script-x src=//a>alert(1)</script-x>",
    "<iframe src=//a.example></iframe><iframe srcdoc='<script>alert(1)</script>'></iframe><frameset onload=alert(1)><frame src=//a>",
    "<meta http-equiv=refresh content='0;url=//a.example'><base href=//a.example/><link rel=stylesheet href=//a.example/a.css>",
    "<form action=//a.example><button formaction=javascript:alert(1) autofocus onfocus=alert(1)>t</button><input type=image src=//a>",
    "<a href=javascript:alert(1) ping=//a.example>t</a><area href=javascript:alert(1)><body background=//a.example onload=alert(1)>",
    "<style>@import '//a.example'; p { background: URL(//a.example) }</style><p style='background:url( //a.example)'>t",
    "<!--><script>alert(1)</script>--><!-- --!><script>alert(1)</script>-->",
    "<?x <script>alert(1)</script> ?><![CDATA[<script>alert(1)</script>]]><!x><script>alert(1)</script>",
    "<x-kept onclick=alert(1)>t</x-kept></x-left></html></body><x:script>t",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


def made(html: str) -> Judgement:
    """A judgement of which every second block is kept."""
    page = scan(html)
    places = np.arange(len(page.blocks))
    return Judgement(page, np.where(places % 2, ONE // 2, 0), places % 2 == 1, 0.5)


def check_painted(judgement: Judgement) -> None:
    """Nothing acts or loads; each text of a block is in one painted element, and no text is in none."""
    painted = painted_markup(judgement)
    tree = HTMLTree.parse(painted)
    assert tree.document and tree.body
    assert not tree.document.query_selector_all(ACTING)
    for node in tree.document.query_selector_all("*"):
        assert not any(name.startswith("on") for name in node.attrs), painted
        assert (node.getattr("href") or "#") == "#"
        styles = (node.getattr("style") or "") + (node.text if node.tag == "style" else "")
        assert not re.search(r"(?<!none-)(url|image-set)\s*\(|@import", styles, re.IGNORECASE)
    assert len(tree.document.query_selector_all("[http-equiv]")) == 1
    page = judgement.scan
    spans = pairwise([*page.blocks[:, 0].tolist(), len(page.runs)])
    runs = [(run, kept) for (first, end), kept in zip(spans, judgement.kept, strict=True) for run in page.runs[first:end]]
    for name, wanted in (("x-kept", True), ("x-left", False)):
        texts = [page.code[run[0] : run[1]].tobytes().strip(b" \t\n\r\f") for run, kept in runs if kept == wanted]
        found = tree.document.query_selector_all(name)
        assert len(found) == sum(map(bool, texts))
        assert characters(node.text for node in found) == characters(
            text for text, kept in zip(block_texts(page), judgement.kept, strict=True) if kept == wanted
        )
    outside = characters(node.text for node in tree.document.query_selector_all("html")) - characters(
        node.text for node in tree.document.query_selector_all("x-kept, x-left, style")
    )
    assert not outside


def characters(texts: Iterable[str]) -> Counter[str]:
    return Counter("".join("".join(texts).split()))


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "frame", ["{}", "<p>" + PROSE + "{}<p>" + PROSE, "<table><tr>{}<td>t</table>", "<ul><li><b>a{}</ul>c", "<pre>\n a{}"]
)
def test_hostile_markup(hostile: str, frame: str) -> None:
    check_painted(made(frame.format(hostile)))


NAMES = (
    "p b a div table tr td svg math style script textarea title template select option noscript plaintext pre frameset x-kept object xmp"
)
PIECES = [f"{opening}{name}{end}" for name in NAMES.split() for opening in ("<", "</") for end in (">", " ")]
SYNTAX = ["<", "</", "/", "=", '"', "'", "!", "<!--", "-->", "&", "&amp;", "&#60;", ";", " ", "\n", ">", "é", "漢"]
ATTRIBUTES = ["onclick=x", "href='javascript:x'", "src=//x", 'style="a:url(x)"', "hidden", 'title="<b>"', "class=a"]
SOUP = st.lists(st.one_of(st.sampled_from(PIECES + SYNTAX + ATTRIBUTES), st.text("abc<>\"'&;=/", max_size=5)), max_size=40).map("".join)


@given(SOUP)
def test_any_markup(html: str) -> None:
    check_painted(made(html))


@pytest.mark.parametrize(
    ("html", "painted"),
    [
        ("<p class=a onclick=b>x <b>y</b> z</p>", '<p class="a"><K>x</K> <b><K>y</K></b> <K>z</K></p>'),
        ("<pre>\n x\n</pre>", "<pre>\n <K>x</K>\n</pre>"),
        ("<p title='\"&lt;'>1 < 2 &amp; 3", '<p title="&quot;&lt;"><K>1 &lt; 2 &amp; 3</K>'),
        ("<table><tr><td>x<td>y</table>", "<table><tr><td><K>x</K><td><L>y</L></table>"),
        ("<details><summary>x</details>", "<details open><summary><K>x</K></details>"),
        ("<select><option>o</select><svg><text>t</text></svg><p>x", "<p><K>x</K>"),
        ("<option>o<p>x<template>t</template>", "<p><K>x</K>"),
        ("<p style='position:fixed'>x", '<p style="height:auto!important;min-height:0!important;none-position:fixed"><K>x</K>'),
        ("<style>p{color:red}</style><p>x", "<style>p{color:red}</style><p><K>x</K>"),
    ],
)
def test_the_markup_is_the_pages_own(html: str, painted: str) -> None:
    judgement = made(html)
    likely = np.where(np.arange(len(judgement.kept)) == 0, ONE, 0)
    found = painted_markup(Judgement(judgement.scan, likely, likely > 0, 1.0)).removeprefix(painted_markup(made("")))
    assert re.sub(r"<(/?)x-(k|l)[^>]*>", lambda match: f"<{match[1]}{match[2].upper()}>", found) == painted


def test_the_debug_page() -> None:
    judgement = judge(f'<body bgcolor=black><ul><li>Menu<li>More</ul><p>{PROSE * 3}<p>{PROSE}"&amp;lt;script&amp;gt;')
    painted = painted_page(judgement, '"><script>')
    tree = HTMLTree.parse(painted)
    assert tree.body
    frame = tree.body.query_selector("iframe")
    assert frame and frame.getattr("sandbox") == "" and frame.getattr("srcdoc") == painted_markup(judgement)
    assert ":not(#a#b#c)::before, :not(#a#b#c)::after { position: static !important; }" in painted_markup(judgement)  # cover nothing
    assert "<script" not in painted and painted.index("default-src 'none'") < painted.index("<title>")
    items = tree.body.query_selector_all("li")
    assert [item.getattr("class") == "kept" for item in items] == judgement.kept.tolist()
    assert judgement.kept.tolist() == [False, False, True, True]
    assert f'title="{judgement.probabilities[2] / ONE:.3f} p" p="{judgement.probabilities[2] / ONE:.2f}"' in painted_markup(judgement)


@pytest.mark.parametrize("unit", ["<!-- >", "<script>", "<style >", '<a b="', "<svg>", "</p ", "<a b c=", "<x-y/>", "<p>x", "&lt;<"])
def test_time_is_linear(unit: str) -> None:
    """What is quadratic would take minutes; the test's time limit would end it."""
    assert painted_markup(made(unit * (200_000 // len(unit)) + " end"))


@pytest.mark.slow
def test_the_text_of_real_pages_is_as_it_was() -> None:
    """All letters and digits in their order, as another parser finds them in the page and in the painted one."""
    equal = []
    for html in real_pages():
        before, after = ("".join(re.findall(r"\w", lexbor_text(page))) for page in (html, painted_markup(made(html))))
        equal.append(before == after)
    assert equal.count(True) >= 23
