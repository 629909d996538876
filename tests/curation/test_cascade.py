"""The cascade: which pages are not extracted, what the ledger says of them, and when the text itself decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curation.cascade import why_unreachable
from curation.crawl import run_crawl
from curation.extraction.draft import PageDraft, draft
from curation.extraction.extractor import HtmlPage
from curation.ledger import Reason
from curation.progress import Progress
from curation.recipe import CascadeSettings, CrawlSettings
from curation.runner import RunContext, StageResult
from tests.curation.cascade_judge import WordJudge
from tests.curation.test_crawl import GERMAN, bare, plain_page, table
from tests.curation.warc_samples import page_headers, page_record, warc_record, write

GOOD = "Every morning the boats of the village return to the harbour with what they have caught in the night."
POOR = "Buy now and save on all our offers of this week, because stocks of these products are limited."


def html(number: int, text: str) -> bytes:
    return page_record(number, f"<html><head><title>Page</title></head><body><article><p>{text}</p></article></body></html>".encode())


def crawl(folder: Path, path: str, judge: WordJudge, margin: float = 0.2, **settings: Any) -> StageResult:
    recipe = CrawlSettings(max_quarantine_share=1.0, cascade=CascadeSettings(model="not read here", margin=margin), **settings)
    return run_crawl(recipe, [path], RunContext(str(folder / "run"), 1, Progress(quiet=True)), judge=judge)


def texts(folder: Path) -> list[str]:
    return [document["text"] for document in table(folder, "documents")]


def test_what_cannot_reach_the_filter_is_not_extracted(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", html(1, GOOD) + html(2, POOR))
    result = crawl(tmp_path, path, WordJudge(0.8))
    assert texts(tmp_path) == [GOOD]
    assert dict(result.counts.removed) == {"unreachable_quality": 1}
    (row,) = table(tmp_path, "ledger")
    detail = json.loads(row["detail"])
    assert (row["id"], detail["score"], detail["needed"], detail["margin"]) == (bare(2), 0.1, 0.8, 0.2)
    assert detail["draw"] == pytest.approx(0.2) and detail["url"] == "http://site2.example/page"


@pytest.mark.parametrize(("asked", "margin", "skipped"), [(0.8, 0.2, True), (0.8, 0.75, False), (0.25, 0.125, True), (0.2, 0.1, False)])
def test_the_margin_must_be_missed(asked: float, margin: float, skipped: bool) -> None:
    settings = CrawlSettings(cascade=CascadeSettings(model="not read here", margin=margin))
    found = why_unreachable(PageDraft(POOR, ""), None, "id", settings, WordJudge(asked))
    assert (found is not None and found[0] is Reason.UNREACHABLE_QUALITY) == skipped


def test_texts_that_cost_nothing_and_drafts_that_say_nothing_go_on(tmp_path: Path) -> None:
    wet = warc_record(POOR.encode(), page_headers(2, "conversion"))
    content = plain_page(1, POOR) + wet + html(3, "Buy now!") + html(4, "")
    # Our own extractor finds no main content in so short a page.
    result = crawl(tmp_path, write(tmp_path / "pages.warc", content), WordJudge(0.8), extractor="trafilatura")
    assert texts(tmp_path) == [POOR, POOR, "Buy now!"]
    assert dict(result.counts.removed) == {"empty_text": 1}


def test_sources_that_the_filter_spares_are_extracted(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", html(1, POOR))
    assert crawl(tmp_path, path, WordJudge(0.8), source="curated").counts.kept == 1


def test_a_page_that_no_draft_survives_is_judged_by_its_text(tmp_path: Path) -> None:
    deep = page_record(1, b"<html><body>" + b"<div>" * 5000 + POOR.encode())
    result = crawl(tmp_path, write(tmp_path / "deep.warc", deep), WordJudge(0.8))
    assert (result.counts.entered, dict(result.counts.removed), dict(result.counts.quarantined)) == (1, {}, {"page_too_deep": 1})


def test_a_draft_tells_the_language(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", html(1, GERMAN) + html(2, GOOD))
    crawl(tmp_path, path, WordJudge(0.0), languages=["en"])
    assert texts(tmp_path) == [GOOD]
    (row,) = table(tmp_path, "ledger")
    detail = json.loads(row["detail"])
    assert (row["reason"], detail["language"], detail["text"]) == ("other_language", "de", "draft")


def test_another_judge_makes_the_run_again(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", html(1, POOR))
    assert [crawl(tmp_path, path, WordJudge(asked)).reused for asked in (0.8, 0.8, 0.2)] == [0, 1, 0]
    assert texts(tmp_path) == [POOR]


def test_views_of_a_draft_are_its_texts_and_their_long_lines() -> None:
    page = HtmlPage(f"<html><body><nav><a>Menu</a></nav><main><p>{GOOD}</p></main><aside>{POOR}</aside></body></html>")
    found = draft(page)
    assert "Menu" in found.whole and POOR in found.whole and "Menu" not in found.main
    assert PageDraft(f"Menu\n{GOOD}", f"Menu\nEight words stand in this very short line\n{GOOD}").views() == [
        f"Menu\n{GOOD}",
        GOOD,
        f"Eight words stand in this very short line\n{GOOD}",
    ]
    assert PageDraft("", " \n").views() == []


def test_a_draft_has_what_is_there_for_readers_without_scripts() -> None:
    found = draft(HtmlPage(f"<html><body><p>Loading...</p><noscript><p>{GOOD}</p></noscript></body></html>"))
    assert GOOD in found.whole


def test_banners_do_not_outweigh_the_text() -> None:
    banner = "We and our partners use cookies to store information on a device, such as what you have looked at before."
    assert PageDraft("", f"{GOOD}\n{banner}\n{banner}").views()[-1] == GOOD


def test_a_text_that_the_main_content_misses_is_still_judged() -> None:
    found = why_unreachable(PageDraft(POOR, f"{POOR}\n{GOOD}"), None, "id", CrawlSettings(), WordJudge(0.8))
    assert found is None
