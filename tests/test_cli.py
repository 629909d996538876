import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

import cli
from curation.ledger import Action, Reason
from curation.lock import run_lock
from tests.curation.runs import ROOT, SENTENCE, outputs, pages_of, rows_of, run_here, run_program, table, write_pages, write_rows

HEAVY = ("torch", "polars", "pydantic", "numpy", "numba", "fasttext", "tokenizers", "tiktoken", "trafilatura", "fsspec", "yaml", "rich")
Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail with an exit code and one line; returns the line."""

    def run(code: int, *arguments: object) -> str:
        capsys.readouterr()
        assert run_here(*arguments, *([] if arguments[0] in ("explain", "verify") else ["--quiet"])) == code
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1, captured.err
        assert "Traceback" not in captured.err
        return captured.err

    return run


# --- help and usage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["crawl"], ["train"]])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    program = (
        "import sys, cli\n"
        f"try: cli.main({[*command, '--help']!r})\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n")
    assert "usage: crawl2gpt" in done.stdout


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^ +{command}\b", shown, re.MULTILINE) for command in (*cli.COMMANDS, *cli.TOOLS))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["crwal", "x", "--run", "r"], "invalid choice: 'crwal'"),
        (["crawl", "x"], "the following arguments are required: --run"),
        (["crawl", "x", "--run", "r", "--workers", "0"], "0 is no positive whole number"),
        (["crawl", "x", "--run", "r", "--workers", "two"], "two is no positive whole number"),
        (["crawl", "x", "--run", "r", "--workers", "²"], "² is no positive whole number"),
        (["crawl", "x", "--run", "r", "--limit", "-1"], "-1 is no positive whole number"),
        (["crawl", "x", "--run", "r", "--limit", "1.5"], "1.5 is no positive whole number"),
        (["crawl", "x", "--run", "r", "--wrong"], "unrecognized arguments: --wrong"),
        (["dedup", "--run", "r", "--input"], "expected at least one argument"),
        (["explain", "--run", "r"], "the following arguments are required: URL_OR_ID"),
        (["crawl", "--run", "r"], "no input files; name WARC, WET or ARC files, a --snapshot, --paths or --places"),
        (["filter", "--run", "r"], "the filter has nothing to learn from"),
        (["run", "missing.yaml", "x"], "no such file: missing.yaml"),
        (["crawl", "x", "--run", "r", "--set", "crawl.extractor=dragnet"], "crawl.extractor: input should be 'blocks'"),
    ],
)
def test_usage_errors(
    arguments: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert problem in captured.err
    assert list(tmp_path.iterdir()) == []  # nothing was written


def test_recipe_errors_name_key_line_and_nearest_name(tmp_path: Path, refused: Refused) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 1\nfilter:\n  keeprule: none\n")
    said = refused(2, "crawl", "x.warc", "--run", tmp_path / "run", "--recipe", recipe)
    assert said == f"error: {recipe} line 3: unknown key filter.keeprule; did you mean keep_rule?\n"
    assert not (tmp_path / "run").exists()


# --- inputs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("missing.warc", None, "no such file"),
        ("no.warc", b"<html>This is no archive.</html>" * 20, "no.warc"),
        ("empty.warc.gz", b"", "empty.warc.gz"),
        ("text.warc.gz", gzip.compress(b"just text\n" * 50, mtime=0), "text.warc.gz"),
    ],
)
def test_unusable_crawl_inputs(tmp_path: Path, refused: Refused, name: str, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert problem in refused(1, "crawl", tmp_path / name, "--run", tmp_path / "run")
    assert not (tmp_path / "run/crawl/stage.json").exists()
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert (summary["exit_code"], problem in summary["error"]) == (1, True)


def test_folder_without_archives(tmp_path: Path, refused: Refused) -> None:
    assert "no input file matches" in refused(1, "crawl", tmp_path, "--run", tmp_path / "run")


def test_truncated_archive_gives_what_it_holds(tmp_path: Path, refused: Refused) -> None:
    path = write_pages(tmp_path / "site.warc.gz", pages_of(4))
    path.write_bytes(path.read_bytes()[:-20])
    said = refused(1, "crawl", path, "--run", tmp_path / "run", "--set", "crawl.max_quarantine_share=1")
    assert "site.warc.gz: " in said
    assert table(tmp_path / "run", "crawl", "documents")["id"].to_list() == ["00000000", "00000001", "00000002"]
    failed = json.loads((tmp_path / "run/summary.json").read_text())["failed_inputs"]
    assert [(failure["stage"], failure["input"]) for failure in failed] == [("crawl", str(path))]


def test_one_missing_file_among_others(tmp_path: Path, refused: Refused) -> None:
    path = write_pages(tmp_path / "site.warc.gz", pages_of(2))
    assert "no such file" in refused(1, "crawl", path, tmp_path / "missing.warc", "--run", tmp_path / "run")
    assert table(tmp_path / "run", "crawl", "documents").height == 2


def test_limit(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "site.warc.gz", pages_of(5))
    assert run_here("crawl", path, "--run", tmp_path / "run", "--limit", "2", "--quiet") == 0
    assert table(tmp_path / "run", "crawl", "documents")["id"].to_list() == ["00000000", "00000001"]
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(5))
    assert run_here("decontaminate", "--input", rows, "--run", tmp_path / "other", "--limit", "3", "--quiet") == 0
    assert table(tmp_path / "other", "decontaminate", "documents")["id"].to_list() == ["d0", "d1", "d2"]


def test_stage_without_the_one_before_it(tmp_path: Path, refused: Refused) -> None:
    said = refused(1, "dedup", "--run", tmp_path / "run")
    assert "run/filter holds no finished output; run the stage filter first, or give --input" in said


def test_stage_made_from_an_older_output_is_refused(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    # The inputs of small_run's filter were crawled with links; now they are crawled without.
    assert run_here("crawl", small_run.parent / "site.warc.gz", "--run", run, "--set", "crawl.links=[]", "--quiet") == 0
    assert "run/filter was made from another output of crawl; run the stage filter again" in refused(1, "dedup", "--run", run)
    assert "filter was made from another output of crawl" in refused(1, "train", "--run", run)


def test_documents_of_another_run_as_input(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(2))
    run = tmp_path / "run"
    assert run_here("decontaminate", "--input", small_run / "crawl", rows, "--run", run, "--quiet") == 0
    crawled = table(small_run, "crawl", "documents")
    assert table(run, "decontaminate", "documents").equals(pl.concat([crawled, table(run, "decontaminate/input", "documents")]))
    # The same documents by another way are the same.
    assert run_here("decontaminate", "--input", small_run / "crawl/documents", small_run / "crawl", "--run", run, "--quiet") == 0
    assert table(run, "decontaminate", "documents").equals(crawled)
    assert run_here("decontaminate", "--input", run / "decontaminate/input", "--run", tmp_path / "third", "--quiet") == 0
    assert table(tmp_path / "third", "decontaminate", "documents")["id"].to_list() == ["d0", "d1"]
    said = refused(1, "decontaminate", "--input", small_run / "crawl", small_run / "filter", "--run", tmp_path / "fourth")
    assert "12 ids stand in more than one of" in said


def test_unfinished_and_moved_stages_as_input(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    shutil.copytree(small_run / "crawl", tmp_path / "old/crawl")
    shutil.copytree(small_run / "crawl", tmp_path / "old/renamed")
    (tmp_path / "old/crawl/stage.json").unlink()
    said = refused(1, "decontaminate", "--input", tmp_path / "old/crawl", "--run", tmp_path / "run")
    assert "old/crawl is a stage that has not finished; run it again to its end" in said
    said = refused(1, "decontaminate", "--input", tmp_path / "old/renamed", "--run", tmp_path / "run")
    assert "old/renamed was the stage crawl of a run and is not in its place there; name RUN/crawl" in said


def test_no_positives_among_the_documents(tmp_path: Path, refused: Refused) -> None:
    short = write_rows(tmp_path / "short.jsonl", [{"text": "too short"}])
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    said = refused(2, "filter", "--input", rows, "--run", tmp_path / "run", "--set", f"filter.positives=[{short}]")
    assert "nothing to train the classifier on" in said
    assert "no such file" in refused(1, "filter", "--input", rows, "--run", tmp_path / "run", "--set", "filter.positives=[missing.jsonl]")


def test_benchmark_without_its_fields(tmp_path: Path, refused: Refused) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    for name, content in {"fields.jsonl": [{"unheard": "of"}], "missing.jsonl": None}.items():
        if content:
            write_rows(tmp_path / name, content)
        benchmarks = f"decontaminate.benchmarks=[{tmp_path / name}]"
        assert name in refused(1, "decontaminate", "--input", rows, "--run", tmp_path / "run", "--set", benchmarks)


def test_quarantine_over_tolerance(tmp_path: Path, refused: Refused) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [*rows_of(3), {"id": "no text"}])
    said = refused(3, "decontaminate", "--input", path, "--run", tmp_path / "run")
    assert "decontaminate/input: 1 of 4 documents are in quarantine" in said
    assert not (tmp_path / "run/decontaminate/input/stage.json").exists()
    assert json.loads((tmp_path / "run/summary.json").read_text())["exit_code"] == 3


# --- the run folder -----------------------------------------------------------------------------------


def test_run_that_is_a_file(tmp_path: Path, refused: Refused) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    assert "is a file; --run names a folder" in refused(2, "decontaminate", "--input", rows, "--run", rows)
    assert "is no run folder" in refused(1, "verify", "--run", rows)
    assert "is no run folder" in refused(1, "explain", "d0", "--run", rows)


def test_locked_run(tmp_path: Path, refused: Refused) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    with run_lock(str(tmp_path / "run")):
        said = refused(75, "decontaminate", "--input", rows, "--run", tmp_path / "run")
    assert "is in use by process" in said
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [".lock"]


def test_unknown_filesystem(tmp_path: Path, refused: Refused) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    assert "cannot reach nowhere://run" in refused(1, "decontaminate", "--input", rows, "--run", "nowhere://run")


def test_left_over_temporary_files_are_removed(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    for name in (".summary.json.tmp-01", "tokens/.tokenizer.json.tmp-23", "decontaminate/.stage.json.tmp-45"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_bytes(b"half")
    assert run_here("decontaminate", "--input", rows, "--run", tmp_path / "run", "--quiet") == 0
    assert not [path for path in (tmp_path / "run").rglob("*") if ".tmp-" in path.name]


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Refused) -> None:
    path = write_pages(tmp_path / "site.warc.gz", pages_of(2))
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    common = ["--run", tmp_path / "run", "--dry-run", "--set", "seed=7"]
    assert run_here("crawl", path, *common) == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["seed"] == 7
    assert f"# crawl would read 1 files, {path.stat().st_size:,} bytes\n# crawl would run\n" in shown
    assert run_here("decontaminate", "--input", rows, *common) == 0
    assert f"# decontaminate would read 1 files, {rows.stat().st_size:,} bytes\n" in capsys.readouterr().out
    assert "no such file" in refused(1, "crawl", tmp_path / "missing.warc", *common)
    assert "no such file" in refused(1, "decontaminate", "--input", tmp_path / "missing.jsonl", *common)
    assert "no such file" in refused(1, "filter", *common, "--set", "filter.positives=[missing.jsonl]")
    for value, code, said in (("[missing.jsonl]", 1, "no such file"), ("[{nam: x}]", 2, "not a benchmark spec (nam)")):
        assert said in refused(code, "decontaminate", "--input", rows, *common, "--set", f"decontaminate.benchmarks={value}")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["rows.jsonl", "site.warc.gz"]


def test_dry_run_of_a_finished_run_changes_nothing(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}
    assert run_here("crawl", small_run.parent / "site.warc.gz", "--run", small_run, "--dry-run") == 0
    assert "# crawl has a finished output" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in small_run.rglob("*")} == before


# --- what a run leaves behind ---------------------------------------------------------------------------


def test_every_document_has_its_reason(small_run: Path) -> None:
    for stage in ("crawl", "filter/positives", "filter", "decontaminate", "tokenize"):
        ledger = table(small_run, stage, "ledger")
        assert set(ledger["reason"]) <= set(Reason)
        assert set(ledger["action"]) <= set(Action)
        assert set(ledger["stage"]) <= {stage}
        counts = json.loads((small_run / stage / "stage.json").read_text())["counts"]
        fates = [counts["kept"], counts["changed"], *counts["removed"].values(), *counts["quarantined"].values()]
        assert counts["in"] == sum(fates) > 0
        assert ledger.height == counts["in"] - counts["kept"]


def test_summary_and_metrics_for_machines(small_run: Path) -> None:
    summary = json.loads((small_run / "summary.json").read_text())
    assert (summary["command"], summary["exit_code"], summary["error"], summary["failed_inputs"]) == ("tokenize", 0, None, [])
    assert set(summary["stages"]) == {"crawl", "filter/positives", "filter", "decontaminate", "tokenize"}
    assert summary["stages"]["crawl"]["counts"] == json.loads((small_run / "crawl/stage.json").read_text())["counts"]
    rows = [json.loads(line) for line in (small_run / "metrics.jsonl").read_text().splitlines()]
    assert [row["stage"] for row in rows] == ["crawl", "filter/positives", "filter", "decontaminate", "tokenize"]
    assert all(row["documents"] > 0 and row["peak_memory_bytes"] > 1 << 20 for row in rows)
    assert yaml.safe_load((small_run / "recipe.yaml").read_text())["tokenize"]["vocabulary_size"] == 300


def test_damaged_summary_is_written_anew(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    (tmp_path / "run").mkdir()
    for damage in ("{", '{"stages": {}, "details": null}'):
        (tmp_path / "run/summary.json").write_text(damage)
        assert run_here("decontaminate", "--input", rows, "--run", tmp_path / "run", "--quiet") == 0
        assert json.loads((tmp_path / "run/summary.json").read_text())["exit_code"] == 0


def test_unexpected_error_is_in_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cli, "_run_one", fail)
    with pytest.raises(ZeroDivisionError):
        run_here("train", "--run", tmp_path / "run")
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert (summary["exit_code"], summary["error"]) == (1, "a bug")


def test_explain_and_verify(small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Refused) -> None:
    assert run_here("explain", "http://www.example.org/3", "--run", small_run) == 0
    assert capsys.readouterr().out.startswith("document 00000003\n")
    assert "unknown is not in" in refused(1, "explain", "unknown", "--run", small_run)
    assert run_here("verify", "--run", small_run) == 0
    assert capsys.readouterr().out == f"verified: {len(outputs(small_run))} files of {small_run} are as their manifests say\n"
    shutil.copytree(small_run, tmp_path / "run")
    (tmp_path / "run/crawl/documents/part-00000.parquet").write_bytes(b"")
    assert "part-00000.parquet is damaged" in refused(1, "verify", "--run", tmp_path / "run")


def test_output_that_nobody_reads(small_run: Path) -> None:
    command = f"{sys.executable} {ROOT / 'cli.py'} explain 00000003 --run {small_run} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("closed", ["<&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_caller_closed(tmp_path: Path, closed: str) -> None:
    """As by some schedulers; the files of a run must not take their numbers."""
    rows = write_rows(tmp_path / "rows.jsonl", rows_of(3))
    command = f"{sys.executable} {ROOT / 'cli.py'} decontaminate --input {rows} --run {tmp_path / 'run'} {closed}"
    assert subprocess.run(["bash", "-c", command]).returncode == 0


def test_results_to_stdout_and_progress_to_stderr(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [*rows_of(3), {"id": "same", "text": SENTENCE}])
    done = run_program("decontaminate", "--input", rows, "--run", tmp_path / "run")
    assert re.fullmatch(
        r"decontaminate/input: 4 in, 4 kept; [\d.]+ s\ndecontaminate: 4 in, 4 kept; [\d.]+ s\n"
        rf"output: {tmp_path}/run/decontaminate\nnext: python cli\.py tokenize --run {tmp_path}/run\n",
        done.stdout,
    )
    assert done.stderr.splitlines()[:2] == [
        "note: decontaminate.benchmarks is empty, so no overlap can be found",
        "decontaminate/input: 1 parts",
    ]


def test_a_run_goes_on_with_its_own_recipe(tmp_path: Path) -> None:
    warc = write_pages(tmp_path / "site.warc.gz", pages_of(2))
    run = tmp_path / "run"
    assert run_here("crawl", warc, "--run", run, "--set", "crawl.source=archive", "--set", "dedup.threshold=0.7", "--quiet") == 0
    assert run_here("crawl", "--run", run, "--set", "crawl.dump=first", "--quiet") == 0  # the files, too, are the run's
    assert table(run, "crawl", "documents").select("source", "dump").unique().rows() == [("archive", "first")]
    recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["dedup"]["threshold"] == 0.7 and recipe["inputs"] == [str(warc)]


def test_pipes_and_empty_names_are_no_inputs(tmp_path: Path, refused: Refused) -> None:
    warc = write_pages(tmp_path / "site.warc.gz", pages_of(1))
    os.mkfifo(tmp_path / "pipe.warc.gz")
    assert "is no ordinary file" in refused(1, "crawl", tmp_path / "pipe.warc.gz", warc, "--run", tmp_path / "run")
    assert table(tmp_path / "run", "crawl", "documents").height == 1
    assert "an input path is empty" in refused(1, "crawl", "", "--run", tmp_path / "run")
    assert "name too long" in refused(1, "crawl", tmp_path / ("x" * 300), warc, "--run", tmp_path / "run")


def test_a_half_written_checkpoint_folder_is_swept(tmp_path: Path) -> None:
    warc = write_pages(tmp_path / "site.warc.gz", pages_of(1))
    left = tmp_path / "run/model/.checkpoint-000000000256.tmp-1f"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    assert run_here("crawl", warc, "--run", tmp_path / "run", "--quiet") == 0
    assert not left.exists()


def test_further_processes_have_part_in_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    """As torchrun starts them; some clusters set RANK for everything."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run_here("train", "--run", tmp_path / "run", "--dry-run") == 0
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("filter: {positives: [x]}")
    assert "only train is for several processes" in refused(2, "run", recipe, tmp_path / "x.warc", "--run", tmp_path / "run")
    assert "no such file" in refused(1, "crawl", tmp_path / "x.warc", "--run", tmp_path / "run")
