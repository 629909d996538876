"""The fetcher end to end, against servers on loopback: what is stored, what is not, and that every link is accounted for."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curation import storage
from curation.fetching.fetch import fetch_links
from curation.links.shared_pages import gather_shared_pages
from curation.progress import Progress
from tests.curation.fetching.crawls import crawl, loopback, records, settings
from tests.curation.fetching.sites import Sites, answer, redirect


def test_pages_are_stored_as_they_came(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Odd: caf\xe9\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    pages = {"a.example/": answer(b"<p>one</p>"), "a.example/chunked": chunked, "b.example/x": answer(b"<p>two</p>")}
    with Sites(pages) as sites:
        urls = [sites.url(place) for place in pages]
        found = crawl(tmp_path, urls)
        assert [(found[url]["outcome"], found[url]["reason"], found[url]["status"]) for url in urls] == [("fetched", "whole", 200)] * 3
        kinds = [kind for kind, *_ in records(tmp_path / "warc")]
        assert kinds[0] == "warcinfo" and sorted(kinds[1:]) == ["request"] * 3 + ["response"] * 3
        stored = {uri: content for kind, uri, _, content in records(tmp_path / "warc") if kind == "response"}
        assert stored == {sites.url(place): content for place, content in pages.items()}
        asked = {uri: content for kind, uri, _, content in records(tmp_path / "warc") if kind == "request"}
        assert asked == {
            sites.url(request.host + request.path): request.content
            for request in sites.requests
            if sites.url(request.host + request.path) in urls
        }
        assert b"User-Agent: CrawlToGPT/1.0 (crawl2gpt; +crawler@example.org)\r\n" in asked[urls[0]]


def test_karma_goes_with_a_link_to_the_page_that_it_leads_to(tmp_path: Path) -> None:
    with Sites({"a.example/": redirect("/page"), "a.example/page": answer(b"page"), "a.example/old": redirect("/page")}) as sites:
        urls = [sites.url(f"a.example/{path}") for path in ("", "old", "gone")]
        pl.DataFrame({"url": [*urls, "http://["], "karma": [3, 8, 5, 9]}).write_parquet(tmp_path / "links.parquet")
        fetch_links(settings(), str(tmp_path / "links.parquet"), str(tmp_path / "warc"), Progress(True), lookup=loopback)
        shared = gather_shared_pages(storage.expand_paths([f"{tmp_path}/warc/outcomes/*.parquet"], ()), "url")
        assert {place: shared.karma_of(sites.url(f"a.example/{place}")) for place in ("", "page", "gone")} == {
            "": None,
            "page": 8,
            "gone": 5,
        }


def test_redirects_lead_to_other_hosts(tmp_path: Path) -> None:
    with Sites() as sites:
        sites.pages = {"a.example/": redirect(sites.url("b.example/x")), "b.example/x": redirect("y"), "b.example/y": answer(b"there")}
        found = crawl(tmp_path, [sites.url("a.example/")])
        row = found[sites.url("a.example/")]
        assert (row["outcome"], row["redirects"], row["final_url"]) == ("fetched", 2, sites.url("b.example/y"))
        assert [status for kind, _, _, content in records(tmp_path / "warc") if kind == "response" for status in [content[9:12]]] == [
            b"301",
            b"301",
            b"200",
        ]
