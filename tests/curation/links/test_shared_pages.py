"""Which pages were shared: exact addresses, whole domains, several tables; and what is no table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.errors import InputError
from curation.links.shared_pages import SharedPages, gather_shared_pages


def write_table(path: Path, rows: dict[str, int]) -> str:
    pl.DataFrame(
        {"url": [f"http://{key}" for key in rows], "key": list(rows), "karma": list(rows.values())},
        schema={"url": pl.String, "key": pl.String, "karma": pl.Int64},
    ).write_parquet(path)
    return str(path)


def test_the_best_karma_of_all_tables_counts(tmp_path: Path) -> None:
    tables = [
        write_table(tmp_path / "a.parquet", {"a.example/": 3, "b.example/x?y=1": 9}),
        write_table(tmp_path / "b.parquet", {"a.example/": 7}),
    ]
    pages = gather_shared_pages(tables, "url")
    for name, content in pages.to_files().items():
        (tmp_path / name).write_bytes(content)
    pages = SharedPages.open(str(tmp_path), "url")
    urls = ["https://www.a.example/#top", "http://b.example/x?utm_source=z&y=1", "http://b.example/x", "http://b.example/", "no address"]
    assert [pages.karma_of(url) for url in urls] == [7, 9, None, None, None]


def test_a_domain_stands_for_all_its_pages(tmp_path: Path) -> None:
    pages = gather_shared_pages([write_table(tmp_path / "a.parquet", {"en.a.co.uk/1": 3, "a.co.uk/2": 5})], "domain")
    assert [pages.karma_of(f"http://{host}/any") for host in ("a.co.uk", "x.y.a.co.uk", "b.co.uk", "co.uk")] == [5, 5, None, None]


def test_nothing_shared(tmp_path: Path) -> None:
    assert gather_shared_pages([write_table(tmp_path / "a.parquet", {})], "url").karma_of("http://a.example/") is None


def test_what_is_no_table_of_links(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("hello")
    pl.DataFrame({"url": ["a"]}).write_parquet(tmp_path / "other.parquet")
    for name, message in (
        ("none", "no such file"),
        ("text", "cannot be read"),
        ("other", r"no column key \(String\), karma \(Int64\)"),
    ):
        with pytest.raises(InputError, match=message):
            gather_shared_pages([str(tmp_path / f"{name}.parquet")], "url")
