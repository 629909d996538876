"""Notices that there is no page, in wordings of real servers, sites and tools; and short texts that speak of the same things."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from curation.extraction.blocks.notices import MAX_NOTICE_CHARACTERS, is_notice
from curation.extraction.extractor import HtmlPage, PageRefused, load_extractor
from curation.ledger import Action, Reason

FRAME = "<header><nav><a href=/>Home</a> <a href=/b>Blog</a></nav></header>{}<footer>© 2024 Example <a href=/p>Privacy</a></footer>"
NOTICES = [
    "<noscript><strong>We're sorry but shop doesn't work properly without JavaScript enabled.</strong></noscript><div id=app></div>",
    "<noscript>Für diese Seite wird JavaScript benötigt. Bitte aktivieren Sie JavaScript in Ihrem Browser.</noscript>",
    "<h1>404</h1><h2>Page not found</h2><p>The page you are looking for does not exist or has been moved.</p>",
    "<h1>Internal Server Error</h1><p>The server encountered an internal error and was unable to complete your request.</p>",
    "<h1>Just a moment...</h1><h2>Checking your browser before accessing the site.</h2><p>DDoS protection</p>",
    "<h1>Before you continue</h1><p>We use cookies and data to deliver our services and protect against abuse.</p>",
    "<h1>Página no encontrada</h1><p>Lo sentimos, la página que busca no existe.</p>",
    "<h1>404</h1><p>抱歉，您访问的页面不存在或已被删除。</p>",
    "<h1>Sorry, you have been blocked</h1><p>You are unable to access this site.</p>",
]
SAMPLES = [line.split("\t") for line in Path(__file__).with_name("notice_samples.txt").read_text("utf-8").splitlines()]
NOTICE_TEXTS = [values[0].replace("|", "\n") for kind, *values in SAMPLES if kind == "notice"]
PAGES = [values for kind, *values in SAMPLES if kind == "page"]
POST = (
    "<div id=menu><a href=/>Home</a> | <a href=/x>Archive</a></div>"
    "<div class=post><h2>{}</h2>{}<div>Posted by admin on 3 May 2012</div></div>"
)
TEXTS = [
    "The old bridge over the Wye reopened on Monday after two years of repairs, the council said.",
    "JavaScript is a language.\nIt was made in ten days. Netscape shipped it in 1995, and browsers have had it since.",
    "How to bake cookies\nWe use butter and sugar, and bake them for ten minutes until the edges are brown.",
    "I moved to the coast in May, and the domain of my days became the sea.",
]


@pytest.mark.parametrize("html", NOTICES)
@pytest.mark.parametrize("frame", ["{}", FRAME])
def test_a_page_that_holds_a_notice_alone_has_no_main_content(html: str, frame: str) -> None:
    with pytest.raises(PageRefused) as refused:
        load_extractor("blocks").extract(HtmlPage(f"<html><body>{frame.format(html)}</body></html>"))
    assert (refused.value.refusal.action, refused.value.refusal.reason) == (Action.REMOVED, Reason.NO_MAIN_CONTENT)


@pytest.mark.parametrize(("title", "body"), PAGES, ids=[title for title, _ in PAGES])
@pytest.mark.parametrize("frame", ["<h1>{}</h1>{}", FRAME.format("<main><h1>{}</h1>{}</main>"), POST])
def test_a_short_page_that_speaks_of_such_things_is_kept(title: str, body: str, frame: str) -> None:
    words = re.findall(r"\w+", re.sub("<[^>]+>", " ", body))
    text = load_extractor("blocks").extract(HtmlPage(f"<html><body>{frame.format(title, body)}</body></html>")).text
    assert sum(word in text for word in words) > 0.5 * len(words)  # code below a lesson or a last line may be lost


@pytest.mark.parametrize("text", TEXTS)
def test_a_short_text_is_no_notice(text: str) -> None:
    assert not is_notice(text)


@pytest.mark.parametrize("text", NOTICE_TEXTS)
def test_notices_of_servers_and_sites(text: str) -> None:
    assert is_notice(text)


def test_most_of_the_characters_decide() -> None:
    """33 of 60 are .55 of them; sentences count alone, though they share a line."""
    notice, text = "Access denied, and we are sorry!!", "x" * 27
    assert is_notice(f"{notice} {text}") and not is_notice(f"{notice} {text}x")
    assert is_notice(f"{notice}\n{text}") and not is_notice(f"{notice}\n{text}x")


def test_a_long_text_is_none_whatever_it_says() -> None:
    line = "Please enable JavaScript. "
    assert is_notice(line * (MAX_NOTICE_CHARACTERS // len(line)))
    assert not is_notice(line * (MAX_NOTICE_CHARACTERS // len(line) + 1))


def test_no_text_is_no_notice_that_costs_time() -> None:
    started = time.process_time()
    assert not is_notice("")
    assert not is_notice("page " * (MAX_NOTICE_CHARACTERS // 5))
    assert time.process_time() - started < 1
