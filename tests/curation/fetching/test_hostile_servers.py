"""Servers that are slow, endless, lying or hostile cost a bounded time and memory, and what of them is stored says how it was cut."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
import tracemalloc
from pathlib import Path

import pytest

from curation.errors import PipelineError
from tests.curation.fetching.crawls import crawl, lookup_in, loopback, records
from tests.curation.fetching.sites import Handler, Page, Sites, answer, redirect

MAX_BYTES = 50_000


def send(*parts: bytes, pause_seconds: float = 0.0, end: bool = True) -> Handler:
    """A server that sends parts with pauses between them, and then closes the connection or waits."""

    async def handler(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_seconds)
        if not end:
            await asyncio.sleep(3600)

    return handler


def endless(head: bytes, part: bytes) -> Handler:
    """A server that never stops sending."""

    async def handler(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()

    return handler


OK = b"HTTP/1.1 200 OK\r\n"
CASES: list[tuple[str, Page, str, str | None]] = [
    ("slow body", send(OK + b"\r\n", *[b"x"] * 100, pause_seconds=0.05), "cut_time", "time"),
    ("silent body", send(OK + b"Content-Length: 10\r\n\r\nx", end=False), "cut_time", "time"),
    ("slow header", send(OK, *[b"X: y\r\n"] * 100, pause_seconds=0.05), "timed_out", None),
    ("silent", send(end=False), "timed_out", None),
    ("endless body", endless(OK + b"\r\n", b"x" * 10_000), "cut_length", "length"),
    ("endless chunks", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n"), "cut_length", "length"),
    ("endless header", endless(OK, b"X-Long: " + b"y" * 1000 + b"\r\n"), "bad_answer", None),
    ("endless header line", endless(OK + b"X: ", b"y" * 1000), "bad_answer", None),
    ("endless interim answers", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "bad_answer", None),
    ("too long by its own word", answer(b"x" * 60_000), "cut_length", "length"),
    ("less than promised", OK + b"Content-Length: 1000\r\n\r\nshort", "cut_disconnect", "disconnect"),
    ("chunks that stop", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "cut_disconnect", "disconnect"),
    (
        "broken chunks",
        send(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n", b"zzz\r\n", pause_seconds=0.05),
        "cut_unspecified",
        "unspecified",
    ),
    ("no length at all", OK + b"\r\nuntil the end", "whole", None),
    ("interim answers", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer(b"page"), "whole", None),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", "bad_answer", None),
    ("nothing", b"", "disconnected", None),
    ("half a header", b"HTTP/1.1 200 OK\r\nContent-Ty", "disconnected", None),
    ("an error page", answer(b"broken", "500 Error"), "whole", None),
    ("a missing page", answer(b"gone", "404 Not Found"), "whole", None),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", "whole", None),
    ("a redirect to nowhere", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "whole", None),
    ("a redirect to itself", redirect("/"), "too_many_redirects", None),
    ("a lying redirect", redirect("http://[half"), "odd_address", None),
]


def test_every_kind_of_answer(tmp_path: Path) -> None:
    places = {f"h{number}.example/": case for number, case in enumerate(CASES)}
    with Sites({place: page for place, (_, page, _, _) in places.items()}) as sites:
        began = time.monotonic()
        found = crawl(tmp_path, [sites.url(place) for place in places], timeout_seconds=2.0, max_bytes=MAX_BYTES, retries=0)
        assert time.monotonic() - began < 20
        told = {name: found[sites.url(place)]["reason"] for place, (name, *_) in places.items()}
        assert told == {name: reason for name, _, reason, _ in CASES}
        responses = {uri: (fields, content) for kind, uri, fields, content in records(tmp_path / "warc") if kind == "response"}
        for place, (name, page, reason, truncated) in places.items():
            if reason in ("whole", f"cut_{truncated}"):
                fields, content = responses[sites.url(place)]
                assert fields.get("WARC-Truncated") == truncated, name
                assert len(content) <= MAX_BYTES and fields["WARC-IP-Address"] == "127.0.0.1", name
                assert not isinstance(page, bytes) or name == "interim answers" or content == page[:MAX_BYTES], name
        assert responses[sites.url("h14.example/")][1] == answer(b"page")


def test_bombs_are_stored_as_they_came(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(200 << 20), 9)
    meta = gzip.compress(b'<meta name="robots" content="noindex">' + bytes(50 << 20), 9)
    with Sites() as sites:
        sites.pages = {
            "a.example/": answer(bomb, "200 OK", "Content-Encoding: gzip"),
            "b.example/": answer(meta, "200 OK", "Content-Encoding: gzip"),
        }
        tracemalloc.start()
        found = crawl(tmp_path, [sites.url("a.example/"), sites.url("b.example/")])
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [row["reason"] for row in found.values()] == ["whole", "robots_meta"]
        stored = [content for kind, _, _, content in records(tmp_path / "warc") if kind == "response"]
        assert stored == [sites.pages["a.example/"]]
        assert peak_bytes < 30 << 20


@pytest.mark.parametrize(
    "place",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "//100.64.0.1/",
        "http://metadata.example/",
        "http://2130706433/",
        "http://127.1/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/_x",
    ],
)
def test_no_redirect_leads_to_a_denied_address(tmp_path: Path, place: str) -> None:
    """Loopback is open in this test, as it is for one's own servers; everything else that is not public stays closed."""
    names = lookup_in({"metadata.example": ["169.254.169.254", "::ffff:169.254.169.254"]})
    with Sites({"a.example/": redirect("/next"), "a.example/next": redirect(place)}) as sites:
        row = crawl(tmp_path, [sites.url("a.example/")], names)[sites.url("a.example/")]
        assert (row["outcome"], row["reason"] in ("address_denied", "odd_address", "no_web_address")) == ("refused", True)


def test_loopback_is_closed_without_the_option(tmp_path: Path) -> None:
    names = ["http://localhost/", "http://127.0.0.1/", "http://[::1]/", "http://mine.example/", "http://127.0.0.1:8080/"]
    found = crawl(tmp_path, names, loopback, allow_private_hosts=False)
    assert [found[name]["reason"] for name in names] == ["address_denied"] * 4 + ["other_port"]


def test_changing_answers_of_a_name_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request goes to an address that was checked for it, and the client never asks for the name a second time."""
    monkeypatch.setattr("curation.fetching.resolver.KEEP_SECONDS", 0.0)
    asked: list[str] = []

    async def look_up(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) <= 3 else ["169.254.169.254"]

    with Sites({"a.example/1": answer(b"one"), "a.example/2": answer(b"two")}) as sites:
        found = crawl(tmp_path, [sites.url("a.example/1"), sites.url("a.example/2")], look_up)
        assert [row["reason"] for row in found.values()] == ["whole", "address_denied"]
        assert len(sites.requests) == 3 and len(asked) == 4


def test_addresses_of_both_kinds(tmp_path: Path) -> None:
    try:
        sites = Sites(bind="::1").__enter__()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with contextlib.ExitStack() as stack:
        stack.push(sites.__exit__)
        sites.pages = {"six.example/": answer(b"by name"), "[/": answer(b"by number")}
        urls = [sites.url("six.example/"), f"http://[0:0:0:0:0:0:0:1]:{sites.port}/"]
        found = crawl(tmp_path, urls, lookup_in({"six.example": ["0:0::1", "127.0.0.1"]}))
        assert [found[url]["reason"] for url in urls] == ["whole", "whole"]
        assert {fields["WARC-IP-Address"] for kind, _, fields, _ in records(tmp_path / "warc") if kind == "response"} == {"::1"}


def test_mixed_answers_leave_the_public_addresses(tmp_path: Path) -> None:
    names = lookup_in({"a.example": ["169.254.169.254", "127.0.0.1", "::1%lo"]})
    with Sites({"a.example/": answer(b"page")}) as sites:
        assert crawl(tmp_path, [sites.url("a.example/")], names)[sites.url("a.example/")]["reason"] == "whole"


def test_a_connection_to_another_address_carries_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a look-up slip in somewhere after all, the peer is not the pinned address."""
    from curation.fetching.resolver import PINNED, PinnedResolver

    async def resolve(self: PinnedResolver, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        assert PINNED.get() == ("192.168.77.77",)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr(PinnedResolver, "resolve", resolve)
    with Sites({"a.example/": answer(b"page")}) as sites:
        with pytest.raises(PipelineError, match="not one server could be reached \\(not_connected\\)"):
            crawl(tmp_path, [sites.url("a.example/")], lookup_in({"a.example": ["192.168.77.77"]}), retries=0)
        assert not sites.requests
