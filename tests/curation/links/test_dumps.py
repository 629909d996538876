"""From dumps to a table: real months whose rows were counted by other means, equal bytes, and dumps that fail."""

from __future__ import annotations

import json
import lzma
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli import main
from curation.errors import InputError
from curation.links.dumps import LinksResult, write_links
from curation.progress import Progress
from curation.recipe_links import LinksSettings
from tests.curation.links.rows import submission, write_rows
from tests.shared_data import shared


def gather(folder: Path, *dumps: Path | str, workers: int = 1, **settings: Any) -> LinksResult:
    return write_links([str(dump) for dump in dumps], str(folder / "links.parquet"), LinksSettings(**settings), workers, Progress(True))


def karma_by_key(folder: Path) -> dict[str, int]:
    return dict(pl.read_parquet(folder / "links.parquet").select("key", "karma").iter_rows())


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
def test_every_row_of_a_real_month(
    tmp_path: Path, name: str, rows: int, well_scored: int, domains: dict[str, int], extensions: dict[str, int]
) -> None:
    result = gather(tmp_path, shared("data", "reddit", name))
    blocked = {"blocked_domain": sum(domains.values()), "blocked_extension": sum(extensions.values())}
    expected = {"low_score": rows - well_scored, **blocked, "selected": well_scored - sum(blocked.values())}
    assert {fate: count for fate, count in result.rows.items() if count} == {fate: count for fate, count in expected.items() if count}
    assert result.dumps == {str(shared("data", "reddit", name)): rows}


def test_july_2005_shares_two_pages_twice(tmp_path: Path) -> None:
    """One pair differs in ``www.``, the other in the fragment; the better scores are 8 and 4."""
    result = gather(tmp_path, shared("data", "reddit", "RS_v2_2005-07.xz"))
    karma = karma_by_key(tmp_path)
    assert result.rows["selected"] - len(karma) == 2
    assert (karma["sueandpaul.com/gmapPedometer/"], karma["db.uwaterloo.ca/~alopez-o/Coffee/caffaq.html"]) == (8, 4)
    dates = pl.read_parquet(tmp_path / "links.parquet").select(pl.min("first_date"), pl.max("last_date")).row(0)
    assert [date[:7] for date in dates] == ["2005-07", "2005-07"]


def test_every_row_of_a_large_sample(tmp_path: Path) -> None:
    """README of the sample: 13,202 self posts, 501 over 18 (self posts among them)."""
    path = shared("data", "reddit", "RS_top2013_1in48.ndjson.xz")
    with lzma.open(path) as stream:
        rows = [json.loads(line) for line in stream]
    expected = Counter(
        "self_post" if row["is_self"] else "over_18" if row["over_18"] else "low_score" if row["score"] < 3 else "rest" for row in rows
    )
    counts = gather(tmp_path, path).rows
    assert (counts.total(), counts["self_post"]) == (46_782, 13_202)
    first = ("self_post", "over_18", "low_score")
    assert {name: counts[name] for name in first} == {name: expected[name] for name in first}
    assert counts.total() - sum(counts[name] for name in first) == expected["rest"]
    assert counts["odd_url"] == 1  # Markdown, "http://[RedditTor](http://...)", scored 23


def test_karma_rules(tmp_path: Path) -> None:
    dump = write_rows(
        tmp_path / "RS_2015-01",
        *(
            submission(url="http://www.example.com/a?x=1&amp;y=2", score=4, subreddit="a"),
            submission(url="https://example.com/a?x=1&y=2#b"),
        ),
        *(submission(url="http://example.com/b", score=2), submission(url="http://example.com/b", score=2)),
        *(submission(url="http://example.com/c", score=5), submission(url="http://example.com/c", score=-4)),
    )
    a, b, c = ("example.com/a?x=1&y=2", "example.com/b", "example.com/c")
    expected = {"any": ({a: 4, c: 5}, 3, 3, 0), "sum": ({a: 7, b: 4}, 4, 0, 2), "max": ({a: 4, c: 5}, 4, 0, 2)}
    for rule, (karma, selected, low_score, low_karma) in expected.items():
        rows = gather(tmp_path, dump, karma=rule).rows
        assert karma_by_key(tmp_path) == karma
        assert (rows["selected"], rows["low_score"], rows["low_karma"]) == (selected, low_score, low_karma)


def test_bytes_are_equal_for_any_workers_and_order(tmp_path: Path) -> None:
    dumps = [
        write_rows(
            tmp_path / f"RS_{month}", *(submission(url=f"http://{month * number % 7}.example/{number % 50}") for number in range(300))
        )
        for month in range(1, 4)
    ]
    contents = set()
    for paths, workers in ((dumps, 1), (dumps[::-1], 1), (dumps, 2)):
        gather(tmp_path, *paths, workers=workers)
        contents.add((tmp_path / "links.parquet").read_bytes())
    assert len(contents) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_dates_are_utc_in_any_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openwebtext2 takes the machine's own time zone."""
    dump = write_rows(tmp_path / "RS", submission(created_utc=1514764799))
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        gather(tmp_path, dump, last_day="2017-12-31")
        assert pl.read_parquet(tmp_path / "links.parquet")["first_date"].to_list() == ["2017-12-31T23:59:59Z"]
    monkeypatch.undo()
    time.tzset()


def test_a_dump_that_fails_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_rows(tmp_path / "RS_2015-01", submission(), submission(score=1))
    cut = tmp_path / "RS_2015-02.xz"
    cut.write_bytes(lzma.compress(json.dumps(submission(url="http://lost.example/")).encode())[:-4])
    output = tmp_path / "out" / "links.parquet"
    assert main(["links", good, str(cut), "--output", str(output), "--quiet", "--workers", "1"]) == 1
    printed = capsys.readouterr()
    assert "links: 2 rows of 1 dumps: 1 low_score, 1 selected" in printed.out
    assert f"error: cannot decompress {cut}" in printed.err
    assert pl.read_parquet(output)["key"].to_list() == ["example.com/a"]
    summary = json.loads((tmp_path / "out" / "links.parquet.summary.json").read_bytes())
    assert summary["rows"].pop("total") == sum(summary["rows"].values()) == 2
    assert [failure["input"] for failure in summary["failed_inputs"]] == [str(cut)]
    with pytest.raises(InputError, match="cut short"):
        gather(tmp_path, cut)
    assert not (tmp_path / "links.parquet").exists()


def test_a_dump_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = write_rows(tmp_path / "RS_2015-01.ndjson", submission())
    (tmp_path / "other").symlink_to(dump)
    before = Path(dump).read_bytes()
    for inputs, output in ((dump, dump), (tmp_path, f"{tmp_path}/./RS_2015-01.ndjson"), (dump, tmp_path / "other")):
        assert main(["links", str(inputs), "--output", str(output), "--quiet", "--workers", "1"]) == 2
        assert "is an input, which it would replace" in capsys.readouterr().err
    assert Path(dump).read_bytes() == before


def test_no_link_at_all_is_an_empty_table(tmp_path: Path) -> None:
    result = gather(tmp_path, write_rows(tmp_path / "RS", submission(score=0)))
    assert result.links == 0
    assert karma_by_key(tmp_path) == {}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("links.last_day=soon", "input should be a day such as 2017-12-31"),
        ("links.karma=mean", "'any', 'sum' or 'max'"),
        ("links.blocked_domains=[nowhere.txt]", "no such file: nowhere.txt"),
    ],
)
def test_wrong_settings_end_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, message: str) -> None:
    assert main(["links", "none.zst", "--output", str(tmp_path / "links.parquet"), "--set", override]) in (1, 2)
    assert message in capsys.readouterr().err
