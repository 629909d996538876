"""``filter train`` and ``filter inspect`` as a user types them."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from cli import main
from quality_filter.scorer import QualityScorer
from tests.curation.warc_samples import member, page_record

GOOD = ["essay", "chapter", "argument", "history", "novel"]
BAD = ["buy", "cheap", "click", "casino", "pills"]
SMALL = [f"filter.{value}" for value in ("dimension=4", "epochs=5", "learning_rate=0.5", "buckets=1000")]
COMMON = [*(word for value in SMALL for word in ("--set", value)), "--workers", "2", "--quiet"]


def text(number: int, good: bool) -> str:
    return " ".join(random.Random(number).choices(GOOD if good else BAD, k=60))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "curated.jsonl").write_text("".join(json.dumps({"id": str(n), "text": text(n, True)}) + "\n" for n in range(30)))
    (folder / "books").mkdir()
    for number in range(3):
        (folder / "books" / f"{number}.txt").write_text(text(100 + number, True))
    rows = ({"id": str(n), "text": text(200 + n, n % 4 == 0), "url": f"http://site{n}.example/"} for n in range(40))
    (folder / "raw.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    output = folder / "model"
    arguments = ["--positives", folder / "curated.jsonl", folder / "books", "--negatives", folder / "raw.jsonl", "--output", output]
    assert main(["filter", "train", *map(str, arguments), *COMMON]) == 0
    return output


def test_a_model_folder_and_its_card(folder: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(path.name for path in model.iterdir())
    assert names == ["card.html", "card.json", *(f"fold-{fold}.bin" for fold in range(5)), "model.json"]  # nothing temporary is left
    card = json.loads((model / "card.json").read_text())
    assert card["surveyed"] == {"positives": 33, "negatives": 40}
    assert len(card["files"]["positives"]) == 4
    again = ["--positives", folder / "curated.jsonl", folder / "books", "--negatives", folder / "raw.jsonl", "--output", folder / "again"]
    assert main(["filter", "train", *map(str, again), *COMMON[:-3], "--workers", "1", "--quiet"]) == 0
    assert "held out by site" in capsys.readouterr().out
    for name in names:
        assert (folder / "again" / name).read_bytes() == (model / name).read_bytes(), name


def test_the_model_filters_a_run_and_scores_elsewhere(folder: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = [
        "--input",
        folder / "raw.jsonl",
        "--run",
        folder / "run",
        "--set",
        f"filter.model={model}",
        "--set",
        "filter.keep_rule=threshold",
    ]
    assert main(["filter", *map(str, run), "--quiet"]) == 0
    assert "40 in, 10 kept, 30 removed (low_quality)" in capsys.readouterr().out
    scorer = pickle.loads(pickle.dumps(QualityScorer(str(model))))
    scores = scorer.scores([text(1, True), text(2, False), "too short", None], ["http://a.example/", None, None, None])
    assert scores[0] > 0.5 > scores[1] and np.isnan(scores[2:]).all()
    assert str(model / "model.json") in scorer.resources()
    # The run's own scores are those that the scorer gives to text and address.
    assert main(["filter", "inspect", "http://site5.example/", "--run", str(folder / "run")]) == 0
    told = capsys.readouterr().out
    score = scorer.scores([text(205, False)], ["http://site5.example/"])[0]
    assert f"score {score:.6f} of 60 words" in told
    assert "keep rule threshold: removed (threshold 0.5)" in told


def test_inspect_a_text_file(folder: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "page.txt"
    path.write_text("An essay: history, casino and novel casino casino")
    assert main(["filter", "inspect", str(path), "--model", str(model), "--set", "filter.rules.presets=[gopher]"]) == 0
    told = capsys.readouterr().out
    supporting, opposing = told.split("strongest n-grams for\n")[1].split("  strongest n-grams against\n")
    assert "novel" in supporting and "casino" not in supporting.split("\n")[0]
    assert "casino" in opposing.split("\n")[0]
    assert "keep rule pareto: " in told and "draw " in told
    assert "gopher_too_few_words" in told and "FAILS" in told
    path.write_text("too short")
    assert main(["filter", "inspect", str(path), "--model", str(model)]) == 0
    assert "not scored: 2 words, and the model judges no less than 5" in capsys.readouterr().out


def test_inspect_a_curated_text(folder: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["filter.keep_rule=threshold", "filter.threshold=1", f"filter.positives=[{folder}/curated.jsonl]", f"filter.model={model}"]
    settings = [word for value in [*chosen, "filter.rules.presets=[gopher]"] for word in ("--set", value)]
    run = str(folder / "run-curated")
    assert main(["filter", "--input", str(folder / "raw.jsonl"), "--run", run, *settings, "--quiet"]) == 0
    assert "70 in, 30 kept" in capsys.readouterr().out  # the curated ones, by no rule
    assert main(["filter", "inspect", "curated:1", "--run", run]) == 0
    told = capsys.readouterr().out
    assert "a curated text: kept whatever its score, and no rule applies to it" in told
    assert "keep rule" not in told and "gopher" not in told


def test_archives_train_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def archive(name: str, good: bool) -> str:
        bodies = [f"<html><body><article><p>{text(number, good)}</p></article></body></html>".encode() for number in range(20)]
        pages = [member(page_record(number + 1000 * good, body)) for number, body in enumerate(bodies)]
        (folder / f"{name}.warc.gz").write_bytes(b"".join(pages))
        return str(folder / f"{name}.warc.gz")

    arguments = ["--positives", archive("good", True), "--negatives", archive("bad", False), "--output", str(folder / "from-archives")]
    assert main(["filter", "train", *arguments, *COMMON]) == 0
    assert "AUC 1.0000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "--positives", "a.jsonl"], 2, "required: --negatives, --output"),
        (["inspect"], 2, "required: DOCUMENT"),
        (["inspect", "nowhere.txt", "--model", "{model}"], 1, "nowhere.txt is not a text file"),
        (["inspect", "{raw}"], 1, "no model to score with; give --model FOLDER"),
        (
            ["train", "--positives", "{raw}", "--negatives", "{raw}", "{model}/fold-0.bin", "--output", "{raw}-out"],
            1,
            "holds no file of a known kind",
        ),
        ([], 2, "--run"),
    ],
)
def test_what_is_missing_is_said(
    arguments: list[str], code: int, said: str, folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [each.format(model=model, raw=folder / "raw.jsonl") for each in arguments]
    assert main(["filter", *filled]) == code
    error = capsys.readouterr().err
    assert said in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("error: ")
