"""`torchrun -- cli.py train`: one run by two processes, from the command line to the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.curation.runs import ROOT, rows_of, run_here, write_rows
from trainer.metrics import read_metrics

TRAIN = (
    "train: {preset: pico, context_length: 32, batch_tokens: 512, tokens: %d, validation_tokens: 64, checkpoint_every_tokens: 100000000}"
)

pytestmark = pytest.mark.slow


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """A run that is tokenized."""
    documents = write_rows(tmp_path / "documents.jsonl", rows_of(200))
    sizes = ["--set", "tokenize.vocabulary_size=300", "--set", "tokenize.validation_fraction=0.1"]
    assert run_here("tokenize", "--input", documents, "--run", tmp_path / "run", "--quiet", *sizes) == 0
    return tmp_path / "run"


def recipe(run: Path, tokens: int) -> Path:
    path = run.parent / f"{tokens}.yaml"
    path.write_text(TRAIN % tokens)
    return path


def start(run: Path, tokens: int) -> subprocess.Popen[str]:
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--"]
    command = [*torchrun, "cli.py", "train", "--run", run, "--recipe", recipe(run, tokens)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_the_first_process_prints_and_writes(tokens: Path) -> None:
    process = start(tokens, 10_240)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.count("train: ") == 1 and output.count("next: ") == 1
    summary = json.loads((tokens / "summary.json").read_text())
    assert summary["exit_code"] == 0 and summary["details"]["train"]["steps"] == 20
    assert run_here("verify", "--run", tokens) == 0
    process = start(tokens, 10_240)  # nothing to do: the others are told so, and end
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "1 of 1 parts reused" in output, errors


def test_sigterm_saves_what_was_trained(tokens: Path) -> None:
    process = start(tokens, 10_000_000)
    log = tokens / "model/metrics.jsonl"
    until = time.monotonic() + 100
    while not [row for row in read_metrics(log) if "loss" in row] and time.monotonic() < until:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=100)
    assert process.returncode != 0
    summary = json.loads((tokens / "summary.json").read_text())
    assert summary["exit_code"] == 143 and "run again to continue" in summary["error"]
    (saved,) = (tokens / "model").glob("checkpoint-*")
    steps = [row["step"] for row in read_metrics(log) if "loss" in row]
    assert steps == list(range(1, len(steps) + 1)) and int(saved.name[-12:]) == steps[-1] * 512


def test_a_failure_of_the_first_process_ends_the_others_at_once(tokens: Path) -> None:
    started = time.monotonic()
    process = start(tokens, 1)
    (tokens / "tokens/tokenizer.json").unlink()
    _, errors = process.communicate(timeout=100)
    assert process.returncode != 0 and time.monotonic() - started < 30  # torchrun kills so long after a failure
    assert "error: " in errors
