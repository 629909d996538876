"""Selection of pages by address, type and size: which rule decides, what the ledger says, what changes a run."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import InputError, UsageError
from curation.ledger import Reason
from curation.recipe import SelectSettings
from curation.recipe_file import load_recipe
from curation.selection import prepare_selection, why_not_selected
from curation.storage import sha256_of
from tests.curation.test_crawl import crawl, plain_page, table
from tests.curation.warc_samples import page_record, write


def judge(folder: Path, url: str | None, media_type: str = "text/html", body_bytes: int = 100, **settings: Any) -> tuple[Any, ...] | None:
    """What becomes of one page: reason and details, or None if it is selected."""
    recipe = SelectSettings(**settings)
    tables = None
    if recipe.names_addresses:
        content = prepare_selection(recipe).content
        tables = (str(folder / "addresses"), sha256_of(content))
        Path(tables[0]).write_bytes(content)
    return why_not_selected(url, media_type, body_bytes, recipe, tables)


def test_all_pages_are_selected_by_default(tmp_path: Path) -> None:
    assert judge(tmp_path, "http://example.org/") is None
    assert judge(tmp_path, None) is None
    assert judge(tmp_path, "no address", body_bytes=0) is None


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"deny_domains": ["example.org"]}, {"entry": "example.org", "list": "crawl.select.deny_domains"}),
        ({"deny_domains": ["Example.*"]}, {"entry": "example.*", "list": "crawl.select.deny_domains"}),
        ({"deny_extensions": [".PDF"]}, {"extension": "pdf"}),
        ({"deny_patterns": ["[?&]page="]}, {"pattern": "[?&]page="}),
    ],
)
def test_what_excludes(tmp_path: Path, settings: dict[str, Any], detail: dict[str, str]) -> None:
    url = "http://www.example.org/v1.0/report.Pdf?page=2"
    assert judge(tmp_path, url, **settings) == (Reason.ADDRESS_DENIED, detail)
    assert judge(tmp_path, url, **settings, allow_domains=["example.org"]) == (Reason.ADDRESS_DENIED, detail)
    assert judge(tmp_path, "http://example.com.invalid/pdf", **settings) is None


def test_what_includes(tmp_path: Path) -> None:
    settings = {"allow_domains": ["example.org"], "allow_patterns": ["^https://blog[.]"]}
    assert judge(tmp_path, "http://a.example.org/", **settings) is None
    assert judge(tmp_path, "https://blog.example.com/", **settings) is None
    for url in ("http://blog.example.com/", None, "file:///example.org"):
        assert judge(tmp_path, url, **settings) == (Reason.ADDRESS_NOT_ALLOWED, {})


def test_types_and_sizes(tmp_path: Path) -> None:
    url = "http://example.org/"
    assert judge(tmp_path, url, "text/plain", media_types=["text/html"]) == (Reason.OTHER_MEDIA_TYPE, {"media_type": "text/plain"})
    limits = {"min_body_bytes": 100, "max_body_bytes": 200}
    assert [judge(tmp_path, url, body_bytes=size, **limits) is None for size in (99, 100, 200, 201)] == [False, True, True, False]
    assert judge(tmp_path, url, body_bytes=99, **limits) == (Reason.OTHER_SIZE, {"body_bytes": 99, "min_body_bytes": 100})


def test_errors_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"crawl.select.deny_domains: 'two words' is no domain and no address"):
        prepare_selection(SelectSettings(deny_domains=["two words"]))
    with pytest.raises(UsageError, match=r"crawl.select.allow_patterns: input should be regular expressions .*unterminated"):
        load_recipe(None, ["crawl.select.allow_patterns=['(']"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no input file matches"):
        prepare_selection(SelectSettings(deny_lists=[str(tmp_path / "empty")]))


def test_pages_are_selected_unread_and_each_has_its_row(tmp_path: Path) -> None:
    """A folder like UT1's, a list by itself, and a page that no extractor would survive: it is never parsed."""
    for category in ("adult", "spam"):
        (tmp_path / "ut1" / category).mkdir(parents=True)
    (tmp_path / "ut1" / "adult" / "domains").write_text("site1.example\n")
    (tmp_path / "ut1" / "adult" / "usage").write_text("black\n")
    (tmp_path / "ut1" / "spam" / "urls").write_text("site2.example/page\n")
    (tmp_path / "more.txt.gz").write_bytes(gzip.compress(b"site3.example\n"))
    deep = page_record(3, b"<div>" * 100_000)
    path = write(tmp_path / "pages.warc", plain_page(1, "one") + plain_page(2, "two") + deep + plain_page(4, "four"))
    lists = [str(tmp_path / "ut1"), str(tmp_path / "more.txt.gz")]
    result = crawl(tmp_path, path, select={"deny_lists": lists})
    assert [document["text"] for document in table(tmp_path, "documents")] == ["four"]
    assert dict(result.counts.removed) == {"address_denied": 3}
    details = [json.loads(row["detail"]) for row in table(tmp_path, "ledger")]
    assert [(detail["list"], detail["entry"]) for detail in details] == [
        ("adult/domains", "site1.example"),
        ("spam/urls", "site2.example/page/"),
        ("more.txt.gz", "site3.example"),
    ]
    prepared = json.loads((tmp_path / "run" / "crawl" / "prepared" / "prepared.json").read_text())
    assert [entry["name"] for entry in prepared["values"]["lists"]] == ["more.txt.gz", "adult/domains", "spam/urls"]


def test_a_changed_list_makes_the_run_again_and_an_equal_one_does_not(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", plain_page(1, "one") + plain_page(2, "two"))
    (tmp_path / "list.txt").write_text("site1.example\n")
    runs = [crawl(tmp_path, path, select={"deny_lists": [str(tmp_path / "list.txt")]}) for _ in range(2)]
    assert [run.reused for run in runs] == [0, 1]
    (tmp_path / "list.txt").write_text("site2.example\n")
    assert crawl(tmp_path, path, select={"deny_lists": [str(tmp_path / "list.txt")]}).reused == 0
    assert [document["text"] for document in table(tmp_path, "documents")] == ["one"]
