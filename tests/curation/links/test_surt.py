"""SURT keys: each right side is what the Internet Archive's ``surt`` 0.3.1 gives for the left one."""

from __future__ import annotations

import pytest

from curation.links.surt import surts_of
from curation.sources.urls import canonical_key

KEYS = [
    ("http://www.Example.com", "com,example)/"),
    ("https://www2.example.com/A/B/", "com,example)/a/b"),
    ("http://example.com:8080/a", "com,example:8080)/a"),
    ("http://user@example.co.uk/a?b=2&A=1&a=0", "uk,co,example)/a?a=0&a=1&b=2"),
    ("http://example.com/a//b/./c/../d", "com,example)/a/b/d"),
    ("http://example.com/caf%C3%A9/%41%2E%20b", "com,example)/caf%c3%a9/a.%20b"),
    ("http://example.com/?&v=1", "com,example)/?&v=1"),
    ("http://example.com/a?utm_source=x&b=1", "com,example)/a?b=1&utm_source=x"),
    ("http://60.33.108.92/a", "92,108,33,60)/a"),
    ("http://example.com/a?sid=0123456789abcdef0123456789abcdef&b=1", "com,example)/a?b=1"),
    ("http://example.com/(S(0123456789abcdef01234567))/page.aspx", "com,example)/page.aspx"),
]


@pytest.mark.parametrize(("url", "expected"), KEYS)
def test_key_is_that_of_the_archives_library(url: str, expected: str) -> None:
    key = canonical_key(url)
    assert key is not None
    assert surts_of(url, key)[0] == expected


def test_a_page_is_also_looked_for_without_what_its_canonical_key_drops() -> None:
    url = "http://example.com/a?utm_source=x&b=1"
    assert surts_of(url, "example.com/a?b=1") == ["com,example)/a?b=1&utm_source=x", "com,example)/a?b=1"]
