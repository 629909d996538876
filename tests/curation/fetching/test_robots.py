"""robots.txt, by the families of cases that RFC 9309 defines and google/robotstxt tests; each is written from the rule it names."""

from __future__ import annotations

import pytest

from curation.fetching.robots import MAX_BYTES, Robots

SITE = "http://foo.bar"

CASES = [
    # RFC 9309, 2.1: lines are "key: value"; groups begin with one or more user-agent lines.
    ("user-agent: FooBot\ndisallow: /\n", "FooBot", "/x/y", False),
    ("foo: FooBot\nbar: /\n", "FooBot", "/x/y", True),
    ("user-agent FooBot\ndisallow /\n", "FooBot", "/x/y", False),
    ("", "FooBot", "/x/y", True),
    ("disallow: /\n", "FooBot", "/x/y", True),  # a rule before any group
    # 2.1: several user-agent lines make one group, and groups of one name are merged.
    ("user-agent: A\nuser-agent: FooBot\ndisallow: /x\n", "FooBot", "/x/y", False),
    ("user-agent: FooBot\ndisallow: /a\n\nuser-agent: B\ndisallow: /\n\nuser-agent: FooBot\ndisallow: /x\n", "FooBot", "/x/y", False),
    ("user-agent: FooBot\ndisallow: /a\n\nuser-agent: B\ndisallow: /\n\nuser-agent: FooBot\ndisallow: /x\n", "FooBot", "/b", True),
    ("user-agent: FooBot\n\n\nuser-agent: B\ndisallow: /x\n", "FooBot", "/x/y", False),  # empty lines end no group
    ("user-agent: B\nfoo: bar\nuser-agent: FooBot\ndisallow: /x\n", "B", "/x/y", False),  # nor do unknown lines (2.2.4)
    # 2.2: keys ignore case, paths do not.
    ("USER-AGENT: FooBot\nDISALLOW: /x/\nALLOW: /\n", "FooBot", "/x/y", False),
    ("user-agent: FooBot\ndisallow: /X/\n", "FooBot", "/x/y", True),
    ("user-agent: FooBot\nallow: /X/\ndisallow: /\n", "FooBot", "/x/y", False),
    # 2.2.1: names ignore case, are letters, _ and -, and match as a whole.
    ("user-agent: fOObOT\ndisallow: /\n", "FooBot", "/x/y", False),
    ("user-agent: FooBot/1.2\ndisallow: /\n", "FooBot", "/x/y", False),
    ("user-agent: FooBot extra words\ndisallow: /\n", "FooBot", "/x/y", False),
    ("user-agent: Foo\ndisallow: /\n", "FooBot", "/x/y", True),
    ("user-agent: Foo\ndisallow: /\n\nuser-agent: *\nallow: /\n", "FooBot", "/x/y", True),
    ("user-agent: FooBotNews\ndisallow: /\n", "FooBot", "/x/y", True),
    ("user-agent: Foo-Bot\ndisallow: /\n", "FooBot", "/x/y", True),
    ("user-agent: Foo Bot\ndisallow: /\n", "Foo", "/x/y", False),
    # 2.2.1: the group of * is for those that no other is for.
    ("user-agent: *\ndisallow: /\n", "FooBot", "/x/y", False),
    ("user-agent: *\ndisallow: /\nuser-agent: FooBot\nallow: /\n", "FooBot", "/x/y", True),
    ("user-agent: FooBot\nallow: /\nuser-agent: *\ndisallow: /\n", "FooBot", "/x/y", True),
    ("user-agent: FooBot\ndisallow:\nuser-agent: *\ndisallow: /\n", "FooBot", "/x/y", True),  # empty: nothing is disallowed
    ("user-agent: *\ndisallow: /\nuser-agent: B\nallow: /\n", "FooBot", "/x/y", False),
    ("user-agent: * trailing\ndisallow: /\n", "FooBot", "/x/y", False),
    ("user-agent: *X\nallow: /\n\nuser-agent: *\ndisallow: /\n", "FooBot", "/x/y", False),
    # 2.2.2: the longest match wins, wherever it stands; allow wins where both are equally long.
    ("user-agent: FooBot\ndisallow: /x/page.html\nallow: /x/\n", "FooBot", "/x/page.html", False),
    ("user-agent: FooBot\nallow: /x/page.html\ndisallow: /x/\n", "FooBot", "/x/page.html", True),
    ("user-agent: FooBot\nallow: /x/page.html\ndisallow: /x/\n", "FooBot", "/x/", False),
    ("user-agent: FooBot\ndisallow: /x/page.html\nallow: /x/page.html\n", "FooBot", "/x/page.html", True),
    ("user-agent: FooBot\ndisallow: /\nallow: /\n", "FooBot", "/x", True),
    ("user-agent: FooBot\ndisallow: /x\nallow: /\n", "FooBot", "/x", False),
    ("user-agent: FooBot\ndisallow: /x\nallow: /x/\n", "FooBot", "/x", False),
    ("user-agent: FooBot\ndisallow: /x\nallow: /x/\n", "FooBot", "/x/", True),
    ("user-agent: FooBot\ndisallow: *.html\nallow: /page\n", "FooBot", "/page.html", False),
    ("user-agent: FooBot\nallow: /foo/bar/\ndisallow: /foo\n", "FooBot", "/foo/bar/baz", True),
    # 2.2.2: percent-encoding is compared in one spelling; octets are not decoded further.
    (
        "user-agent: FooBot\ndisallow: /\nallow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par\n",
        "FooBot",
        "/foo/bar?qux=taz&baz=http://foo.bar?tar&par",
        True,
    ),
    ("user-agent: FooBot\ndisallow: /\nallow: /foo/bar/ツ\n", "FooBot", "/foo/bar/%E3%83%84", True),
    ("user-agent: FooBot\ndisallow: /\nallow: /foo/bar/%E3%83%84\n", "FooBot", "/foo/bar/%E3%83%84", True),
    ("user-agent: FooBot\ndisallow: /\nallow: /foo/bar/%e3%83%84\n", "FooBot", "/foo/bar/%E3%83%84", True),
    ("user-agent: FooBot\ndisallow: /a%2Fb\n", "FooBot", "/a/b", True),
    # 2.2.3: * is any characters, $ the end.
    ("user-agent: FooBot\ndisallow: /foo/bar/quz\nallow: /foo/*/qux\n", "FooBot", "/foo/bar/quz", False),
    ("user-agent: FooBot\ndisallow: /*.php$\n", "FooBot", "/a/b.php", False),
    ("user-agent: FooBot\ndisallow: /*.php$\n", "FooBot", "/a/b.php?x", True),
    ("user-agent: FooBot\ndisallow: /*.php\n", "FooBot", "/a/b.php5", False),
    ("user-agent: FooBot\ndisallow: /fish*\n", "FooBot", "/fish", False),
    ("user-agent: FooBot\ndisallow: /*/*/z\n", "FooBot", "/x/y/z", False),
    ("user-agent: FooBot\ndisallow: /$\n", "FooBot", "/", False),
    ("user-agent: FooBot\ndisallow: /$\n", "FooBot", "/page", True),
    ("user-agent: FooBot\nallow: /$\ndisallow: /\n", "FooBot", "/", True),
    ("user-agent: FooBot\ndisallow: /fish\n", "FooBot", "/fishheads/yummy.html", False),
    ("user-agent: FooBot\ndisallow: /fish\n", "FooBot", "/Fish.asp", True),
    ("user-agent: FooBot\ndisallow: /fish\n", "FooBot", "/catfish?id=fish", True),
    ("user-agent: FooBot\ndisallow: /fish/\n", "FooBot", "/fish", True),
    ("user-agent: FooBot\ndisallow: /fish/\n", "FooBot", "/fish/?id=1", False),
    ("user-agent: FooBot\ndisallow: /x?\n", "FooBot", "/x?q", False),
    # Google: a rule for index.html is one for its folder, too.
    ("user-agent: FooBot\nallow: /x/index.html\ndisallow: /\n", "FooBot", "/x/", True),
    ("user-agent: FooBot\nallow: /x/index.html\ndisallow: /\n", "FooBot", "/x/y", False),
    # Google: keys with common errors are understood.
    ("user agent: FooBot\ndissallow: /\n", "FooBot", "/x", False),
    ("useragent: FooBot\ndisalow: /\n", "FooBot", "/x", False),
    # 2.2: all three kinds of line ends, comments, blanks, a byte order mark.
    ("user-agent: FooBot\rdisallow: /x\rallow: /x/y\r", "FooBot", "/x/z", False),
    ("user-agent: FooBot\r\ndisallow: /x\r\n", "FooBot", "/x/z", False),
    ("user-agent: FooBot # me\ndisallow: /x # all\n#disallow: /y\n", "FooBot", "/x", False),
    ("user-agent: FooBot\n#disallow: /y\n", "FooBot", "/y", True),
    ("  user-agent  :  FooBot  \n\tdisallow:/x\t\n", "FooBot", "/x", False),
    ("\ufeffuser-agent: FooBot\ndisallow: /\n", "FooBot", "/x", False),
    ("user-agent: FooBot\ndisallow: /x\u2028allow: /x\n", "FooBot", "/x/y", True),  # no line end: the path is another one
    # 2.2.2: /robots.txt itself is always allowed.
    ("user-agent: FooBot\ndisallow: /\n", "FooBot", "/robots.txt", True),
    ("sitemap: http://foo.bar/s.xml\nuser-agent: FooBot\nsitemap: x\ndisallow: /\n", "FooBot", "/x", False),
]


@pytest.mark.parametrize(("content", "robot", "path", "allowed"), CASES)
def test_a_case(content: str, robot: str, path: str, allowed: bool) -> None:
    assert Robots(content.encode(), robot).allows(SITE + path) is allowed


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        ("user-agent: *\ncrawl-delay: 7\n", 7),
        ("user-agent: *\nCrawl-Delay: 0.5\ndisallow: /x\n", 0.5),
        ("user-agent: B\ncrawl-delay: 7\n", 0),
        ("user-agent: *\ncrawl-delay: 7\n\nuser-agent: FooBot\ncrawl-delay: 2\n", 2),
        ("user-agent: *\ncrawl-delay: soon\n", 0),
        ("user-agent: *\ncrawl-delay: -3\n", 0),
        ("user-agent: *\ncrawl-delay: nan\n", 0),
        ("user-agent: *\nrequest-rate: 1/10s\n", 10),
        ("user-agent: *\nrequest-rate: 2/1m\ncrawl-delay: 3\n", 30),
    ],
)
def test_the_pause_that_is_asked_for(content: str, seconds: float) -> None:
    assert Robots(content.encode(), "FooBot").delay_seconds == seconds


def test_what_lies_beyond_the_limit_is_not_read_and_no_rule_is_cut_in_two() -> None:
    filler = b"# " + b"x" * 97 + b"\n"
    head = b"user-agent: *\n" + filler * ((MAX_BYTES - 50) // len(filler))
    rule = b"disallow: /private/" + b"y" * 100 + b"\ndisallow: /later\n"
    robots = Robots(head + rule, "FooBot")
    assert len(head) < MAX_BYTES < len(head + rule)
    assert robots.allows(SITE + "/later") and robots.allows(SITE + "/private/")
    assert not Robots(b"user-agent: *\n" + rule, "FooBot").allows(SITE + "/later")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"\x00" * 1000, b"<html><body>404</body></html>", b"user-agent: *\ndisallow: /\xff\n"]
)
def test_what_is_no_robots_txt_bans_nothing(content: bytes) -> None:
    assert Robots(content, "FooBot").allows(SITE + "/x")
