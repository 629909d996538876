from __future__ import annotations

import pytest

from curation.sources.domains import registered_domain, site_of


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        # The Public Suffix List's own test vectors (publicsuffix.org/list, test_psl.txt), where a registrable domain is expected.
        ("example.com", "example.com"),
        ("b.example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("domain.biz", "domain.biz"),
        ("b.domain.biz", "domain.biz"),
        ("example.uk.com", "example.uk.com"),
        ("b.example.uk.com", "example.uk.com"),
        ("test.ac", "test.ac"),
        ("b.c.mm", "b.c.mm"),
        ("a.b.c.mm", "b.c.mm"),
        ("test.jp", "test.jp"),
        ("www.test.jp", "test.jp"),
        ("a.b.test.ac.jp", "test.ac.jp"),
        ("b.test.kyoto.jp", "test.kyoto.jp"),
        ("a.b.ide.kyoto.jp", "b.ide.kyoto.jp"),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("a.b.test.ck", "b.test.ck"),
        ("www.www.ck", "www.ck"),
        ("test.k12.ak.us", "test.k12.ak.us"),
        ("www.test.k12.ak.us", "test.k12.ak.us"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        # Hosts without a registered domain stand for themselves.
        ("com", "com"),
        ("192.168.0.1", "192.168.0.1"),
        ("[::1]", "[::1]"),
        ("a.b.unlisted", "b.unlisted"),
    ],
)
def test_registered_domains(host: str, domain: str) -> None:
    assert registered_domain(host) == domain


def test_sites_of_addresses() -> None:
    assert site_of("HTTPS://user@WWW.Example.CO.UK:8080/a?b#c") == "example.co.uk"
    assert site_of("http://食狮.公司.cn/") == "xn--85x722f.xn--55qx5d.cn"
    assert site_of("http://one.blogspot.com/") != site_of("http://two.blogspot.com/")
    for nothing in (None, "", "mailto:a@example.org", "http://", "no address"):
        assert site_of(nothing) is None
