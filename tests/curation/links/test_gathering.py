"""Bringing links together: against a plain loop over all rows, whatever the rule, the order and the partitions."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from curation.ids import hash_id
from curation.links import gathering
from curation.links.gathering import COLUMNS, SPILLED, Spill, gather, links_of, partition_count
from curation.links.judging import SharedLink
from curation.recipe_links import KarmaRule, LinksSettings

RULES = get_args(KarmaRule)


def frame_of(links: list[SharedLink]) -> pl.DataFrame:
    return pl.DataFrame([{"hash": hash_id(link.key), **asdict(link)} for link in links], schema=SPILLED)


def shared(key: str, score: int, id: str | None = None, **fields: Any) -> SharedLink:
    return SharedLink(**{"key": key, "url": f"http://{key}", "score": score, "subreddit": None, "created": None, "id": id, **fields})


def by_plain_loop(links: list[SharedLink], settings: LinksSettings) -> tuple[dict[str, tuple[int, int, list[str]]], Counter[str]]:
    """Karma, submissions and subreddits by key, and rows by fate."""
    counts: Counter[str] = Counter()
    unique: dict[str, dict[Any, SharedLink]] = defaultdict(dict)
    for number, link in enumerate(links):
        of_page = unique[link.key]
        name = link.id if link.id is not None else number
        if name in of_page:
            counts["repeated_submission"] += 1
        if name not in of_page or of_page[name].score < link.score:
            of_page[name] = link
    pages = {}
    for key, of_page in unique.items():
        scores = [link.score for link in of_page.values()]
        karma = sum(scores) if settings.karma == "sum" else max(scores)
        if karma < settings.min_karma:
            counts["low_karma"] += len(scores)
            continue
        counts["selected"] += len(scores)
        pages[key] = (karma, len(scores), sorted({link.subreddit for link in of_page.values() if link.subreddit}))
    return pages, counts


links_strategy = st.lists(
    st.builds(
        shared,
        st.sampled_from(["a.example/", "b.example/", "b.example/x", "c.example/"]),
        st.integers(-5, 9),
        st.none() | st.sampled_from("123456"),
        subreddit=st.just("ships"),
    ),
    max_size=30,
)


@given(links_strategy, st.sampled_from(RULES), st.randoms(use_true_random=False))
def test_links_are_those_of_a_plain_loop(links: list[SharedLink], rule: str, order: random.Random) -> None:
    settings = LinksSettings(karma=rule)  # type: ignore[arg-type]
    counts: Counter[str] = Counter()
    table = links_of(frame_of(links), settings, counts)
    pages, expected = by_plain_loop(links, settings)
    assert {row["key"]: (row["karma"], row["submissions"], row["subreddits"]) for row in table.to_dicts()} == pages
    assert counts - Counter(links=len(pages)) == expected
    assert table["key"].to_list() == sorted(pages, key=hash_id)
    order.shuffle(links)
    assert links_of(frame_of(links), settings, Counter()).equals(table)


def test_a_link_tells_of_all_its_submissions() -> None:
    rows = [
        shared("www.a.co.uk/", 3, "1", subreddit="b", created=1514764799, url="http://a.co.uk"),
        shared("www.a.co.uk/", 8, "2", subreddit="a", created=1483228800, url="https://www.a.co.uk/"),
        shared("www.a.co.uk/", 8, "3", subreddit="a", created=1483228801, url="http://www.a.co.uk/"),
        shared("www.a.co.uk/", 5, "4"),
    ]
    (row,) = links_of(frame_of(rows), LinksSettings(), Counter()).to_dicts()
    assert row == {
        "url": "https://www.a.co.uk/",  # of the best submission, the earlier one
        "key": "www.a.co.uk/",
        "domain": "a.co.uk",
        "karma": 8,
        "submissions": 4,
        "subreddits": ["a", "b"],
        "first_date": "2017-01-01T00:00:00Z",
        "last_date": "2017-12-31T23:59:59Z",
    }
    (row,) = links_of(frame_of(rows[3:]), LinksSettings(), Counter()).to_dicts()
    assert (row["subreddits"], row["first_date"], row["last_date"]) == ([], None, None)


def test_the_last_link_in_order_is_judged_like_all_others() -> None:
    """openwebtext2 writes the last address in its order without the test of its score."""
    rows = [shared(f"{letter}.example/", 1) for letter in "abz"]
    for rule in ("sum", "max"):
        assert links_of(frame_of(rows), LinksSettings(karma=rule), Counter()).is_empty()


def test_one_repeated_id_costs_one_row() -> None:
    """openwebtext2 rolls a batch of 100,000 rows back for one repeated id."""
    rows = [shared("a.example/", 2, "1"), shared("a.example/", 2, "1"), shared("a.example/", 2, "2"), shared("b.example/", 2, "1")]
    counts: Counter[str] = Counter()
    table = links_of(frame_of(rows), LinksSettings(karma="sum", min_karma=2), counts)
    assert dict(zip(table["key"], table["karma"], strict=True)) == {"a.example/": 4, "b.example/": 2}
    assert counts["repeated_submission"] == 1


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_partitions_and_spills_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int) -> None:
    monkeypatch.setattr(gathering, "FRAME_ROWS", 7)
    monkeypatch.setattr(gathering, "FLUSH_ROWS", 21)
    draw = random.Random(1)
    links = [shared(f"{draw.randrange(60)}.example/", draw.randrange(9), str(number)) for number in range(300)]
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, part in zip(folders, (links[:100], links[100:]), strict=True):
        spill = Spill(folder, partitions)
        for start in range(0, len(part), 5):
            spill.add(part[start : start + 5])
        spill.flush()
    files, counts = gather(folders, partitions, LinksSettings(), tmp_path)
    table = pl.concat([pl.read_parquet(file) for file in files])
    assert table.columns == list(COLUMNS)
    expected_counts: Counter[str] = Counter()
    assert table.equals(links_of(frame_of(links), LinksSettings(), expected_counts))
    assert counts == expected_counts
    assert not any(list(folder.iterdir()) for folder in folders)


def test_number_of_partitions() -> None:
    sizes = [0, 1 << 20, 32 << 20, 70 << 20, 1 << 30, 10 << 50]
    assert [partition_count(size) for size in sizes] == [1, 1, 1, 2, 32, 256]
