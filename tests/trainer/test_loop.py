"""trainer/loop.py on a text that a small model learns: resuming, stopping, and what a run leaves."""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from curation.errors import InputError, InterruptedRun, PipelineError, UsageError
from curation.recipe_train import TrainSettings
from tests.trainer.small_training import PHRASES, SETTINGS, TOKENIZER, final_bytes, never, run, silent, stop_after, untimed, write_shard
from trainer.checkpoint import newest_checkpoint
from trainer.data import TrainingData
from trainer.loop import train
from trainer.metrics import read_metrics
from trainer.plan import plan_training
from trainer.step import Stepper

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("stops", [[6], [1, 4, 3], [0, 11], [1] * 11])
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


def interrupt_at(step: int) -> Callable[[Mapping[str, Any]], None]:
    def crash(row: Mapping[str, Any]) -> None:
        if row.get("step") == step:
            raise KeyboardInterrupt

    return crash


def test_crash_between_checkpoints_replays_from_the_last(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tokens_folder, tmp_path / "crashed", progress=interrupt_at(11))
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


def test_intervals_need_not_be_whole_steps(tokens_folder: Path, tmp_path: Path) -> None:
    """Every 300 tokens, of steps of 128: after the steps that pass 300, 600, 900, 1200 and 1500, and at the end."""
    settings = SETTINGS.model_copy(update={"checkpoint_every_tokens": 300, "validation_every_tokens": 300, "keep_checkpoints": 99})
    run(tokens_folder, tmp_path / "model", settings)
    expected = [3 * 128, 5 * 128, 8 * 128, 10 * 128, 12 * 128]
    assert [int(path.name[-12:]) for path in sorted((tmp_path / "model").glob("checkpoint-*"))] == expected
    rows = read_metrics(tmp_path / "model/metrics.jsonl")
    assert [row["tokens"] for row in rows if "validation_loss" in row] == [0, *expected]


def test_what_a_spike_is_measured_by_outlives_a_stop(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        run(tokens_folder, tmp_path / "model", stop=stop_after(5))
    run(tokens_folder, tmp_path / "model")
    rows = [row for row in read_metrics(tmp_path / "model/metrics.jsonl") if "gradient_norm" in row]
    checkpoint = newest_checkpoint(tmp_path / "model", "f", pytest.fail)
    assert checkpoint is not None and checkpoint.state.guard["norms"] == [row["gradient_norm"] for row in rows] and len(rows) == 12


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


def ruinous(max_skipped_steps: int) -> TrainSettings:
    """The first step makes weights of which no loss can be computed."""
    changes = {"learning_rate": 1e30, "gradient_clip": 1e30, "max_skipped_steps": max_skipped_steps, "validation_every_tokens": 10**6}
    return SETTINGS.model_copy(update=changes)


def test_skipped_steps_in_a_row_end_the_run_with_advice(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"4 steps in a row were skipped, .* step 5: the loss is not finite; lower train"):
        run(tokens_folder, tmp_path / "model", ruinous(3))
    skipped = [row for row in read_metrics(tmp_path / "model/metrics.jsonl") if "skipped" in row]
    assert [row["step"] for row in skipped] == [2, 3, 4, 5] and "loss" not in skipped[0]


def test_ruined_model_is_an_error_and_no_result(tokens_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"the validation loss is nan after 1,536 tokens: the model is ruined"):
        run(tokens_folder, tmp_path / "model", ruinous(100))


def test_a_spike_is_skipped_counted_and_trained_past(tokens_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights after a spike are those of a run whose learning rate is 0 in that one step: nothing moved but AdamW's own state."""
    monkeypatch.setattr("trainer.guard.FEWEST_NORMS", 3)
    spiking = SETTINGS.model_copy(update={"spike_factor": 50.0})
    backward = Stepper._backward
    calls = iter(range(10**6))

    def spike(self: Stepper, *arguments: Any) -> float:
        loss = backward(self, *arguments)
        if next(calls) == 5:
            for parameter in self.objective.parameters():
                assert parameter.grad is not None
                parameter.grad *= 1000.0
        return loss

    monkeypatch.setattr(Stepper, "_backward", spike)
    summary = run(tokens_folder, tmp_path / "model", spiking)
    assert summary["skipped_steps"] == 1 and summary["steps"] == 12
    (row,) = [row for row in read_metrics(tmp_path / "model/metrics.jsonl") if "skipped" in row]
    assert row["step"] == 6 and "more than 50 times the median" in row["skipped"]
    steps = load_file(sorted((tmp_path / "model").glob("checkpoint-*"))[-1] / "optimizer.safetensors")["final_norm.bias/step"]
    assert float(steps) == 11  # AdamW took all but one


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
    assert (plan.config.parameters, plan.schedule.batch_sequences, plan.schedule.peak_learning_rate, plan.precision) == (
        125_226_240,
        256,
        6e-4,
        torch.float32,
    )


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_nearly_the_same(tokens_folder: Path, tmp_path: Path, precision: str) -> None:
    whole = run(tokens_folder, tmp_path / "whole")
    settings = SETTINGS.model_copy(update={"precision": precision})
    with pytest.raises(InterruptedRun):
        run(tokens_folder, tmp_path / "half", settings, stop=stop_after(6))
    half = run(tokens_folder, tmp_path / "half", settings)
    assert half["loss"] == pytest.approx(whole["loss"], rel=0.02) and half["skipped_steps"] == 0
    run(tokens_folder, tmp_path / "straight", settings)
    assert final_bytes(tmp_path / "half") == final_bytes(tmp_path / "straight")  # the scale of the loss is part of a checkpoint


@pytest.mark.parametrize(("before", "after"), [("float32", "float16"), ("float16", "float32")])
def test_a_training_goes_on_in_another_precision(tokens_folder: Path, tmp_path: Path, before: str, after: str) -> None:
    with pytest.raises(InterruptedRun):
        run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"precision": before}), stop=stop_after(6))
    summary = run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"precision": after}))
    assert summary["steps"] == 12 and summary["skipped_steps"] == 0
    assert summary["loss"] == pytest.approx(run(tokens_folder, tmp_path / "whole")["loss"], rel=0.02)


def test_overflow_in_float16_is_skipped_until_the_scale_fits(tokens_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.amp.GradScaler", functools.partial(torch.amp.GradScaler, init_scale=2.0**24))
    summary = run(tokens_folder, tmp_path / "model", SETTINGS.model_copy(update={"precision": "float16"}))
    assert 1 <= summary["skipped_steps"] <= 8 and summary["validation_loss"] < summary["first_validation_loss"]


def test_recomputed_activations_change_no_bit(tokens_folder: Path, tmp_path: Path) -> None:
    run(tokens_folder, tmp_path / "kept")
    run(tokens_folder, tmp_path / "recomputed", SETTINGS.model_copy(update={"activation_checkpointing": True}))
    assert final_bytes(tmp_path / "recomputed") == final_bytes(tmp_path / "kept")


@pytest.mark.slow
def test_compiled_model_trains_the_same(tokens_folder: Path, tmp_path: Path) -> None:
    plain = run(tokens_folder, tmp_path / "plain")
    compiled = run(tokens_folder, tmp_path / "compiled", SETTINGS.model_copy(update={"compile": True}))
    assert compiled["loss"] == pytest.approx(plain["loss"], rel=1e-3)


def test_sequences_seen_do_not_depend_on_the_batch(tokens_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    batch = TrainingData.batch
    monkeypatch.setattr(TrainingData, "batch", lambda self, samples: (seen.extend(samples), batch(self, samples))[1])
    ramp = {"ramp_start_tokens": 16, "ramp_tokens": 16 * 40, "micro_batch_sequences": 2}
    for number, changes in enumerate([{}, ramp, {"batch_tokens": 16 * 5, "micro_batch_sequences": 100}]):
        seen.clear()
        run(tokens_folder, tmp_path / str(number), SETTINGS.model_copy(update=changes))
        assert seen == list(range(len(seen))) and len(seen) >= 96


def test_batch_grows_and_resumes_in_the_ramp(tokens_folder: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"ramp_start_tokens": 16, "ramp_tokens": 16 * 40})
    run(tokens_folder, tmp_path / "straight", settings)
    sizes = [row["batch_tokens"] // 16 for row in read_metrics(tmp_path / "straight/metrics.jsonl") if "loss" in row]
    assert sizes[0] == 1 and sizes == sorted(sizes) and sizes[-1] == 8 and len(set(sizes)) > 4
    for _ in range(3):
        with pytest.raises(InterruptedRun):
            run(tokens_folder, tmp_path / "stopped", settings, stop=stop_after(4))
    run(tokens_folder, tmp_path / "stopped", settings)
    assert final_bytes(tmp_path / "stopped") == final_bytes(tmp_path / "straight")


def test_tensorboard_shows_the_log_and_hides_what_was_repeated(tokens_folder: Path, tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed")
    settings = SETTINGS.model_copy(update={"tensorboard": True})
    with pytest.raises(KeyboardInterrupt):
        run(tokens_folder, tmp_path / "model", settings, progress=interrupt_at(7))  # the last checkpoint is of step 4
    run(tokens_folder, tmp_path / "model", settings)
    events = accumulators.EventAccumulator(str(tmp_path / "model/tensorboard")).Reload()
    rows = read_metrics(tmp_path / "model/metrics.jsonl")
    for name in ("loss", "validation_loss", "learning_rate"):
        points = [(event.step, event.value) for event in events.Scalars(name)]
        assert points == [(row["tokens"], pytest.approx(row[name])) for row in rows if name in row]
    assert "source_losses/web" in events.Tags()["scalars"]


def test_tokenizing_and_planning_load_no_heavy_library() -> None:
    code = (
        "import sys, trainer.tokenize_stage, trainer.presets, trainer.schedule, trainer.mixture, trainer.data; "
        "print([name for name in ('torch', 'tokenizers', 'tiktoken', 'numba') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
