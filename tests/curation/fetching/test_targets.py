"""One reading of an address: the spellings by which others have reached local hosts, and the plain ones that must pass."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from curation.fetching.addresses import why_denied
from curation.fetching.outcomes import FetchProblem, FetchReason
from curation.fetching.targets import host_key, parse_target

# Each leads some browser, library or resolver to a loopback, private or metadata address.
LOCAL_SPELLINGS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://0X7F.0.0.1/",
    "http://127.0.0.1./",
    "http://127.000.000.001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://127。0。0。1/",
    "http://127．0．0．1/",
    "http://１２７.0.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://user@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1 @example.com/",
    "http://127.0.0.1%2f@example.com%2f/",
    "http://127.0.0.1%00.example.com/",
    "http://[127.0.0.1]/",
    "http://[v1.127.0.0.1]/",
    "http:/\\127.0.0.1/",
    "http:\\\\127.0.0.1/",
    "http:127.0.0.1/",
    "///127.0.0.1/",
    "\thttp://127.0.\n0.1/",
    "http://4294967297/",
    "http://127.0.0.1.1/",
]


@pytest.mark.parametrize("link", LOCAL_SPELLINGS, ids=ascii)
def test_local_addresses_are_refused_in_every_spelling(link: str) -> None:
    try:
        host = parse_target(link).raw_host or ""
    except FetchProblem as problem:
        assert problem.reason in (FetchReason.ODD_ADDRESS, FetchReason.NO_WEB_ADDRESS)
    else:
        ipaddress.ip_address(host)  # it was understood as a literal, so that no name server is asked
        assert why_denied(host)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("http://Example.COM", "http://example.com/"),
        ("HTTP://example.com?q=1", "http://example.com/?q=1"),
        ("http://example.com./a#b", "http://example.com/a"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:443/", "https://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://user:secret@example.com/", "http://example.com/"),
        ("http://bücher.example/ü?ä=ö", "http://xn--bcher-kva.example/%C3%BC?%C3%A4=%C3%B6"),
        ("http://foo_bar.example.com/", "http://foo_bar.example.com/"),
        ("  http://example.com/a b\n", "http://example.com/a%20b"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://1.example/", "http://1.example/"),
        ("http://example.com/a%2Fb%20c", "http://example.com/a%2Fb%20c"),
    ],
)
def test_plain_addresses_pass(link: str, target: str) -> None:
    assert str(parse_target(link)) == target


@pytest.mark.parametrize("link", ["ftp://example.com/", "javascript:alert(1)", "file:///etc/passwd", "gopher://x/", "data:,x", "x", ""])
def test_other_schemes_are_refused(link: str) -> None:
    with pytest.raises(FetchProblem) as refused:
        parse_target(link)
    assert refused.value.reason is FetchReason.NO_WEB_ADDRESS


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 0, 65535])
def test_other_ports_are_refused_unless_they_are_asked_for(port: int) -> None:
    with pytest.raises(FetchProblem) as refused:
        parse_target(f"http://example.com:{port}/")
    assert refused.value.reason is FetchReason.OTHER_PORT
    assert parse_target(f"http://example.com:{port}/", any_port=True).port == port


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("c", "http://h.example/a/c"),
        ("/d", "http://h.example/d"),
        ("?q", "http://h.example/a/b?q"),
        ("//e.example/z", "http://e.example/z"),
        ("https://e.example", "https://e.example/"),
        ("../../../x", "http://h.example/x"),
        ("/ü x", "http://h.example/%C3%BC%20x"),
        ("/caf\udce9?\udcff", "http://h.example/caf%E9?%FF"),  # bytes of Latin-1, as aiohttp gives them
    ],
)
def test_redirects_are_relative_to_the_answer(place: str, target: str) -> None:
    assert str(parse_target(place, URL("http://h.example/a/b?x"))) == target


@pytest.mark.parametrize(
    "place", ["\\\\evil.example", "/\\evil.example", "//127.1/", "http://0x7f.1/", "ftp://e.example/", "mailto:a@b.example", "//a\udce9/"]
)
def test_odd_redirects_are_refused(place: str) -> None:
    with pytest.raises(FetchProblem):
        parse_target(place, URL("http://h.example/a/b"))


@pytest.mark.parametrize("link", ["http://[]@/", "http://[/", "http://]/", "http://[]/", "http://a[]@/", "http://[@]/", "http://[]@[]/"])
def test_brackets_without_an_address_are_refused(link: str) -> None:
    with pytest.raises(FetchProblem) as refused:
        parse_target(link)
    assert refused.value.reason is FetchReason.ODD_ADDRESS


@given(st.text(), st.text(alphabet="127.0x[]:@\\/%#?ffa-z。①", max_size=30))
def test_any_text_is_an_address_or_refused(text: str, host: str) -> None:
    for link in (text, f"http://{host}/", f"http://{text}", f"http://example.com/{text}"):
        try:
            target = parse_target(link)
        except FetchProblem:
            continue
        assert str(target).isascii() and not set(str(target)) & set(" \r\n\t\\")
        assert parse_target(str(target)) == target  # what was asked for once means the same the next time


def test_hosts_have_keys_that_a_database_can_hold() -> None:
    assert 0 <= host_key("example.com") < 1 << 63
    assert host_key("example.com") != host_key("example.org")
