"""trainer/loop.py on a text that a small model learns: resuming, stopping, and what a run leaves."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curation.errors import InputError, InterruptedRun, PipelineError, UsageError
from curation.recipe_train import TrainSettings
from trainer.checkpoint import newest_checkpoint
from trainer.loop import train
from trainer.metrics import read_metrics
from trainer.plan import plan_training
from trainer.token_shards import build_token_file
from trainer.tokenizer import Tokenizer

SETTINGS = TrainSettings(
    preset="pico",
    context_length=16,
    tokens=16 * 8 * 12,  # 12 steps of 8 sequences of 16 tokens
    batch_tokens=16 * 8,
    micro_batch_sequences=3,  # 3 + 3 + 2: parts of unequal size
    learning_rate=0.01,
    warmup_tokens=256,
    decay_tokens=16 * 8 * 12,
    validation_every_tokens=16 * 8 * 5,
    validation_tokens=16 * 6,
    checkpoint_every_tokens=16 * 8 * 4,
    sample_tokens=5,
    device="cpu",
)
TOKENIZER = Tokenizer([bytes([value]) for value in range(256)])
PHRASES = {"web": "the quick brown fox jumps over the lazy dog. ", "books": "call me Ishmael; some years ago, never mind. "}


@pytest.fixture(autouse=True)
def one_thread():  # type: ignore[no-untyped-def]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are too small to share
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tokens_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tokens"
    for source, phrase in PHRASES.items():
        for split, copies in (("train", 12), ("validation", 3)):
            write_shard(folder, source, split, phrase * copies)
    (folder / "tokenizer.json").write_bytes(TOKENIZER.to_bytes())
    return folder


def write_shard(folder: Path, source: str, split: str, text: str) -> None:
    content, header = build_token_file(
        [TOKENIZER.encode(text)],
        end_of_text=TOKENIZER.end_of_text,
        vocabulary_size=TOKENIZER.vocabulary_size,
        tokenizer_sha256=TOKENIZER.sha256,
        text_bytes=len(text),
        source=source,
        split=split,
    )
    path = folder / source / f"{split}-00000.tokens"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".json").write_bytes(header.to_bytes())


def never() -> int | None:
    return None


def stop_after(steps: int, exit_code: int = 143) -> Callable[[], int | None]:
    asked = iter(range(10**6))
    return lambda: exit_code if next(asked) >= steps else None


def silent(row: Mapping[str, Any]) -> None:
    del row


def run(tokens_folder: Path, model_folder: Path, settings: TrainSettings = SETTINGS, **options: Any) -> dict[str, Any]:
    arguments = {"fingerprint": "f", "stop": never, "progress": silent, **options}
    return train(settings, 1, str(tokens_folder), str(model_folder), **arguments)


def final_bytes(model_folder: Path) -> list[bytes]:
    (newest,) = sorted(model_folder.glob("checkpoint-*"))[-1:]
    return [(newest / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors")]


def untimed(model_folder: Path) -> list[dict[str, Any]]:
    timed = {"elapsed_seconds", "tokens_per_second"}
    return [{name: value for name, value in row.items() if name not in timed} for row in read_metrics(model_folder / "metrics.jsonl")]


@pytest.mark.parametrize("stops", [[6], [1, 4, 3], [0, 11]])
def test_stopping_and_resuming_changes_no_bit(tokens_folder: Path, tmp_path: Path, stops: list[int]) -> None:
    straight = run(tokens_folder, tmp_path / "straight")
    for steps in stops:
        with pytest.raises(InterruptedRun, match="run again to continue from") as stopped:
            run(tokens_folder, tmp_path / "stopped", stop=stop_after(steps))
        assert stopped.value.exit_code == 143
    resumed = run(tokens_folder, tmp_path / "stopped")
    assert final_bytes(tmp_path / "stopped") == final_bytes(tmp_path / "straight")
    assert untimed(tmp_path / "stopped") == untimed(tmp_path / "straight")
    assert (tmp_path / "stopped/sample.txt").read_bytes() == (tmp_path / "straight/sample.txt").read_bytes()
    for name in ("loss", "validation_loss", "epochs", "steps", "tokens", "first_loss", "first_validation_loss"):
        assert resumed[name] == straight[name]


def test_crash_between_checkpoints_replays_from_the_last(tokens_folder: Path, tmp_path: Path) -> None:
    def crash(row: Mapping[str, Any]) -> None:
        if row.get("step") == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tokens_folder, tmp_path / "crashed", progress=crash)
    log = tmp_path / "crashed/metrics.jsonl"
    log.write_bytes(log.read_bytes() + b'{"step": 1')  # a line that was being written
    run(tokens_folder, tmp_path / "crashed")
    run(tokens_folder, tmp_path / "straight")
    assert final_bytes(tmp_path / "crashed") == final_bytes(tmp_path / "straight")
    assert untimed(tmp_path / "crashed") == untimed(tmp_path / "straight")


def test_what_a_run_leaves(tokens_folder: Path, tmp_path: Path) -> None:
    rows: list[Mapping[str, Any]] = []
    summary = run(tokens_folder, tmp_path / "model", progress=rows.append)
    log = read_metrics(tmp_path / "model/metrics.jsonl")
    assert [row["step"] for row in log if "loss" in row] == list(range(1, 13))
    # Every 640 tokens: after steps 5 and 10; and at the start and the end.
    assert [row["step"] for row in log if "validation_loss" in row] == [0, 5, 10, 12]
    assert [{**row, "total_tokens": 1536} for row in log] == rows
    # Checkpoints after 4, 8 and 12 steps of 128 tokens; two stay.
    assert sorted(path.name for path in (tmp_path / "model").glob("checkpoint*")) == ["checkpoint-000000001024", "checkpoint-000000001536"]
    assert (summary["steps"], summary["tokens"], summary["samples"]) == (12, 1536, 96)
    # 12 * 45 characters and end of text in each source: (541 - 1) // 16 = 33 sequences; 48 samples of each.
    assert summary["epochs"] == pytest.approx({"web": 48 / 33, "books": 48 / 33}, abs=0.04)
    assert summary["mixture"] == {"books": 0.5, "web": 0.5}
    # 2 blocks of 12 * 64^2 + 13 * 64, a last norm of 128, 257 + 16 embeddings of 64.
    assert summary["parameters"] == 2 * (12 * 64**2 + 13 * 64) + 128 + 273 * 64
    assert json.loads((tmp_path / "model/config.json").read_bytes())["parameters"] == summary["parameters"]
    assert (tmp_path / "model/tokenizer.json").read_bytes() == TOKENIZER.to_bytes()
    assert (tmp_path / "model/sample.txt").read_text().startswith("The")


def test_loss_begins_at_guessing_and_falls(tokens_folder: Path, tmp_path: Path) -> None:
    tokens = 16 * 8 * 120
    summary = run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"tokens": tokens, "decay_tokens": tokens}))
    assert summary["first_validation_loss"] == pytest.approx(math.log(257), abs=0.1)
    # Letters alone, without what comes before them, leave the entropy of their frequencies.
    letters = "".join(PHRASES.values())
    entropy = -sum(math.log(letters.count(letter) / len(letters)) for letter in letters) / len(letters)
    assert summary["validation_loss"] < entropy - 0.3
    # One byte a token, end of text apart: bits per byte are the loss in bits.
    assert summary["bits_per_byte"] == pytest.approx(summary["validation_loss"] / math.log(2), rel=0.02)


def test_learning_rate_follows_the_schedule(tokens_folder: Path, tmp_path: Path) -> None:
    run(tokens_folder, tmp_path / "model")
    rates = [row["learning_rate"] for row in read_metrics(tmp_path / "model/metrics.jsonl") if "loss" in row]
    # Half of the warm-up of 256 tokens after the first step; the cosine halfway after the sixth; its floor at the end.
    assert rates[0] == pytest.approx(0.005)
    assert rates[5] == pytest.approx(0.01 * 0.55)
    assert rates[-1] == pytest.approx(0.001)


def test_micro_batches_do_not_change_the_step(tokens_folder: Path, tmp_path: Path) -> None:
    whole = run(tokens_folder, tmp_path / "whole", SETTINGS.model_copy(update={"micro_batch_sequences": 100}))
    parts = run(tokens_folder, tmp_path / "parts")
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-3)


def test_other_fingerprint_starts_anew_and_says_so(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        run(tokens_folder, tmp_path / "model", stop=stop_after(5))
    rows: list[Mapping[str, Any]] = []
    run(tokens_folder, tmp_path / "model", fingerprint="g", progress=rows.append)
    assert any("other data or settings" in row.get("message", "") for row in rows)
    assert untimed(tmp_path / "model")[0]["step"] == 0
    checkpoint = newest_checkpoint(tmp_path / "model", "g", pytest.fail)
    assert checkpoint is not None and checkpoint.state.step == 12


def test_finished_run_does_nothing_more(tokens_folder: Path, tmp_path: Path) -> None:
    first = run(tokens_folder, tmp_path / "model")
    log = (tmp_path / "model/metrics.jsonl").read_bytes()
    again = run(tokens_folder, tmp_path / "model", stop=lambda: 130)
    assert (tmp_path / "model/metrics.jsonl").read_bytes() == log
    assert again["tokens_per_second"] is None
    assert again["validation_loss"] == first["validation_loss"]


@pytest.mark.parametrize(("content", "first_loss"), [(None, False), (b"garbage\n", False), (b"\xff", True)])
def test_a_lost_or_damaged_log_keeps_no_training_from_its_end(
    tokens_folder: Path, tmp_path: Path, content: bytes | None, first_loss: bool
) -> None:
    straight = run(tokens_folder, tmp_path / "model")
    log = tmp_path / "model/metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    if content is None:
        log.unlink()
    else:
        log.write_bytes(b"".join(lines[:4]) * first_loss + content)
    for attempt in range(2):  # the second finds what the first wrote
        rows: list[Mapping[str, Any]] = []
        again = run(tokens_folder, tmp_path / "model", progress=rows.append)
        assert any("lost or damaged" in row.get("message", "") for row in rows) == (attempt == 0)
        assert again["first_loss"] == (straight["first_loss"] if first_loss else None)
        assert again["validation_loss"] == pytest.approx(straight["validation_loss"])  # measured again


def test_mixture_weights_and_sources_left_out(tokens_folder: Path, tmp_path: Path) -> None:
    rows: list[Mapping[str, Any]] = []
    summary = run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"mixture": {"web": 2.0}}), progress=rows.append)
    assert summary["mixture"] == {"web": 1.0}
    assert {"message": "source 'books' is left out: train.mixture gives it no weight"} in rows


def test_short_source_is_left_out_by_default(tokens_folder: Path, tmp_path: Path) -> None:
    write_shard(tokens_folder, "tiny", "train", "short")
    rows: list[Mapping[str, Any]] = []
    summary = run(tokens_folder, tmp_path / "model", progress=rows.append)
    assert "tiny" not in summary["mixture"]
    assert {"message": "source 'tiny' is left out: its 6 training tokens are fewer than one sequence"} in rows
    with pytest.raises(InputError, match="'tiny' is shorter than one sequence"):
        run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"mixture": {"tiny": 1.0}}))


def test_source_without_validation_is_noted(tokens_folder: Path, tmp_path: Path) -> None:
    write_shard(tokens_folder, "new", "train", "x" * 400)
    rows: list[Mapping[str, Any]] = []
    run(tokens_folder, tmp_path / "model", progress=rows.append)
    assert any("'new' has no whole validation sequence" in row.get("message", "") for row in rows)


def test_no_validation_at_all_is_an_error(tokens_folder: Path, tmp_path: Path) -> None:
    for source in PHRASES:
        write_shard(tokens_folder, source, "validation", "short")
    with pytest.raises(InputError, match=r"raise tokenize\.validation_fraction"):
        run(tokens_folder, tmp_path / "model")


def test_exploding_loss_stops_with_advice(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"the loss is .* at step .*lower train\.learning_rate"):
        run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"learning_rate": 1e30, "gradient_clip": 1e30}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"batch_tokens": 100}, "no multiple of the context of 16; set it to 96"),
        ({"batch_tokens": 1}, "set it to 16"),
        ({"device": "warp"}, "train.device 'warp' cannot be used"),
        ({"device": "meta"}, "train.device 'meta' cannot be used"),
        ({"device": "hpu"}, "train.device 'hpu' cannot be used"),  # torch looks for a module
        ({"mixture": {"x": 1.0}}, "names the source 'x'"),
        ({"mixture": {"web": 1e308, "books": 1e308}}, "too large to be added up"),
    ],
)
def test_bad_settings(tokens_folder: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update=changes))


def test_remote_folders_are_refused(tokens_folder: Path) -> None:
    with pytest.raises(UsageError, match="local folders"):
        train(SETTINGS, 1, str(tokens_folder), "s3://bucket/model", fingerprint="f", stop=never, progress=silent)


def test_preset_fills_what_the_recipe_leaves_open() -> None:
    plan = plan_training(TrainSettings(preset="gpt3-small", device="cpu"), 50257)
    assert (plan.config.parameters, plan.batch_tokens, plan.peak_learning_rate, plan.bfloat16) == (125_226_240, 524_288, 6e-4, False)


def test_bfloat16_trains_too(tokens_folder: Path, tmp_path: Path) -> None:
    summary = run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"precision": "bfloat16"}))
    assert np.isfinite(summary["validation_loss"])


def test_tokenizing_and_planning_load_no_heavy_library() -> None:
    code = (
        "import sys, trainer.tokenize_stage, trainer.presets, trainer.schedule, trainer.mixture, trainer.data; "
        "print([name for name in ('torch', 'tokenizers', 'tiktoken', 'numba') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
