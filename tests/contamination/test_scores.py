"""Scores on dirty and clean items: against table C.1 of GPT-3, by hand, and against the bootstrap."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cli import main
from contamination.scores import Group, compare, compare_run, comparisons_to_csv, comparisons_to_json, relative_difference, summarise
from curation.errors import InputError, IntegrityError
from tests.shared_data import shared

PRINTED = 0.05  # half of the last printed digit of a score


def test_every_row_of_table_c1_follows_from_its_counts_and_scores() -> None:
    rows = list(csv.DictReader(shared("spec", "gpt3_table_c1.csv").read_text().splitlines()))
    assert len(rows) == 42
    for row in rows:
        dirty_count, clean_count, printed_all = int(row["dirty"]), int(row["clean"]), float(row["score_all"])
        dirty_score = float(row["score_dirty"]) if dirty_count else None
        assert dirty_count or row["name"] == "Winogrande"
        bleu = row["metric"].startswith("bleu")
        corners = []
        for dirty_shift in (-PRINTED, PRINTED):
            for clean_shift in (-PRINTED, PRINTED):
                dirty = Group(dirty_count, None if dirty_score is None else dirty_score + dirty_shift, None)
                clean = Group(clean_count, float(row["score_clean"]) + clean_shift, None)
                corners += [compare(dirty, clean, all_score=printed_all + shift if bleu else None) for shift in (-PRINTED, PRINTED)]
        assert abs(corners[0]["clean_percent"] - float(row["clean_pct"])) <= 0.5, row
        scores = [corner["all_score"] for corner in corners]
        assert min(scores) - PRINTED <= printed_all <= max(scores) + PRINTED, row
        differences = [corner["relative_difference"] for corner in corners]
        assert min(differences) - 0.5 <= float(row["rel_diff_pct"]) <= max(differences) + 0.5, row


def test_by_hand() -> None:
    values = compare(summarise(np.array([1.0, 1, 1, 0])), summarise(np.array([1.0, 0, 0, 0, 0, 0])))
    assert (values["dirty_score"], values["all_score"], values["clean_percent"]) == (0.75, 0.4, 60)
    assert values["clean_score"] == pytest.approx(1 / 6)
    assert values["relative_difference"] == pytest.approx(200 * (1 / 6 - 0.4) / (1 / 6 + 0.4))
    # Agresti and Coull for 3 of 4: 5 of 8, error sqrt(.625 * .375 / 8) = .1712
    assert values["dirty_low"] == pytest.approx(0.625 - 1.959964 * 0.171163, abs=1e-5)
    assert values["dirty_high"] == pytest.approx(0.625 + 1.959964 * 0.171163, abs=1e-5)
    # 1 of 1: 3 of 5, error sqrt(.6 * .4 / 5) = .2191; what is above 1 is cut off
    values = compare(summarise(np.array([1.0])), summarise(np.array([])))
    assert (values["dirty_low"], values["dirty_high"]) == (pytest.approx(0.6 - 1.959964 * 0.219089, abs=1e-5), 1)
    assert relative_difference(0, 0) == 0


def test_groups_without_items_have_no_scores() -> None:
    values = compare(summarise(np.array([])), summarise(np.array([0.5, 0.7])))
    assert (values["dirty_score"], values["relative_difference"], values["relative_low"], values["clean_percent"]) == (None, 0, None, 100)
    values = compare(summarise(np.array([0.5, 0.7])), summarise(np.array([])))
    assert (values["clean_score"], values["relative_difference"], values["clean_percent"]) == (None, None, 0)


def test_the_interval_is_the_bootstrap_s() -> None:
    generator = np.random.default_rng(1)
    dirty, clean = generator.random(400) ** 0.5, generator.random(900)
    values = compare(summarise(dirty), summarise(clean))
    drawn = []
    for _ in range(4000):
        some_dirty, some_clean = generator.choice(dirty, 400), generator.choice(clean, 900)
        drawn.append(relative_difference(some_clean.mean(), np.concatenate([some_dirty, some_clean]).mean()))
    width = values["relative_high"] - values["relative_low"]
    assert np.quantile(drawn, 0.025) == pytest.approx(values["relative_low"], abs=0.05 * width)
    assert np.quantile(drawn, 0.975) == pytest.approx(values["relative_high"], abs=0.05 * width)


def run_with_report(folder: Path) -> str:
    (folder / "contamination").mkdir()
    rows = [
        {"name": "quiz", "split": "test", "items": 4, "n": 9, "dirty": 1, "clean_percent": 75.0},
        {"name": "other", "split": "", "items": 2, "n": 8, "dirty": 0, "clean_percent": 100},
    ]
    (folder / "contamination" / "report.json").write_text(json.dumps(rows))
    (folder / "contamination" / "dirty_items.json").write_text(json.dumps({"quiz/test": [1], "other": []}))
    return str(folder)


def score_file(folder: Path, *rows: object) -> str:
    path = folder / "scores.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_run(tmp_path: Path) -> None:
    rows = [{"benchmark": "quiz/test", "item": item, "score": score} for item, score in enumerate([0, 1, 0.5])]
    rows += [{"benchmark": "quiz/test", "item": 0, "score": 3, "metric": "bleu"}, {"benchmark": "other", "item": 1, "score": 1}]
    comparisons = compare_run(run_with_report(tmp_path), [score_file(tmp_path, *rows)])
    assert [(row.benchmark, row.metric, row.items, row.scored, row.dirty, row.clean) for row in comparisons] == [
        ("quiz/test", "", 4, 3, 1, 2),
        ("quiz/test", "bleu", 4, 1, 0, 1),
        ("other", "", 2, 1, 0, 1),
    ]
    assert (comparisons[0].all_score, comparisons[0].dirty_score, comparisons[0].clean_score) == (0.5, 1.0, 0.25)
    assert json.loads(comparisons_to_json(comparisons))[2]["clean_score"] == 1.0
    assert comparisons_to_csv(comparisons).decode().splitlines()[1].startswith("quiz/test,,9,4,3,0.5,1,1.0,")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"benchmark": "quiz", "item": 0, "score": 1}, "line 2: benchmark is 'quiz'; those of the report are quiz/test, other"),
        ({"benchmark": "quiz/test", "item": 4, "score": 1}, "line 2: item is 4; quiz/test has items 0 to 3"),
        ({"benchmark": "quiz/test", "item": True, "score": 1}, "item is True"),
        ({"benchmark": "quiz/test", "item": 0, "score": "1"}, "score is '1', not a finite number"),
        ({"benchmark": "quiz/test", "item": 0, "score": float("nan")}, "score is nan, not a finite number"),
        ({"benchmark": "quiz/test", "item": 0, "score": 10**400}, "score is 10*, not a finite number"),
        ({"benchmark": "quiz/test", "item": 0, "score": 1, "metric": 3}, "metric is 3"),
        ({"benchmark": "quiz/test", "item": 3, "score": 1}, "item 3 of quiz/test has a score already"),
    ],
)
def test_scores_that_belong_to_no_item_are_refused(tmp_path: Path, row: object, message: str) -> None:
    path = score_file(tmp_path, {"benchmark": "quiz/test", "item": 3, "score": 0}, row)
    with pytest.raises(InputError, match=message):
        compare_run(run_with_report(tmp_path), [path])


def test_a_run_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report.json is missing; run `python cli.py decontaminate"):
        compare_run(str(tmp_path), [])


def test_a_damaged_report_is_refused(tmp_path: Path) -> None:
    path = Path(run_with_report(tmp_path)) / "contamination" / "dirty_items.json"
    path.write_bytes(path.read_bytes()[:9])
    with pytest.raises(IntegrityError, match=r"dirty_items.json is damaged .*run `python cli.py decontaminate"):
        compare_run(str(tmp_path), [])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("report", "[" * 100_000, "recursion"),
        ("report", '{"rows": []}', "it is no list of benchmarks"),
        ("report", "[1]", "it is no list of benchmarks"),
        ("report", '[{"split": "test"}]', "name of a benchmark is None"),
        ("report", '[{"name": "quiz", "split": "test", "n": 9, "items": "4"}]', "items of a benchmark is '4'"),
        ("dirty_items", "[1]", "it is no mapping of benchmarks to items"),
        ("dirty_items", '{"quiz/test": [1]}', "it holds no list of item numbers for other"),
        ("dirty_items", '{"quiz/test": [[1]], "other": []}', "it holds no list of item numbers for quiz/test"),
        (
            "dirty_items",
            '{"quiz/test": [1, 2], "other": []}',
            "it holds 2 items of quiz/test, and contamination/report.json has 1 dirty",
        ),
    ],
)
def test_a_report_of_another_shape_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, problem: str
) -> None:
    run = run_with_report(tmp_path)
    (tmp_path / "contamination" / f"{name}.json").write_text(content)
    scores = score_file(tmp_path, {"benchmark": "quiz/test", "item": 0, "score": 1})
    assert main(["contamination", "report", "--run", run, "--scores", scores]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {run}/contamination/{name}.json is damaged (") and problem in error and error.count("\n") == 1


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_with_report(tmp_path)
    assert main(["contamination", "report", "--run", run]) == 0
    assert capsys.readouterr().out.startswith(
        "quiz/test: 1 of 4 items dirty (75.00 % clean), n = 9\nother: 0 of 2 items dirty (100.00 % clean), n = 8\npage: "
    )
    scores = score_file(tmp_path, *({"benchmark": "quiz/test", "item": item, "score": item % 2} for item in range(4)))
    assert main(["contamination", "report", "--run", run, "--scores", scores]) == 0
    # dirty: item 1, which has 1; clean: 0, 0, 1; 2 (1/3 - 1/2) / (1/3 + 1/2) = -40 %
    assert "quiz/test: all 0.500, dirty 1.000 (1), clean 0.333 (3); relative difference -40.0 % (" in capsys.readouterr().out
    assert {path.suffix for path in (tmp_path / "contamination").glob("scores.*")} == {".json", ".csv", ".html"}
    assert "<svg" in (tmp_path / "contamination" / "scores.html").read_text()
    assert main(["contamination", "report", "--run", str(tmp_path / "none")]) == 1
    assert "run `python cli.py decontaminate" in capsys.readouterr().err
