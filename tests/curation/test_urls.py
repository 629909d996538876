"""Canonical keys: spellings of one page that must meet, pages that must not, and idempotence."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.sources.urls import canonical_key, host_is_below, host_of, path_of

# (spelling, key): each right side written down from RFC 3986, section 6.2, and the rules in the docstring.
SPELLINGS = [
    ("http://example.com", "example.com/"),
    ("https://example.com/", "example.com/"),
    ("HTTP://WWW.Example.COM:80/Path", "example.com/Path"),
    ("https://www.example.com:443/", "example.com/"),
    ("http://example.com:8080/a", "example.com:8080/a"),
    ("http://example.com:/a", "example.com/a"),
    ("http://user:secret@example.com/a", "example.com/a"),
    ("http://example.com./a", "example.com/a"),
    ("http://example.com/a#top", "example.com/a"),
    ("http://example.com/%7Euser/%e4%BD%A0", "example.com/~user/%E4%BD%A0"),
    ("http://example.com/你", "example.com/%E4%BD%A0"),
    ("http://example.com/a b", "example.com/a%20b"),
    ("http://example.com/100%", "example.com/100%25"),
    ("http://example.com/%%341", "example.com/%2541"),
    ("http://example.com?a=1", "example.com/?a=1"),
    ("http://example.com/?", "example.com/"),
    ("http://example.com/?b=2&a=1", "example.com/?b=2&a=1"),
    ("http://example.com/?utm_source=x&id=7&UTM_medium=y&fbclid=z", "example.com/?id=7"),
    ("http://example.com/?utm%5Fsource=x", "example.com/"),
    ("http://example.com/?&a=1&&", "example.com/?a=1"),
    ("http://bücher.example/", "xn--bcher-kva.example/"),
    ("http://[2001:DB8::1]:8080/a", "[2001:db8::1]:8080/a"),
    ("http://[::1]/a", "[::1]/a"),
    ("http://www.com/", "www.com/"),
    ("http://www.www.example.com/", "example.com/"),
    ("  http://exam\nple.com/a\t ", "example.com/a"),
    ("http://example.com\\a\\b?c\\d", "example.com/a/b?c\\d"),  # WHATWG URL, 4.4: of the path only
]


@pytest.mark.parametrize(("spelling", "key"), SPELLINGS)
def test_spelling_has_the_expected_key(spelling: str, key: str) -> None:
    assert canonical_key(spelling) == key


@pytest.mark.parametrize(
    "address",
    [
        *("", "[deleted]", "/r/books/comments/1", "ftp://example.com/", "mailto:a@example.com", "example.com", "http://", "http:///a"),
        *("http://a b/", "http://exam%70le.com/", "http://example.com:99999/", "http://example.com:port/", "http://a..b/", "http://-a.b/"),
        *("http://example.com/\ud800", "http://\ud800.com/", "http://[::1", "javascript:void(0)", f"http://{'a' * 64}.com/"),
    ],
)
def test_anything_but_a_web_address_has_no_key(address: str) -> None:
    assert canonical_key(address) is None


def test_pages_that_servers_tell_apart_keep_apart() -> None:
    keys = {
        canonical_key(f"http://example.com/{rest}") for rest in ("a", "A", "a/", "a?b", "a?B", "a%2Fb", "a/b", "a?b=1&c=2", "a?c=2&b=1")
    }
    assert len(keys) == 9


addresses = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.text(st.sampled_from("abWw.-_:@[]0189%é。\uff21"), min_size=1, max_size=14) | st.just("www.example.com:80"),
    st.text(st.sampled_from('/?#&=%2f7Eutm_amp;:.\\ é☃\x00\x7f\u3000"+\ud800\n'), max_size=30),
)


@given(addresses)
@example("http://a/?&am&utm_x=1p;b")
@example("http://a/%25%2525%41%")
@example("http://ß.example/ẞ")
def test_a_key_is_the_key_of_itself(address: str) -> None:
    key = canonical_key(address)
    if key is not None:
        assert canonical_key("http://" + key) == key
        assert key.isascii() and " " not in key
        assert "\\" not in key.partition("?")[0] and host_is_below(host_of(key), frozenset([host_of(key)]))


printable = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "hTTp://", "http:/"]),
    st.sampled_from(["example.com", "www.Example.com:80", "a@b.example.", "[::1]:8080", "", "a:b", "a..b", "-a", "a%41"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7F) | st.sampled_from("/?&=%utm_é"), max_size=25),
)


@given(printable)
@example("http://a.example/x?utm_a=1&b\\c&&d?e&FBCLID")
def test_a_look_at_a_plain_address_gives_what_the_rules_give(address: str) -> None:
    """With a blank before it no address is plain."""
    assert canonical_key(address) == canonical_key(" " + address)


def test_parts_of_a_key() -> None:
    assert (host_of("example.com:8080/a?b"), path_of("example.com:8080/a/b?c/d")) == ("example.com", "/a/b")
    assert (host_of("[::1]:8080/"), host_of("[::1]/"), path_of("[::1]/")) == ("[::1]", "[::1]", "/")


def test_a_host_is_below_its_own_domain_only() -> None:
    domains = frozenset(["wikipedia.org", "co.uk"])
    assert [host_is_below(host, domains) for host in ("wikipedia.org", "en.m.wikipedia.org", "notwikipedia.org", "org")] == [
        True,
        True,
        False,
        False,
    ]
