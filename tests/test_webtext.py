"""The recipe WebText, from a dump and an archive to tokens, with planted pages whose fate is known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import STAGES
from curation.recipe import Recipe
from curation.recipe_file import load_recipe
from tests.curation.runs import ROOT, SENTENCE, run_here, table, write_pages, write_rows

RECIPE = ROOT / "recipes" / "webtext.yaml"
HOUSE = "The house on the hill is old. "  # eight words and marks
TOO_SHORT = HOUSE * 15 + "It stands alone now."  # 125
LONG_ENOUGH = HOUSE * 15 + "It stands alone, now and then."  # 128
GERMAN = "Der Hafen liegt an der Mündung des Flusses, und jeden Morgen kehren die Boote des Dorfes mit ihrem Fang zurück. " * 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("webtext")
    tale = "{} boats came home and told of {} winds and quiet seas. " + SENTENCE
    story = "".join(tale.format(word.capitalize(), word) for word in ("north", "south", "east", "west"))
    pages = {
        "https://site0.example/shared": story,
        "https://site1.example/hardly": story.replace("boats", "ships"),
        "https://site2.example/late": story.replace("boats", "barges"),
        "https://site3.example/short": TOO_SHORT,
        "https://site4.example/enough": LONG_ENOUGH,
        "https://site5.example/german": GERMAN,
        "https://site6.example/copy": story,
        "https://en.wikipedia.org/wiki/Boat": story.replace("boats", "canoes"),
    }
    write_pages(folder / "pages.warc.gz", pages)
    shared = [{"url": url, "score": 5, "created_utc": 1500000000, "subreddit": "ships"} for url in pages]
    shared[0] |= {"url": "http://www.site0.example/shared?utm_source=x", "score": 9}
    shared[1]["score"] = 2
    shared[2]["created_utc"] = 1514764800  # 2018 begins
    write_rows(folder / "RS_2017-07.ndjson", shared)
    overrides = ["--set", f"crawl.links=[{folder}/RS_2017-07.ndjson]", "--set", "tokenize.vocabulary_size=300"]
    overrides += ["--set", "tokenize.validation_fraction=0.5"]
    assert run_here("run", RECIPE, folder / "pages.warc.gz", "--run", folder / "run", "--quiet", *overrides) == 0
    return folder / "run"


def test_every_page_has_its_fate(run: Path) -> None:
    rows = {json.loads(row["detail"])["url"].rpartition("/")[2]: row["reason"] for row in table(run, "crawl", "ledger").to_dicts()}
    assert rows == {
        "hardly": "not_shared",
        "late": "not_shared",
        "short": "too_few_tokens",
        "german": "other_language",
        "Boat": "address_denied",
    }
    documents = table(run, "crawl", "documents").sort("url")
    assert documents.select("url", "source", "karma", "date").rows() == [
        ("https://site0.example/shared", "webtext", 9, "2024-05-18T01:02:03Z"),
        ("https://site4.example/enough", "webtext", 5, "2024-05-18T01:02:03Z"),
        ("https://site6.example/copy", "webtext", 5, "2024-05-18T01:02:03Z"),
    ]


def test_copies_go_and_the_rest_becomes_tokens(run: Path) -> None:
    assert len(table(run, "dedup", "documents")) == 2
    assert list((run / "tokens" / "webtext").glob("*.tokens"))
    assert not any((run / stage).exists() for stage in ("filter", "decontaminate", "model"))


def test_stages_are_those_of_the_program_in_its_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert tuple(Recipe().stages) == STAGES
    assert load_recipe(str(RECIPE), []).stages == ["crawl", "dedup", "tokenize"]
    assert run_here("run", RECIPE, "x.warc", "--run", tmp_path, "--set", "stages=[dedup, crawl]") == 2
    assert "in the order crawl, dedup" in capsys.readouterr().err
