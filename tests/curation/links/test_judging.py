"""The fate of every kind of submission, on rows written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curation.links.blocklists as blocklists
from curation.links.judging import Judge, RowFate, SharedLink
from curation.links.submissions import Submission
from curation.recipe_links import LinksSettings
from tests.curation.links.rows import submission

DEFAULT = Judge(LinksSettings())


def fate_of(row: dict[str, Any] | None, judge: Judge = DEFAULT) -> RowFate:
    found = judge.judge(None if row is None else Submission(**row))
    return RowFate.SELECTED if isinstance(found, SharedLink) else found


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        (submission(), RowFate.SELECTED),
        (submission(score="12", created_utc="1104537600"), RowFate.SELECTED),
        (submission(score=3.0), RowFate.SELECTED),
        ({"url": "http://example.com/a", "score": 3}, RowFate.SELECTED),
        (submission(score=2), RowFate.LOW_SCORE),
        (submission(score=-5), RowFate.LOW_SCORE),
        ({"url": "http://example.com/a"}, RowFate.NO_SCORE),
        *((submission(score=odd), RowFate.NO_SCORE) for odd in (None, "many", "", True, 2.5, float("nan"), float("inf"), [3], 1 << 31)),
        (submission(is_self=True), RowFate.SELF_POST),
        (submission(is_self="true"), RowFate.SELF_POST),
        (submission(is_self=None), RowFate.SELECTED),
        (submission(over_18=True), RowFate.OVER_18),
        (submission(over_18=1), RowFate.OVER_18),
        *((submission(url=absent), RowFate.NO_URL) for absent in (None, "", "  ", 7)),
        ({"score": 3}, RowFate.NO_URL),
        *((submission(url=gone), RowFate.DELETED) for gone in ("[deleted]", " [removed]")),
        (submission(title="[deleted by user]"), RowFate.DELETED),
        (submission(removed_by_category="moderator"), RowFate.DELETED),
        (submission(title="[deleted] scenes", removed_by_category=None), RowFate.SELECTED),
        *((submission(url=odd), RowFate.ODD_URL) for odd in ("/r/books/comments/1", "ftp://example.com/", "http://", "http://a\ud800/")),
        *(
            (submission(url=f"http://{host}/a"), RowFate.BLOCKED_DOMAIN)
            for host in ("imgur.com", "i.imgur.com", "m.youtube.com:80", "imgur.com\\a")
        ),
        (submission(url="http://itunes.apple.com/a"), RowFate.BLOCKED_DOMAIN),
        *((submission(url=f"http://{host}/a"), RowFate.SELECTED) for host in ("notimgur.com", "imgur.com.example", "apple.com")),
        *(
            (submission(url=f"https://{host}/A"), RowFate.WIKIPEDIA)
            for host in ("wikipedia.org", "en.m.wikipedia.org", "WIKIPEDIA.org.", "www.wikiwand.com", "en.wikipedia.org\\wiki")
        ),
        *((submission(url=f"http://{host}/A"), RowFate.SELECTED) for host in ("notwikipedia.org", "en.wiktionary.org", "wikipedia.org.nz")),
        *((submission(url=f"http://example.com/{name}"), RowFate.BLOCKED_EXTENSION) for name in ("a.PDF", "a.jpg?w=1", "a.tar.gz#x")),
        *(
            (submission(url=url), RowFate.SELECTED)
            for url in ("http://example.app", "http://example.com/?f=a.pdf", "http://example.com/pdf")
        ),
        (None, RowFate.UNREADABLE_ROW),
    ],
)
def test_fate_of_a_row(row: dict[str, Any] | None, fate: RowFate) -> None:
    assert fate_of(row) is fate


@pytest.mark.parametrize(
    ("settings", "row"),
    [
        ({"self_posts": True}, submission(is_self=True)),
        ({"over_18": True}, submission(over_18=True)),
        ({"deleted": True}, submission(removed_by_category="deleted")),
        ({"wikipedia": True}, submission(url="http://en.wikipedia.org/wiki/Ship")),
        ({"blocked_domains": []}, submission(url="http://github.com/a/b")),
        ({"blocked_domains": ["webtext"]}, submission(url="http://github.com/a/b")),  # which WebText has, and OpenWebText does not
        ({"blocked_extensions": []}, submission(url="http://example.com/a.pdf")),
        ({"min_karma": 0}, submission(score=0)),
        ({"karma": "sum"}, submission(score=-7)),
        ({"karma": "max"}, submission(score=1)),
    ],
)
def test_what_a_setting_keeps(settings: dict[str, Any], row: dict[str, Any]) -> None:
    assert fate_of(row) is not RowFate.SELECTED
    assert fate_of(row, Judge(LinksSettings(**settings))) is RowFate.SELECTED


@pytest.mark.parametrize(
    ("created", "fate"),
    [
        # 2017-12-31T23:59:59Z and the second after it, and the same for the first day: date -u +%s
        (1514764799, RowFate.SELECTED),
        ("1514764799", RowFate.SELECTED),
        (1514764800, RowFate.OTHER_DATE),
        (1483228800, RowFate.SELECTED),
        (1483228799, RowFate.OTHER_DATE),
        (None, RowFate.OTHER_DATE),
        ("yesterday", RowFate.OTHER_DATE),
    ],
)
def test_days_are_whole_and_in_utc(created: Any, fate: RowFate) -> None:
    judge = Judge(LinksSettings(first_day="2017-01-01", last_day="2017-12-31"))
    assert fate_of(submission(created_utc=created), judge) is fate


def test_lists_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "subreddits.txt").write_text("# not for us\n/r/Pics\n\nnsfw # at all\n")
    (tmp_path / "domains.txt").write_text("bad.example\nexample.com/forum\n")
    (tmp_path / "endings.txt").write_text("*.XYZ\n.abc\n")
    judge = Judge(
        LinksSettings(
            blocked_subreddits=[str(tmp_path / "subreddits.txt")],
            blocked_domains=["openwebtext2", str(tmp_path / "domains.txt")],
            blocked_extensions=[str(tmp_path / "endings.txt")],
        )
    )
    assert [fate_of(submission(subreddit=name), judge).value for name in ("pics", "NSFW", "picsofships")] == [
        "blocked_subreddit",
        "blocked_subreddit",
        "selected",
    ]
    urls = {
        "http://a.bad.example/": "blocked_domain",
        "http://www.example.com/forum/1": "blocked_domain",
        "http://example.com/forums": "selected",
        "http://imgur.com/": "blocked_domain",
        "http://example.com/a.xyz": "blocked_extension",
        "http://example.com/a.ABC?b": "blocked_extension",
        "http://example.com/a.pdf": "selected",
    }
    assert {url: fate_of(submission(url=url), judge).value for url in urls} == urls


def test_only_reddits_own_entities_are_unescaped() -> None:
    found = DEFAULT.judge(Submission(**submission(url="http://example.com/?a=1&amp;copy=2&lang=3&#39;#top")))
    assert isinstance(found, SharedLink)
    assert (found.url, found.key) == ("http://example.com/?a=1&copy=2&lang=3'", "example.com/?a=1&copy=2&lang=3'")


def plainly(row: dict[str, Any]) -> str | None:
    """The fate of a row by the table of docs/webtext.md, of the parts of an address as urllib has them; None: its link is kept."""
    entries = {name: (blocklists.OWN / name).read_text().split("\n") for name in ("wikipedia.domains", "openwebtext2.domains")}
    endings = tuple(f".{line}" for line in (blocklists.OWN / "openwebtext2.extensions").read_text().split() if line.isalnum())
    address = urlsplit(row["url"])
    hosts = [(address.hostname or "")[start:] for start in range(99) if start == 0 or (address.hostname or "")[start - 1 : start] == "."]
    tests = {
        "self_post": row.get("is_self") in (True, "true", 1),
        "over_18": row.get("over_18") in (True, "true", 1),
        "no_url": row["url"] == "",
        "deleted": row["url"] == "[deleted]" or row.get("title") in ("[deleted]", "[removed]"),
        "no_score": not isinstance(row.get("score"), int),
        "low_score": row["score"] < 3 if isinstance(row.get("score"), int) else False,
        "odd_url": address.scheme not in ("http", "https") or not address.hostname,
        "wikipedia": any(host in entries["wikipedia.domains"] for host in hosts),
        "blocked_domain": any(host in entries["openwebtext2.domains"] for host in hosts),
        "blocked_extension": address.path.lower().endswith(endings),
    }
    return next((fate for fate, holds in tests.items() if holds), None)


HOSTS = ["example.com", "a.imgur.com", "imgur.com:80", "en.wikipedia.org", "wikipedia.org.nz", "WWW.YouTube.com", "user@github.com", ""]
PATHS = ["", "/", "/a.PDF", "/a.tar.gz", "/a.html", "/a.png/", "/b?c=a.png", "/watch?v=1&utm_a=2", "/%61.jpg?x", "/a#.png", "/.svg"]
addresses = st.builds("{}{}{}".format, st.sampled_from(["http://", "https://", "ftp://"]), st.sampled_from(HOSTS), st.sampled_from(PATHS))
flags = st.sampled_from([False, False, False, None, True, "true", "false", 0, 1])


@given(
    st.fixed_dictionaries(
        {"url": addresses | st.sampled_from(["", "[deleted]"])},
        optional={
            "score": st.sampled_from([-4, 2, 3, 3, 70, None]),
            "is_self": flags,
            "over_18": flags,
            "title": st.sampled_from(["A", "[removed]", "[deleted]", "[deleted] scenes", None]),
        },
    )
)
@settings(max_examples=300)
def test_fates_are_those_of_a_plain_reading_of_the_rules(row: dict[str, Any]) -> None:
    fate = fate_of(row).value
    assert fate == (plainly(row) or "selected")


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("http:/.w?#0é\ud800 ", max_size=12) | st.just("http://example.com/")
)
NAMES = ["url", "score", "is_self", "over_18", "id", "subreddit", "created_utc", "title"]


@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_any_row_has_one_fate(row: dict[str, Any]) -> None:
    found = DEFAULT.judge(Submission(**row))
    if isinstance(found, SharedLink):
        for text in (found.key, found.url, found.subreddit, found.id):
            assert text is None or text.encode()  # so that it can be written
    else:
        assert found in RowFate
