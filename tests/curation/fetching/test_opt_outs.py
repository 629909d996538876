"""Wishes of sites in headers, meta tags and tdmrep.json: what counts, for whom, and that each can be switched off."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.fetching.opt_outs import TdmRules, header_wish, meta_wish
from curation.fetching.outcomes import FetchReason
from curation.recipe_fetch import RespectSettings
from tests.curation.fetching.crawls import crawl, records
from tests.curation.fetching.sites import Sites, answer

ALL = RespectSettings()


@pytest.mark.parametrize(
    ("values", "banned"),
    [
        (["noindex"], True),
        (["NoIndex, nofollow"], True),
        (["nofollow", "none"], True),
        (["noai"], True),
        (["noimageai"], True),
        (["nofollow"], False),
        (["noindexing"], False),
        (["otherbot: noindex"], False),
        (["otherbot: nofollow, noindex"], False),
        (["CrawlToGPT: noindex"], True),
        (["otherbot: noindex, crawltogpt: none"], True),
        (["max-snippet: 20, noindex"], True),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST"], False),
        ([""], False),
        ([], False),
    ],
)
def test_robots_tags(values: list[str], banned: bool) -> None:
    assert (header_wish(values, [], "CrawlToGPT", ALL) is FetchReason.ROBOTS_HEADER) is banned
    assert header_wish(values, [], "CrawlToGPT", RespectSettings(robots_tags=False)) is None


@pytest.mark.parametrize(("value", "reserved"), [("1", True), (" 1 ", True), ("true", True), ("0", False), ("10", False), ("", False)])
def test_reservation_headers(value: str, reserved: bool) -> None:
    assert (header_wish([], [value], "CrawlToGPT", ALL) is FetchReason.TDM_HEADER) is reserved
    assert header_wish([], [value], "CrawlToGPT", RespectSettings(tdm_reservation=False)) is None


@pytest.mark.parametrize(
    ("html", "wish"),
    [
        ('<meta name="robots" content="noindex">', FetchReason.ROBOTS_META),
        ("<META NAME=ROBOTS CONTENT=NOAI>", FetchReason.ROBOTS_META),
        ("<meta content='follow, noimageai' name='robots' />", FetchReason.ROBOTS_META),
        ('<meta\nname="crawltogpt"\ncontent="none">', FetchReason.ROBOTS_META),
        ('<body><p>x</p><meta name="robots" content="noindex">', FetchReason.ROBOTS_META),
        ('<meta name="tdm-reservation" content="1">', FetchReason.TDM_META),
        ('<meta name="tdm-reservation" content="0">', None),
        ('<meta name="googlebot" content="noindex">', None),
        ('<meta name="description" content="noindex">', None),
        ('<meta name="robots" content="index, follow, max-image-preview:large">', None),
        ('<!-- <meta name="robots" content="noindex"> -->', None),
        ('<script>\'<meta name="robots" content="noindex">\'</script>', None),
        ('<meta name="robots" content="index" content="noindex">', None),  # the first attribute counts (HTML, 13.2.5.33)
        ("<p>robots noindex</p>", None),
        ("", None),
    ],
)
def test_meta_tags(html: str, wish: FetchReason | None) -> None:
    for content in (html.encode(), b"\xff\xfe" + html.encode("utf-16-le")):
        assert meta_wish(content, "CrawlToGPT", ALL) is wish
        assert meta_wish(content, "CrawlToGPT", RespectSettings(robots_tags=False, tdm_reservation=False)) is None


@pytest.mark.parametrize(
    "html", [b"<meta " + b"<" * 1000, b"<meta name=robots " * 5000, b"<meta name='robots' content='" + b"x" * 100_000, b"<meta \x00\xff>"]
)
def test_broken_markup_is_read_in_time(html: bytes) -> None:
    assert meta_wish(html, "CrawlToGPT", ALL) is None


def rules(*pairs: tuple[str, Any]) -> TdmRules:
    return TdmRules(json.dumps([{"location": location, "tdm-reservation": value} for location, value in pairs]).encode())


@pytest.mark.parametrize(
    ("listed", "path", "reserved"),
    [
        (rules(("/", 1)), "/x", True),
        (rules(("/a", 1)), "/b", False),
        (rules(("/a", 1)), "/ab?c", True),
        (rules(("/*.html$", 1)), "/x/y.html", True),
        (rules(("/*.html$", 1)), "/x/y.html?z", False),
        (rules(("/a*b*c", 1)), "/a1b2cd", True),
        (rules(("/a*b*c", 1)), "/a1c2b", False),
        (rules(("/", 1), ("/free", 0)), "/free", True),  # by the first match
        (rules(("/free", 0), ("/", 1)), "/free", False),
        (rules(("/free", 0), ("/", 1)), "/x", True),
        (rules(("/", 0), ("/mine", 1)), "/mine/x", True),  # by the longest match
        (rules(("/ü", 1)), "/%C3%BC", True),
        (rules(("/", True)), "/x", True),
        (rules(("/", "1")), "/x", True),
        (rules(("/", None), (7, 1)), "/x", False),
        (TdmRules(b'{"location": "/", "tdm-reservation": 1}'), "/x", True),
        (TdmRules(b"<html>"), "/x", False),
        (TdmRules(b"[" * 100_000), "/x", False),
        (TdmRules(b""), "/x", False),
    ],
)
def test_tdm_files(listed: TdmRules, path: str, reserved: bool) -> None:
    assert listed.reserves(path) is reserved


@given(st.text("ab*", max_size=6), st.booleans(), st.text("ab", max_size=8))
def test_patterns_match_as_regular_expressions_do(pattern: str, to_end: bool, path: str) -> None:
    expected = re.match("/" + pattern.replace("*", ".*") + (r"\Z" if to_end else ""), f"/{path}")
    assert rules((f"/{pattern}{'$' * to_end}", 1)).reserves(f"/{path}") is (expected is not None)


def test_many_stars_and_rules_are_harmless() -> None:
    assert not rules(("/" + "*a" * 2000 + "b$", 1)).reserves("/" + "a" * 8000)
    began = time.process_time()
    listed = rules(*((f"/*{'a*' * 8}{number}*z", 1) for number in range(10_000)))
    assert not any(listed.reserves("/" + "a" * 7000) for _ in range(10))
    assert time.process_time() - began < 5  # with regular expressions 9 seconds


PAGES = {
    "robots.example/robots.txt": answer(b"user-agent: *\ndisallow: /no\n"),
    "robots.example/no": answer(b"no"),
    "robots.example/yes": answer(b"yes, with robots.txt"),
    "header.example/": answer(b"no", "200 OK", "X-Robots-Tag: all", "X-Robots-Tag: noai"),
    "meta.example/": answer(b'<meta name="robots" content="noindex">'),
    "tdm.example/.well-known/tdmrep.json": answer(b'[{"location": "/no", "tdm-reservation": 1}]'),
    "tdm.example/no": answer(b"no"),
    "tdm.example/yes": answer(b"yes, with tdmrep.json"),
    "tdm.example/header": answer(b"no", "200 OK", "TDM-Reservation: 1"),
    "tdm.example/meta": answer(b'<meta name="tdm-reservation" content="1">'),
}
REASONS = {
    "robots.example/no": "robots_disallowed",
    "robots.example/yes": "whole",
    "header.example/": "robots_header",
    "meta.example/": "robots_meta",
    "tdm.example/no": "tdm_file",
    "tdm.example/yes": "whole",
    "tdm.example/header": "tdm_header",
    "tdm.example/meta": "tdm_meta",
}


def test_each_wish_is_respected_and_counted(tmp_path: Path) -> None:
    with Sites(dict(PAGES)) as sites:
        found = crawl(tmp_path, [sites.url(place) for place in REASONS])
        assert {place: found[sites.url(place)]["reason"] for place in REASONS} == REASONS
        kept = {uri for kind, uri, *_ in records(tmp_path / "warc") if kind == "response"}
        assert kept == {sites.url(place) for place, reason in REASONS.items() if reason == "whole"}
        assert sites.asked()["robots.example/no"] == 0 and sites.asked()["tdm.example/no"] == 0


def test_each_wish_can_be_switched_off(tmp_path: Path) -> None:
    nothing = {"robots": False, "robots_tags": False, "tdm_reservation": False}
    with Sites(dict(PAGES)) as sites:
        found = crawl(tmp_path, [sites.url(place) for place in REASONS], respect=nothing)
        assert {row["reason"] for row in found.values()} <= {"whole", "same_payload"}
        assert not [request for request in sites.requests if request.path.endswith(("robots.txt", "tdmrep.json"))]
