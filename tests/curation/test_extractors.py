"""The extractors and what surrounds them: the libraries' own results, metadata, refusals, and poison pages in the guarded child."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trafilatura
from resiliparse.extract.html2text import extract_plain_text

from curation.extraction.extractor import EXTRACTORS, HtmlPage, PageRefusal, load_extractor
from curation.extraction.guard import Guard, GuardFailure
from curation.extraction.page import PageOptions, PageRequest, PageText, extract_page, warm_up
from curation.ledger import Action, Reason
from curation.recipe import MIB, CrawlLimits, CrawlSettings
from curation.sources.http import declared_charset
from tests.shared_data import shared

ALL = sorted(EXTRACTORS)
DAY = date(2024, 5, 18)
SENTENCES = "The old ferry crosses the river twice a day, and the captain knows every passenger by name. " * 4
HEAD = """<title>Ferry &amp; river</title><meta property="article:published_time" content="2023-11-05T08:00:00Z">"""


def article(middle: str = "", head: str = HEAD) -> str:
    body = f"<article><h1>The ferry</h1><p>{SENTENCES}</p>{middle}<p>{SENTENCES}</p></article>"
    return f"<!DOCTYPE html><html><head>{head}</head><body><nav><a href=/>Home</a></nav>{body}</body></html>"


def extract(html: str | bytes, extractor: str = "trafilatura", **request: Any) -> PageText | PageRefusal:
    body = html.encode("utf-8", "surrogatepass") if isinstance(html, str) else html
    return extract_page(PageOptions(extractor, metadata=True), PageRequest(body, "utf-8", **{"is_html": True, "crawled": DAY, **request}))


def text_of(html: str | bytes, extractor: str = "trafilatura", **request: Any) -> str:
    result = extract(html, extractor, **request)
    assert isinstance(result, PageText)
    return result.text


# --- what the libraries find --------------------------------------------------------------------------


def real_pages(count: int) -> Iterator[str]:
    with tarfile.open(shared("extraction", "wcxb-dev.tar.xz")) as archive:
        pages = (member for member in archive if "/html/" in member.name and member.isfile())
        for _, member in zip(range(count), pages, strict=False):
            stream = archive.extractfile(member)
            assert stream
            yield stream.read().decode("utf-8", "replace").replace("\0", "")


def test_the_text_is_what_the_library_returns() -> None:
    options: dict[str, dict[str, Any]] = {
        "trafilatura": {},
        "trafilatura-fast": {"fast": True},
        "trafilatura-precision": {"favor_precision": True},
    }
    for html in real_pages(25):
        for name, settings in options.items():
            expected = trafilatura.extract(html, include_comments=False, deduplicate=False, **settings) or ""
            assert load_extractor(name).extract(HtmlPage(html)).text == expected
        assert load_extractor("resiliparse").extract(HtmlPage(html)).text == extract_plain_text(html, main_content=True)


@pytest.mark.parametrize("extractor", ALL)
def test_pages_do_not_change_each_others_text(extractor: str) -> None:
    pages = [article(f"<p>{SENTENCES}</p>" * number) for number in range(4)]
    alone = [text_of(page, extractor) for page in pages]
    assert [text_of(page, extractor) for page in reversed(pages)] == alone[::-1]
    assert all("captain knows" in text for text in alone)


@pytest.mark.parametrize("extractor", ALL)
@pytest.mark.parametrize("tag", ["div", "section", "blockquote", "span", "table><tr><td", "ul><li"])
@pytest.mark.parametrize("depth", [250, 300, 480])
def test_text_is_whole_up_to_the_limit_of_depth(extractor: str, tag: str, depth: int) -> None:
    """By itself, lxml drops what is deeper than 256 and everything behind it."""
    levels = depth // len(tag.split("><"))
    closing = "".join(f"</{name}>" for name in reversed(tag.split("><")))
    mark = "A marked sentence deep inside says that the lantern is lit every evening."
    text = text_of(article(f"<{tag}>" * levels + f"<p>{mark}</p>" + closing * levels), extractor)
    assert text.count("captain knows") == 8
    # What a quote, a table cell, or to a setting for precision a lone sentence is worth, is the extractor's choice.
    assert mark in " ".join(text.split()) or tag not in ("div", "section") or extractor == "blocks-precision"


@pytest.mark.parametrize("html", ["", " ", "<!-- -->", "<html>", "<", "text", "<p>", "\0\0", "<html></html>", "<!DOCTYPE html>"])
@pytest.mark.parametrize("extractor", ALL)
def test_nearly_empty_pages(extractor: str, html: str) -> None:
    result = extract(html, extractor)
    if isinstance(result, PageRefusal):
        assert result.reason == Reason.NO_MAIN_CONTENT and html in ("text", "<")
    else:
        assert result.text in ("", "text", "<")


# --- metadata -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("extractor", ALL)
def test_title_and_day_of_publication(extractor: str) -> None:
    result = extract(article(), extractor)
    assert isinstance(result, PageText) and result.is_main_content
    assert result.title in ("Ferry & river", "The ferry")
    assert result.published == date(2023, 11, 5)


@pytest.mark.parametrize("extractor", ALL)
@pytest.mark.parametrize("stated", ["2024-05-19", "2024-05-20", "2031-01-01", "9999-99-99", "soon", ""])
def test_a_page_is_not_published_after_it_was_crawled(extractor: str, stated: str) -> None:
    """The next day may have begun where the page was written; htmldate makes the first of the month of a day that cannot be."""
    head = f'<title>t</title><meta property="article:published_time" content="{stated}">'
    result = extract(article(head=head), extractor)
    assert isinstance(result, PageText)
    assert result.published in ([date(2024, 5, 19)] if stated == "2024-05-19" else [None, date(2024, 5, 1)])


@pytest.mark.parametrize("extractor", ALL)
def test_titles_are_one_clean_line(extractor: str) -> None:
    result = extract(
        article(head="<title> A\n\t<b>bold\x1b[31m </b>\u2028title &#xD800;\x01 " + "x" * 5000 + "</title>").replace(
            "<h1>The ferry</h1>", ""
        ),
        extractor,
    )
    assert isinstance(result, PageText) and result.title
    result.title.encode()
    assert len(result.title) <= 1000 and not {"\n", "\x1b", "\x01", "\u2028"}.intersection(result.title)


@pytest.mark.parametrize("extractor", ALL)
def test_metadata_is_extra_and_changes_no_text(extractor: str) -> None:
    without = extract_page(PageOptions(extractor), PageRequest(article().encode(), "utf-8", True, "http://a.example", DAY))
    assert isinstance(without, PageText)
    assert (without.title, without.published, without.text) == (None, None, text_of(article(), extractor))


def test_plain_text_is_taken_whole() -> None:
    result = extract("Just <text>.\r\nTwo lines.", is_html=False)
    assert isinstance(result, PageText)
    assert (result.text, result.is_main_content, result.title) == ("Just <text>.\nTwo lines.", False, None)


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 20,
        b"\x89PNG\r\n\x1a\n" + SENTENCES.encode(),
        b"%PDF-1.7\n" + SENTENCES.encode(),
        b"GIF89a" + SENTENCES.encode(),
        b"PK\x03\x04" + bytes(range(256)) * 20,
        b"\x1f\x8b\x08" + bytes(range(256)) * 20,
        bytes(range(256)) * 20,
    ],
    ids=["jpeg", "png", "pdf", "gif", "zip", "gzip", "all bytes"],
)
@pytest.mark.parametrize("is_html", [True, False])
def test_binary_files_are_no_pages(body: bytes, is_html: bool) -> None:
    refusal = extract(body, is_html=is_html)
    assert isinstance(refusal, PageRefusal)
    assert (refusal.action, refusal.reason, refusal.detail) == (Action.REMOVED, Reason.NOT_TEXT, {"begins_with": body[:8].hex()})


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "iso2022_jp", "shift_jis"])
def test_wide_and_shifted_encodings_are_text(encoding: str) -> None:
    sentence = "この庭園は百年以上前に作られ、今も近くの住民によって大切に手入れされています。"
    body = f"<html><body><article><p>{sentence * 5}</p></article></body></html>".encode(encoding)
    result = extract_page(PageOptions("blocks"), PageRequest(body, None, True))
    assert isinstance(result, PageText) and sentence in result.text


@pytest.mark.parametrize("text", [" ", "\u200b\u3000\xa0 \n", "\ufeff\u2060", "\u00ad" * 50])
def test_text_that_nobody_can_see_is_none(text: str) -> None:
    assert text_of(text, is_html=False) == ""


@pytest.mark.parametrize("extractor", ALL)
def test_pages_over_a_budget_are_refused(extractor: str) -> None:
    for middle, reason in (
        ("<div>" * 3000, Reason.PAGE_TOO_DEEP),
        ("<p " + " ".join(f"a{i}" for i in range(2000)) + ">", Reason.TOO_MANY_ATTRIBUTES),
    ):
        refusal = extract(article(middle), extractor)
        assert isinstance(refusal, PageRefusal) and (refusal.action, refusal.reason) == (Action.QUARANTINED, reason)


# --- poison pages, in the guarded child ---------------------------------------------------------------

QUICK = [
    "control.html",
    "depth_200_is_fine.html",
    "deep_table_300.html",
    "deep_div_60000.html",
    "attributes_80k.html",
    "attribute_12_mb.html",
    "misnested_b_i_3000.html",
    "font_per_paragraph.html",
    "less_than_200k.html",
    "open_comments_50k.html",
    "entity_expansion.html",
    "nul_bytes.html",
    "surrogates.html",
    "control_characters.html",
    "sjis_header.html",
    "koi8r_unlabelled.html",
    "cp1251_says_latin1.html",
    "header_wrong_meta_right.html",
    "utf7_script.html",
    "jpeg_as_html.html",
    "pdf_as_html.html",
    "whitespace_only.html",
    "script_in_title.html",
    "script_in_url.html",
]


def test_poison_pages_cost_nobody_else_anything(tmp_path: Path) -> None:
    check_poison(tmp_path, ["blocks", "trafilatura", "resiliparse"], "--only", *QUICK)


@pytest.mark.slow
def test_all_poison_pages(tmp_path: Path) -> None:
    check_poison(tmp_path, ALL, "--seed", "7")


def check_poison(folder: Path, extractors: list[str], *arguments: str) -> None:
    """Each page is text that holds what it must, or there is a reason; the page after it is fine."""
    program = shared("tools", "poison_pages.py")
    subprocess.run([sys.executable, str(program), str(folder), *arguments], check=True, capture_output=True)
    control = PageRequest(article().encode(), "utf-8", True)
    for name in extractors:
        options = PageOptions(name, metadata=True)
        with Guard(partial(extract_page, options), partial(warm_up, options), CrawlLimits()) as guard:
            for line in (folder / "truth.jsonl").read_text("utf-8").splitlines():
                page = json.loads(line)
                body = (folder / page["file"]).read_bytes()
                charset = declared_charset(page["headers"].get("content-type"))
                result = guard.call(PageRequest(body[: 10 * MIB], charset, True, page["url"], DAY))
                problems = poison_problems(page, result, is_cut=len(body) > 10 * MIB)
                assert not problems, (name, page["file"], problems)
                assert "captain knows" in guard.call(control).text


def poison_problems(page: dict[str, Any], result: PageText | PageRefusal | GuardFailure, is_cut: bool) -> list[str]:
    if not isinstance(result, PageText) or not result.text:
        return ["no text"] if page["must"] == "text_contains" else []
    if page["must"] == "quarantine":
        return ["text"]
    fields = result.text, result.title or ""
    for field in fields:
        field.encode()
    found = _plain(result.text)
    missing = [part for part in page["contains"] if _plain(part) not in found and not is_cut]
    return missing + [part for part in page["must_not_contain"] if any(part in field for field in fields)]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def test_the_recipe_offers_what_there_is() -> None:
    field = CrawlSettings.model_fields["extractor"]
    assert sorted(getattr(field.annotation, "__args__", ())) == ALL
