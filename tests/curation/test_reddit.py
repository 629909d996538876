"""Reddit's dumps: where every row goes, on rows written by hand and on real months."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.sources.reddit import MAX_ROW_BYTES, RowFate, judge, read_submissions, select_links
from tests.shared_data import shared


def submission(**fields: Any) -> dict[str, Any]:
    return {"url": "http://example.com/a", "score": 3, "is_self": False, "over_18": False, **fields}


def write_rows(path: Path, *rows: Any) -> str:
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return str(path)


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
        *((submission(score=odd), RowFate.NO_SCORE) for odd in (None, "many", "", True, 2.5, float("nan"), float("inf"), [3], 1 << 63)),
        (submission(is_self=True), RowFate.SELF_POST),
        (submission(is_self="true"), RowFate.SELF_POST),
        (submission(is_self=None), RowFate.SELECTED),
        (submission(over_18=True), RowFate.OVER_18),
        (submission(over_18=1), RowFate.OVER_18),
        *((submission(url=absent), RowFate.NO_URL) for absent in (None, "", "  ", 7, "[deleted]")),
        ({"score": 3}, RowFate.NO_URL),
        *((submission(url=odd), RowFate.ODD_URL) for odd in ("/r/books/comments/1", "ftp://example.com/", "http://", "http://a\ud800/")),
        *((submission(url=f"http://{host}/a"), RowFate.BLOCKED_DOMAIN) for host in ("imgur.com", "i.imgur.com", "m.youtube.com:80")),
        *((submission(url=f"http://{host}/a"), RowFate.SELECTED) for host in ("notimgur.com", "imgur.com.example", "apple.com")),
        *((submission(url=f"https://{host}/A"), RowFate.WIKIPEDIA) for host in ("wikipedia.org", "en.m.wikipedia.org", "WIKIPEDIA.org.")),
        *((submission(url=f"http://example.com/{name}"), RowFate.BLOCKED_EXTENSION) for name in ("a.PDF", "a.jpg?w=1", "a.tar.gz#x")),
        *(
            (submission(url=url), RowFate.SELECTED)
            for url in ("http://example.app", "http://example.com/?f=a.pdf", "http://example.com/pdf")
        ),
        (None, RowFate.UNREADABLE_ROW),
    ],
)
def test_fate_of_a_row(row: dict[str, Any] | None, fate: RowFate) -> None:
    assert judge(row, min_karma=3)[0] is fate


def test_the_best_submission_of_a_page_counts_and_scores_are_not_summed(tmp_path: Path) -> None:
    dump = write_rows(
        tmp_path / "RS_2015-01",
        submission(url="http://www.example.com/a?x=1&amp;y=2", score=4),
        submission(url="https://example.com/a?x=1&y=2#top", score=9),
        submission(url="http://example.com/b", score=2),
        submission(url="http://example.com/b", score=2),
    )
    links = select_links([dump])
    assert links.karma == {"example.com/a?x=1&y=2": 9}
    assert links.counts["selected"] == links.counts["low_score"] == 2
    assert links.karma_of("http://example.com/a?x=1&y=2&utm_source=feed") == 9
    assert links.karma_of("http://example.com/b") is links.karma_of("no address") is None


def test_only_reddits_own_entities_are_unescaped() -> None:
    url = "http://example.com/?a=1&amp;copy=2&lang=3&#39;"
    assert judge(submission(url=url), 3)[1] == "example.com/?a=1&copy=2&lang=3'"


def test_odd_rows_cost_only_themselves(tmp_path: Path) -> None:
    good = json.dumps(submission()).encode()
    dump = write_rows(
        tmp_path / "RS_2015-01",
        b'{"url": "http://exa\n',
        b"[1]\n\n  \n",
        b"null\n",
        b"[" * 100_000 + b"\n",
        b'{"score": ' + b"9" * 5000 + b"}\n",
        b"\x00\xff\xfe\n",
        b'{"title": "\xff\xfe\\ud800", "url": "http://example.com/b", "score": 5}\r\n',
        b'"' + b"x" * (MAX_ROW_BYTES + 5) + b'"\n',
        good,  # without a newline at the end of the file
    )
    links = select_links([dump])
    assert links.karma == {"example.com/a": 3, "example.com/b": 5}
    assert links.counts[RowFate.UNREADABLE_ROW] == 7
    assert links.counts.total() == 9


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    dump = tmp_path_factory.mktemp("dump") / "RS"
    dump.write_bytes(content)
    try:
        assert sum(1 for _ in read_submissions(str(dump))) == sum(1 for line in content.split(b"\n") if line.strip(b" \t\r\x0b\x0c"))
    except InputError:
        assert content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))


values = st.none() | st.booleans() | st.floats() | st.text("http:/.w?#0é ", max_size=12) | st.just("http://example.com/")


@given(st.dictionaries(st.sampled_from(["url", "score", "is_self", "over_18"]), values))
def test_any_row_has_one_fate(row: dict[str, Any]) -> None:
    fate, key, _ = judge(row, 3)
    assert (fate is RowFate.SELECTED) == bool(key)


def test_a_missing_or_cut_dump_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        select_links([str(tmp_path / "RS_2015-01.zst")])
    cut = tmp_path / "RS_2015-01.xz"
    cut.write_bytes(lzma.compress(json.dumps(submission()).encode())[:-10])
    with pytest.raises(InputError, match=r"RS_2015-01\.xz.*cut short"):
        select_links([str(cut)])


# Hosts of the rows with a score of 3 or more that are not selected, read off the files by eye.
REAL_MONTHS = [
    ("RS_v2_2005-06.xz", 103, 83, {"video.google.com": 1, "earth.google.com": 1}, {}),
    (
        "RS_v2_2005-07.xz",
        1079,
        757,
        {"www.google.com": 2, "toolbar.google.com": 1, "moon.google.com": 1, "maps.google.com": 1},
        {"varsityphotos.net": 1, "familyguyfiles.com": 1, "people.apache.org": 1},  # a .jpg and two .pdf
    ),
]


@pytest.mark.parametrize(("name", "rows", "well_scored", "domains", "extensions"), REAL_MONTHS)
def test_every_row_of_a_real_month(name: str, rows: int, well_scored: int, domains: dict[str, int], extensions: dict[str, int]) -> None:
    links = select_links([str(shared("data", "reddit", name))])
    assert links.counts.total() == rows
    assert links.counts[RowFate.LOW_SCORE] == rows - well_scored
    assert links.counts[RowFate.BLOCKED_DOMAIN] == sum(domains.values())
    assert links.counts[RowFate.BLOCKED_EXTENSION] == sum(extensions.values())
    assert links.counts[RowFate.SELECTED] == well_scored - sum(domains.values()) - sum(extensions.values())


def test_july_2005_shares_two_pages_twice() -> None:
    """One pair differs in ``www.``, the other in the fragment; the better scores are 8 and 4."""
    links = select_links([str(shared("data", "reddit", "RS_v2_2005-07.xz"))])
    assert links.counts[RowFate.SELECTED] - len(links.karma) == 2
    assert links.karma["sueandpaul.com/gmapPedometer/"] == 8
    assert links.karma["db.uwaterloo.ca/~alopez-o/Coffee/caffaq.html"] == 4


def test_every_row_of_a_large_sample() -> None:
    """README of the sample: 13,202 self posts, 501 over 18 (self posts among them)."""
    path = shared("data", "reddit", "RS_top2013_1in48.ndjson.xz")
    with lzma.open(path) as stream:
        rows = [json.loads(line) for line in stream]
    expected = Counter(
        "self_post" if row["is_self"] else "over_18" if row["over_18"] else "low_score" if row["score"] < 3 else "rest" for row in rows
    )
    counts = select_links([str(path)]).counts
    assert (counts.total(), counts["self_post"]) == (46_782, 13_202)
    assert {name: counts[name] for name in ("self_post", "over_18")} == {name: expected[name] for name in ("self_post", "over_18")}
    # One link is Markdown, "http://[RedditTor](http://...)", and scored 23.
    assert (counts[RowFate.LOW_SCORE], counts[RowFate.ODD_URL]) == (expected["low_score"], 1)
    assert counts.total() - counts["self_post"] - counts["over_18"] - counts["low_score"] == expected["rest"]
