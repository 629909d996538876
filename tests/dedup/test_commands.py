"""Dedup as a user meets it on the command line; and runs of it that are killed."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
from pathlib import Path

import polars as pl
import pytest

from curation.lock import run_lock
from tests.curation.runs import command_line, outputs, run_here, table, write_rows
from tests.dedup.corpora import planted, text


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "pages.jsonl", planted(1, "p-"))


def test_an_index_on_the_command_line(tmp_path: Path, pages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index, more = tmp_path / "index", write_rows(tmp_path / "more.jsonl", planted(1, "q-", 10))
    assert run_here("dedup", "--input", pages, "--against", index, "--run", tmp_path / "1", "--quiet") == 0
    assert run_here("dedup", "--input", more, "--against", index, "--run", tmp_path / "2", "--quiet") == 0
    before = outputs(index)
    finished = outputs(tmp_path / "2")
    assert run_here("dedup", "--input", more, "--against", index, "--run", tmp_path / "2", "--quiet") == 0
    assert "1 of 1 parts reused" in capsys.readouterr().out.splitlines()[-3]
    assert run_here("dedup", "--input", more, "--against", index, "--run", tmp_path / "3", "--quiet") == 0
    assert outputs(index) == before
    assert outputs(tmp_path / "2") == finished
    assert kept_and_told(tmp_path / "3") == kept_and_told(tmp_path / "2")
    assert run_here("dedup", "merge", "--against", tmp_path / "merged", "--input", index) == 0
    assert "2 segments added" in capsys.readouterr().out
    with run_lock(str(index)):
        assert run_here("dedup", "--input", pages, "--against", index, "--run", tmp_path / "1", "--quiet") == 75


def test_a_merge_from_nothing_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("dedup", "merge", "--against", tmp_path / "merged", "--input", tmp_path / "missing") == 1
    assert capsys.readouterr().err == f"error: no such file: {tmp_path}/missing/index.json; check the path\n"
    assert list(tmp_path.iterdir()) == []


def test_six_files_of_every_kind_with_a_truth_made_by_hand(tmp_path: Path) -> None:
    page = text(1, 104)  # 100 shingles
    changed = page.rsplit(" ", 2)[0] + " new words"  # 98 of 102 shingles in common
    folder = tmp_path / "files"
    folder.mkdir()
    write_rows(folder / "1.jsonl", [{"id": "page", "text": page, "source": "webtext"}, {"id": "other", "text": text(2)}])
    rows = [{"id": "spelled", "text": page.upper(), "source": "crawl"}, {"id": "changed", "text": changed, "source": "crawl"}]
    (folder / "2.ndjson.gz").write_bytes(gzip.compress(b"\n".join(json.dumps(row).encode() for row in rows)))
    pl.DataFrame({"id": ["table", "short"], "text": [page + "!", "four words are short"]}).write_parquet(folder / "3.parquet")
    (folder / "4.txt").write_text("Four words, are SHORT.")
    (folder / "5.md").write_text(text(3))
    write_rows(folder / "6.json", [{"id": "short-other", "text": "four words are long"}, {"id": "marks", "text": "?!"}])
    assert run_here("dedup", "--input", folder, "--run", tmp_path / "run", "--set", "dedup.source_priority=[webtext]", "--quiet") == 0
    texts = table(tmp_path / "run", "dedup", "documents")["text"].to_list()
    assert sorted(texts) == sorted([page, text(2), "Four words, are SHORT.", text(3), "four words are long", "?!"])
    ledger = {row["id"]: (row["reason"], json.loads(row["detail"])) for row in table(tmp_path / "run", "dedup", "ledger").to_dicts()}
    assert {one: (reason, detail["duplicate_of"], detail["similarity"]) for one, (reason, detail) in ledger.items() if one != "short"} == {
        "spelled": ("exact_duplicate", "page", 1.0),
        "table": ("exact_duplicate", "page", 1.0),
        "changed": ("near_duplicate", "page", round(98 / 102, 6)),
    }
    assert ledger["short"][0] == "exact_duplicate"  # the text file has two marks more, and so is longer


def test_clusters_are_listed(tmp_path: Path, pages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("dedup", "clusters", "--run", tmp_path / "none") == 1
    assert "run python cli.py dedup" in capsys.readouterr().err
    assert run_here("dedup", "--input", pages, "--run", tmp_path / "run", "--quiet") == 0
    removed = int(next(iter(re.findall(r"(\d+) removed \(near", capsys.readouterr().out))))
    assert run_here("dedup", "clusters", "--run", tmp_path / "run", "--limit", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{removed} near" in lines[0]
    assert re.match(r"1\. \d+ documents, survivor p-\d+", lines[2])
    assert re.fullmatch(r"   - p-\d+ \((exact|near) [01]\.\d{3}\): [ a-z0-9]+", lines[4])
    assert sum(line[0].isdigit() for line in lines[2:] if line) == 2


@pytest.mark.parametrize("arguments", [["merge"], ["clusters", "--limit", "0"], ["other", "--run", "x"], []])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("dedup", *arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


def kept_and_told(run: Path) -> dict[str, bytes]:
    """Documents and ledger of a run."""
    return {name: content for name, content in outputs(run).items() if "/documents/" in name or "/ledger/" in name}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same pages, deduplicated without disturbance into ``run`` and ``index``."""
    folder = tmp_path_factory.mktemp("undisturbed")
    pages = write_rows(folder / "pages.jsonl", planted(1, "p-"))
    assert run_here("dedup", "--input", pages, "--against", folder / "index", "--run", folder / "run", "--quiet") == 0
    return folder


@pytest.mark.parametrize("moment", ["sketching", "linking", "comparing", "adding"])
def test_killed_at_any_moment_it_ends_as_if_nothing_had_been(tmp_path: Path, undisturbed: Path, moment: str) -> None:
    command = ["dedup", "--input", undisturbed / "pages.jsonl", "--against", tmp_path / "index", "--run", tmp_path / "run"]
    with subprocess.Popen(command_line(*command), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if moment in line:
                process.send_signal(signal.SIGKILL)
                break
        process.stderr.read()
    assert process.returncode == -signal.SIGKILL
    assert run_here(*command, "--quiet") == 0
    assert kept_and_told(tmp_path / "run") == kept_and_told(undisturbed / "run")
    assert outputs(tmp_path / "index") == outputs(undisturbed / "index")
    assert not list((tmp_path / "run").rglob(".scratch-*"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [(["dedup.bands=20"], "dedup.bands and dedup.rows belong together"), (["dedup.bands=20", "dedup.rows=9"], "take 180 permutations")],
)
def test_bands_that_cannot_work_are_refused_before_anything_is_read(
    settings: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.jsonl").write_text('{"text": "some words"}\n')
    chosen = [word for each in settings for word in ("--set", each)]
    for more in (["--dry-run"], []):
        assert run_here("dedup", "--input", tmp_path / "one.jsonl", "--run", tmp_path / "run", *chosen, *more) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
