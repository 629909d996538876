"""robots.txt over the wire: what each kind of answer means (RFC 9309, section 2.3), and that it is asked for once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.curation.fetching.crawls import crawl
from tests.curation.fetching.sites import NOT_FOUND, Page, Sites, answer, redirect

BAN = answer(b"user-agent: *\ndisallow: /\n", media_type="text/plain")


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        (NOT_FOUND, "whole"),
        (answer(b"", "401 Unauthorized"), "whole"),
        (answer(b"", "403 Forbidden"), "whole"),
        (answer(b"", "410 Gone"), "whole"),
        (answer(b"", "429 Too Many Requests"), "robots_unreachable"),
        (answer(b"", "500 Broken"), "robots_unreachable"),
        (answer(b"", "503 Busy"), "robots_unreachable"),
        (answer(b"", "304 Not Modified"), "robots_unreachable"),
        (BAN, "robots_disallowed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nuser-agent: *\nallow: /\n", "robots_unreachable"),  # cut short
        (b"nonsense\r\n\r\n", "bad_answer"),
        (b"", "disconnected"),
    ],
)
def test_answers_for_robots_txt(tmp_path: Path, robots: Page, reason: str) -> None:
    with Sites({"a.example/robots.txt": robots, "a.example/": answer(b"page")}) as sites:
        assert crawl(tmp_path, [sites.url("a.example/")])[sites.url("a.example/")]["reason"] == reason
        assert sites.asked()["a.example/"] == (reason == "whole")


@pytest.mark.parametrize(("hops", "reason"), [(1, "robots_disallowed"), (5, "robots_disallowed"), (6, "whole")])
def test_five_redirects_are_followed_to_any_host(tmp_path: Path, hops: int, reason: str) -> None:
    with Sites({"h0.example/": answer(b"page")}) as sites:
        for hop in range(hops):
            sites.pages[f"h{hop}.example/robots.txt"] = redirect(sites.url(f"h{hop + 1}.example/robots.txt"))
        sites.pages[f"h{hops}.example/robots.txt"] = BAN
        assert crawl(tmp_path, [sites.url("h0.example/")])[sites.url("h0.example/")]["reason"] == reason


def test_a_redirect_to_a_private_address_bans(tmp_path: Path) -> None:
    with Sites({"a.example/robots.txt": redirect("http://169.254.169.254/robots.txt"), "a.example/": answer(b"page")}) as sites:
        assert crawl(tmp_path, [sites.url("a.example/")])[sites.url("a.example/")]["reason"] == "address_denied"


def test_the_file_is_asked_for_once_a_day_and_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [f"a.example/{number}" for number in range(30)]
    with Sites({place: answer(place.encode()) for place in places}) as sites:
        crawl(tmp_path, [sites.url(place) for place in places])
        assert sum(request.path == "/robots.txt" for request in sites.requests) == 1
        assert sum(request.path == "/.well-known/tdmrep.json" for request in sites.requests) == 1
        monkeypatch.setattr("curation.fetching.site_files.KEEP_SECONDS", 0.0)
        (tmp_path / "later").mkdir()
        crawl(tmp_path / "later", [sites.url(place) for place in places])
        assert sum(request.path == "/robots.txt" for request in sites.requests) == 31


def test_long_crawl_delays_keep_the_crawler_away(tmp_path: Path) -> None:
    with Sites({"a.example/robots.txt": answer(b"user-agent: *\ncrawl-delay: 61\n"), "a.example/": answer(b"page")}) as sites:
        assert crawl(tmp_path, [sites.url("a.example/")])[sites.url("a.example/")]["reason"] == "crawl_delay_too_long"
