"""All stages in one run, with planted cases whose fate is known beforehand."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.curation.runs import outputs, run_here, run_program, write_pages, write_rows
from trainer.token_shards import read_header

PARAGRAPHS = 4
QUESTION = (
    "Which of the seven lighthouse keepers on the northern shore wrote down the height of every tide "
    "between the first storm of autumn and the last frost of spring"
)
RECIPE = """
seed: 7
filter: {{positives: [{folder}/curated.jsonl], keep_rule: none}}
decontaminate: {{benchmarks: [{folder}/lighthouse.jsonl]}}
tokenize: {{vocabulary_size: 400, validation_fraction: 0.2}}
train:
  {{preset: pico, context_length: 32, batch_tokens: 128, tokens: 2560, warmup_tokens: 256, decay_tokens: 2560,
    validation_every_tokens: 1280, validation_tokens: 256, checkpoint_every_tokens: 1280, sample_tokens: 5}}
"""


def paragraph(seed: str, words: int = 60) -> str:
    """Words that no other seed repeats in the same order."""
    generator = random.Random(seed)
    syllables = ["ba", "ke", "lo", "mi", "nu", "ra", "se", "ti", "vo", "zu"]
    invented = ["".join(generator.choices(syllables, k=3)) for _ in range(words)]
    return " ".join(invented).capitalize() + "."


def prose(seed: str) -> str:
    return " ".join(paragraph(f"{seed}/{number}") for number in range(PARAGRAPHS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs: 24 plain pages and four planted ones, six curated texts, one benchmark of two questions."""
    folder = tmp_path_factory.mktemp("pipeline")
    pages = {f"https://example.org/{number}": prose(f"page {number}") for number in range(24)}
    words = prose("page 3").split()
    words[100] = "changed"  # of 240 words: five of 236 shingles differ, so J = 231 / 241 = .96
    pages |= {
        "https://example.org/copy": prose("curated 2"),
        "https://example.org/near": " ".join(words),
        "https://example.org/leak": f"{prose('before')} {QUESTION}. {prose('after')}",
        "https://example.org/empty": "",
    }
    write_pages(folder / "site.warc.gz", pages)
    write_rows(folder / "curated.jsonl", [{"id": f"c{number}", "text": prose(f"curated {number}")} for number in range(6)])
    questions = [{"question": QUESTION, "answer": "the third"}, {"question": paragraph("unused"), "answer": ""}]
    write_rows(folder / "lighthouse.jsonl", questions)
    (folder / "recipe.yaml").write_text(RECIPE.format(folder=folder), encoding="utf-8")
    assert run_here("run", folder / "recipe.yaml", folder / "site.warc.gz", "--run", folder / "run", "--quiet") == 0
    return folder


def table(run: Path, stage: str, kind: str) -> pl.DataFrame:
    return pl.read_parquet(run / stage / kind / "*.parquet")


def fates(run: Path, stage: str) -> dict[str, tuple[str, dict[str, object]]]:
    return {row["id"]: (row["reason"], json.loads(row["detail"])) for row in table(run, stage, "ledger").to_dicts()}


def ids_by_page(run: Path) -> dict[str, str]:
    crawled = table(run, "crawl", "documents")
    return {url.rpartition("/")[2]: document_id for url, document_id in zip(crawled["url"], crawled["id"], strict=True)}


def test_every_planted_case_has_its_fate(folder: Path) -> None:
    run = folder / "run"
    ids = ids_by_page(run)
    assert [reason for reason, _ in fates(run, "crawl").values()] == ["empty_text"]
    removed = fates(run, "dedup")
    reason, detail = removed.pop(ids["copy"])
    assert (reason, detail["duplicate_of"]) == ("exact_duplicate", "curated:c2")
    ((loser, (reason, detail)),) = removed.items()
    assert {loser, detail["duplicate_of"]} == {ids["near"], ids["3"]}  # the better score stays
    assert reason == "near_duplicate" and detail["similarity"] == pytest.approx(231 / 241, abs=1e-6)
    changed = fates(run, "decontaminate")
    assert changed.keys() == {ids["leak"]}
    reason, detail = changed[ids["leak"]]
    assert reason == "contaminated" and detail["items"] == ["lighthouse#0"]


def test_pieces_of_the_leaking_page_lie_around_the_window(folder: Path) -> None:
    run = folder / "run"
    leak = ids_by_page(run)["leak"]
    whole = table(run, "dedup", "documents").filter(pl.col("id") == leak)["text"].item()
    start = whole.index(QUESTION)
    pieces = table(run, "decontaminate", "documents").filter(pl.col("id").str.starts_with(leak)).to_dicts()
    # 200 characters go on each side of the first to the last word of the question.
    spans = [(0, start - 200), (start + len(QUESTION) + 200, len(whole))]
    assert [(piece["id"], piece["text"]) for piece in pieces] == [(f"{leak}#{k}", whole[slice(*span)]) for k, span in enumerate(spans)]
    assert [piece["pieces"] for piece in pieces] == [{"parent": leak, "start": first, "end": last} for first, last in spans]


def test_the_contamination_report_names_the_leaked_question(folder: Path) -> None:
    (row,) = json.loads((folder / "run/contamination/report.json").read_text())
    assert (row["name"], row["items"], row["dirty"], row["documents_hit"]) == ("lighthouse", 2, 1, 1)


def token_files(run: Path, split: str) -> Iterator[Path]:
    yield from sorted((run / "tokens").glob(f"*/{split}-*.tokens"))


def test_every_document_ends_in_the_tokens(folder: Path) -> None:
    run = folder / "run"
    documents = table(run, "decontaminate", "documents").height
    assert documents == 24 + 6 + 2  # plain pages, curated texts, two pieces
    ends = [read_header(path).documents for split in ("train", "validation") for path in token_files(run, split)]
    assert sum(ends) == documents


def test_the_run_ends_with_a_model_and_a_report(folder: Path) -> None:
    run = folder / "run"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["exit_code"] == 0 and summary["details"]["train"]["tokens"] == 2560
    assert (run / "model/checkpoint-000000002560/model.safetensors").exists()
    page = (run / "report/index.html").read_text(encoding="utf-8")
    assert "lighthouse" in page and "near duplicate" in page
    assert run_here("verify", "--run", run) == 0


def test_a_second_run_does_nothing_again(folder: Path) -> None:
    before = outputs(folder / "run")
    assert run_here("run", folder / "recipe.yaml", folder / "site.warc.gz", "--run", folder / "run", "--quiet") == 0
    assert outputs(folder / "run") == before
    stages = json.loads((folder / "run/summary.json").read_text())["stages"]
    assert all(stage["reused"] == stage["parts"] for name, stage in stages.items() if name != "report")


def test_a_wrong_value_leaves_the_model_where_it_is(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    before = outputs(run)
    assert run_here("train", "--run", run, "--set", "train.preset=pcio", "--quiet") == 2
    assert run_here("train", "--run", run, "--set", "train.mixture={nowhere: 1}", "--quiet") == 2
    assert outputs(run) == before


def test_a_model_set_aside_comes_back_with_its_recipe(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    weights = run / "model/checkpoint-000000002560/model.safetensors"
    before = weights.read_bytes()
    assert run_here("train", "--run", run, "--set", "train.tokens=128", "--quiet") == 0
    assert not weights.exists()
    assert run_here("train", "--run", run, "--set", "train.tokens=2560", "--quiet") == 0
    assert weights.read_bytes() == before
    assert json.loads((run / "summary.json").read_text())["stages"]["train"]["reused"] == 1


def unfinished(folder: Path, run: Path) -> Path:
    """A copy of the run whose training has only got to its last checkpoint."""
    shutil.copytree(folder / "run", run)
    (run / "model/manifest.json").unlink()
    return run


def test_a_dry_run_says_where_training_would_go_on(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run, said in ((folder / "run", "is finished: "), (unfinished(folder, tmp_path / "run"), "would go on from ")):
        before = outputs(run / "model")
        assert run_here("train", "--run", run, "--dry-run", "--set", "train.tokens_per_second=1000") == 0
        output = capsys.readouterr().out
        assert f"# train: {said}{run}/model" in output and "0 steps to 2,560 tokens" in output and "0 seconds at" in output
        assert outputs(run / "model") == before
    assert run_here("train", "--run", run, "--dry-run", "--set", "train.tokens=5120", "--set", "train.tokens_per_second=1000") == 0
    assert f"# train: would begin anew: {run}/model holds another training" in capsys.readouterr().out


def test_other_tokens_under_a_checkpoint_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = unfinished(folder, tmp_path / "run")
    assert run_here("tokenize", "--run", run, "--set", "tokenize.validation_fraction=0.3", "--quiet") == 0
    before = outputs(run / "model")
    assert run_here("train", "--run", run, "--quiet") == 1
    said = capsys.readouterr().err
    assert "unfinished training on other tokens: token file tokens/" in said and "has changed" in said and "tokenize as before" in said
    assert outputs(run / "model") == before
    # What is finished is another matter: it is set aside, and says which files it was made of.
    shutil.copy(folder / "run/model/manifest.json", run / "model/manifest.json")
    assert run_here("train", "--run", run) == 0
    assert "the earlier model is now" in capsys.readouterr().err and list(run.glob("model-*"))


def test_a_token_file_that_somebody_changed_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = unfinished(folder, tmp_path / "run")
    changed = next(token_files(run, "train"))
    content = bytearray(changed.read_bytes())
    content[40] ^= 1  # a token
    changed.write_bytes(content)
    assert run_here("train", "--run", run, "--quiet") == 1
    assert f"{changed} is damaged or was changed since tokenize wrote it" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "lie"), [(b'"validation"', b'"train"'), (b'"source": "', b'"source": "x')])
def test_a_header_that_somebody_changed_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: bytes, lie: bytes
) -> None:
    run = unfinished(folder, tmp_path / "run")
    header = next(token_files(run, "validation")).with_suffix(".json")
    header.write_bytes(header.read_bytes().replace(said, lie))
    assert run_here("train", "--run", run, "--quiet") == 1
    assert f"{header} is damaged or was changed since tokenize wrote it" in capsys.readouterr().err


def test_two_workers_in_another_world_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    environment = {"PYTHONHASHSEED": "99", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = ("run", folder / "recipe.yaml", folder / "site.warc.gz", "--run", tmp_path / "run", "--workers", "2", "--quiet")
    assert run_program(*command, environment=environment).returncode == 0
    ours, theirs = outputs(folder / "run"), outputs(tmp_path / "run")
    # The training log holds speeds, and the manifest of the model its checksum.
    training = ("model/metrics.jsonl", "model/manifest.json")
    timed = {name for name in ours if name in training or name.endswith("/state.json")}
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name] and name not in timed] == []
