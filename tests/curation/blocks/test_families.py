"""Kinds of pages that training data has few of, made by hand: what must be kept of each, and what must not."""

from __future__ import annotations

import pytest

from curation.extraction.extractor import HtmlPage, load_extractor

CROSSING = "The ferry crosses the river twice a day, and the captain knows every passenger by name. It leaves at nine, and again at four."
BOATS = "Most of the boats were built in the village, where the last yard closed in 1978. Since then repairs have been done in the town."
WINTER = "In winter the crossing takes longer, because the ice has to be broken first. Nobody minds, since there is tea on board."
TEXTS = (CROSSING, BOATS, WINTER)
MENU = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in ("Home", "About", "Shop", "Contact", "Imprint", "Login"))
PARAGRAPHS = "".join(f"<p>{text}</p>" for text in TEXTS)
XHTML = f"""<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title>
<script type="text/javascript"><![CDATA[ var a = "<p>Imprint</p>"; ]]></script></head>
<body><div id="n"><ul>{MENU}</ul></div><div id="c"><h1>Ferry</h1>{PARAGRAPHS}<hr /></div></body></html>"""
POSTS = "".join(
    f"<article><header><a href=/u/{n}>user{n}</a> {n} May 2020</header><p>{text}</p><footer><a href=#>Reply</a></footer></article>"
    for n, text in enumerate([*TEXTS, *TEXTS])
)
TABLE_POSTS = "".join(
    f"<table><tr><td><b>user{n}</b><br>Joined: 2009<br>Posts: {n * 7}</td><td><div>{text}</div></td></tr></table>"
    for n, text in enumerate([*TEXTS, CROSSING + WINTER])
)
CARDS = "".join(f"<div><h2><a href=/{n}>Story {n}</a></h2><p>{text}</p><a href=/{n}>More</a></div>" for n, text in enumerate(TEXTS * 4))
FAMILIES = {
    "amp": f"""<html ⚡><body><amp-sidebar><ul>{MENU}</ul></amp-sidebar><main><article><h1>Ferry</h1><amp-img src=a></amp-img>{PARAGRAPHS}
        <amp-ad width=1></amp-ad></article></main></body></html>""",
    "line breaks for paragraphs": f"""<div><a href=/>Home</a> | <a href=/a>About</a> | <a href=/i>Imprint</a></div>
        <div>{"<br><br>".join(text * 2 for text in TEXTS)}</div><div>© 2009 Ferry</div>""",
    "layout by tables, upper case, no end tags": f"""<TABLE WIDTH=600><TR><TD><A HREF=a.html>Home</A><BR><A HREF=i.html>Imprint</A>
        <TD VALIGN=TOP><CENTER><FONT SIZE=5>The ferry</FONT></CENTER>{"".join(f"<P><FONT FACE=Arial>{text * 2}</FONT>" for text in TEXTS)}
        </TABLE><HR><FONT SIZE=1>Last updated 3/4/98</FONT>""",
    "an article element a post": f"<nav><ul>{MENU}</ul></nav><main><h1>When does it leave?</h1>{POSTS}</main>",
    "a table a post": f"<ul>{MENU}</ul><h2><a href=t>Ferry times</a></h2>{TABLE_POSTS}<p>Powered by phpBB</p>",
    "a list of stories": f"<nav><ul>{MENU}</ul></nav><main>{CARDS}<div>Loading more</div></main>",
    "mail in an archive": f"""<H1>[ferry] times</H1><B>Ann</B><P><UL><LI>Previous message: <A HREF=1.html>[ferry] boats</A></LI></UL><HR>
        <PRE>Date: Mon, 3 May 1999\n\n{CROSSING}\n{BOATS}\n\n&gt; {WINTER}\n\nRegards,\nAnn</PRE><HR>""",
    "plain text": f"<html><head></head><body><pre>{chr(10).join(TEXTS)}</pre></body></html>",
    "a file list above a readme": f"""<ul>{MENU}</ul><main><table><tr><td><a href=1>src</a></td><td>Fix build</td></tr></table>
        <article><h1>ferry</h1><p>{CROSSING}</p><pre>pip install ferry</pre><p>{BOATS}</p><ul><li>{WINTER}</li></ul></article></main>""",
    "an encyclopedia": f"""<div><ul>{MENU}</ul></div><div><h1>Ferry</h1><table><tr><th>Type</th><td>Boat</td></tr></table><p>{CROSSING}</p>
        <div><ul><li><a href=#h>1 History</a></li></ul></div><h2>History<span>[<a href=e>edit</a>]</span></h2><p>{BOATS}</p><p>{WINTER}</p>
        <table><tr><td><a href=1>Barge</a> <a href=2>Canoe</a></td></tr></table></div>""",
    "a manual with a sidebar": f"""<ul><li><a href=1>Intro</a><ul>{MENU}</ul></li></ul><div><section><h1>Ferry</h1><p>{CROSSING}</p>
        <dl><dt>cross(river)</dt><dd><p>{BOATS}</p></dd></dl><pre>&gt;&gt;&gt; cross(1)</pre><p>{WINTER}</p></section></div>""",
    "xhtml": XHTML,
    "xhtml in upper case": XHTML.upper().replace("&GT;", "&gt;"),
    "tags that nobody closed": f"<ul>{MENU}</ul><div><h1>Ferry{''.join(f'<p>{text}<b>' for text in TEXTS)}<table><tr><td>x",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_main_text_of_a_family_is_kept_and_its_menu_is_not(family: str) -> None:
    text = " ".join(load_extractor("blocks").extract(HtmlPage(FAMILIES[family])).text.split()).lower()
    assert [wanted for wanted in TEXTS if wanted.lower() not in text] == []
    assert "imprint" not in text and "powered by" not in text


@pytest.mark.parametrize(
    ("wanted", "html"),
    [
        ("船長は乗客の名前", "この渡し船は一日に二回、川を渡ります。船長は乗客の名前を全員覚えています。朝九時に出発します。"),
        ("القبطان يعرف", "تعبر العبّارة النهر مرتين في اليوم، والقبطان يعرف كل راكب باسمه. تغادر في التاسعة صباحا."),
        ("กัปตันรู้จัก", "เรือข้ามฟากข้ามแม่น้ำวันละสองครั้ง และกัปตันรู้จักผู้โดยสารทุกคนตามชื่อ เรือออกเวลาเก้าโมงเช้าและสี่โมงเย็น"),
    ],
)
def test_a_single_paragraph_in_another_script_is_kept(wanted: str, html: str) -> None:
    text = load_extractor("blocks").extract(HtmlPage(f"<ul>{MENU}</ul><div><h1>1</h1><p>{html}</p></div>")).text
    assert wanted in text and "Imprint" not in text


def test_text_in_scripts_is_no_text() -> None:
    html = f'<div id=root></div><script type="application/json">{{"text": "{CROSSING}"}}</script>'
    assert load_extractor("blocks").extract(HtmlPage(html)).text == ""
