"""Trainings by two processes on one machine (gloo): the same sequences, the same losses, the same checkpoints as one makes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from curation.errors import InterruptedRun, UsageError
from tests.trainer.small_training import SETTINGS, run, stop_after, write_tokens
from trainer.metrics import read_metrics
from trainer.processes import Processes, processes_of_environment

RAMP = {"ramp_start_tokens": 16, "ramp_tokens": 16 * 40}  # the first steps have one sequence: nothing is left for the second process
CASES: list[dict[str, Any]] = [
    {"folder": "ddp", "settings": RAMP},
    {"folder": "fsdp", "settings": {**RAMP, "parallel": "fsdp"}},
    {"folder": "fsdp-half", "settings": {**RAMP, "parallel": "fsdp", "precision": "bfloat16"}},
    # The second process is asked to stop; both do, after four steps, and a single process goes on.
    {"folder": "ddp-then-one", "settings": {}, "stop": 4, "rank": 1},
    {"folder": "fsdp-then-one", "settings": {"parallel": "fsdp", "activation_checkpointing": True}, "stop": 4, "rank": 0},
    {"folder": "one-then-fsdp", "settings": {"parallel": "fsdp"}},
]


def start_processes(command: list[str], count: int = 2) -> list[subprocess.Popen[str]]:
    """Processes with the variables that torchrun would set."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a model for each case, and what a single process makes of the same settings."""
    folder = tmp_path_factory.mktemp("processes")
    tokens = write_tokens(folder / "tokens")
    with pytest.raises(InterruptedRun):
        run(tokens, folder / "one-then-fsdp", stop=stop_after(6))
    for process in start_processes(["-m", "tests.trainer.parallel_worker", str(tokens), json.dumps(CASES)]):
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    run(tokens, folder / "one", SETTINGS.model_copy(update=RAMP))
    run(tokens, folder / "one-unramped")
    for name in ("ddp-then-one", "fsdp-then-one"):
        assert [path.name for path in (folder / name).glob("checkpoint-*")] == ["checkpoint-000000000512"]  # 4 steps of 128
        run(tokens, folder / name)
    torch.set_num_threads(before)
    return folder


def final_tensors(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(sorted(folder.glob("checkpoint-*"))[-1] / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("ddp", "one"),
        ("fsdp", "one"),
        ("ddp-then-one", "one-unramped"),
        ("fsdp-then-one", "one-unramped"),
        ("one-then-fsdp", "one-unramped"),
    ],
)
def test_two_processes_train_what_one_does(trained: Path, several: str, one: str) -> None:
    rows, expected = (read_metrics(trained / name / "metrics.jsonl") for name in (several, one))
    assert [(row["step"], row["tokens"]) for row in rows] == [(row["step"], row["tokens"]) for row in expected]
    for row, other in zip(rows, expected, strict=True):
        for name in ("loss", "validation_loss", "bits_per_byte", "gradient_norm", "learning_rate", "batch_tokens"):
            assert (name in row) == (name in other)
            assert row.get(name, 0.0) == pytest.approx(other.get(name, 0.0), rel=2e-4), (name, row["step"])
    for name in ("model", "optimizer"):
        tensors, others = final_tensors(trained / several, name), final_tensors(trained / one, name)
        assert tensors.keys() == others.keys()
        assert {key: tensor.shape for key, tensor in tensors.items()} == {key: tensor.shape for key, tensor in others.items()}  # whole
        # AdamW makes steps of full size of rounding errors where a gradient is 0, as that of the keys' biases is: not each by each.
        assert distance(tensors, others) < 1e-3


def test_gathered_halves_train_nearly_the_same(trained: Path) -> None:
    """FSDP gathers bfloat16 weights, of 8 bits; its own parts, and so what is saved, stay float32."""
    rows, expected = (read_metrics(trained / name / "metrics.jsonl") for name in ("fsdp-half", "one"))
    losses, wanted = ([row["loss"] for row in these if "loss" in row][:10] for these in (rows, expected))
    assert losses == pytest.approx(wanted, rel=0.01)  # behind these, the high learning rate makes both jump
    tensors = final_tensors(trained / "fsdp-half", "model")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert not all(torch.equal(tensor, tensor.bfloat16().float()) for tensor in tensors.values())


def distance(tensors: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    """Euclidean distance of all numbers, as a share of their length."""
    ours, theirs = (torch.cat([these[key].flatten() for key in sorted(tensors)]) for these in (tensors, others))
    return float((ours - theirs).norm() / theirs.norm())


def test_sample_is_written_by_the_first_process(trained: Path) -> None:
    assert (trained / "fsdp/sample.txt").read_text().startswith("The")


TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.fixture
def no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_torchrun")
@pytest.mark.parametrize(
    ("variables", "expected"), [({}, Processes()), ({"WORLD_SIZE": "1", "RANK": "0"}, Processes()), (TORCHRUN, Processes(1, 4, 1))]
)
def test_who_a_process_is(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: Processes) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes_of_environment() == expected


@pytest.mark.usefixtures("no_torchrun")
@pytest.mark.parametrize(
    "variables",
    [
        {"RANK": "1"},  # alone, it trained beside the lock of the run, and said nothing
        {"RANK": "first"},
        {"WORLD_SIZE": "2"},
        {"WORLD_SIZE": "0"},
        {**TORCHRUN, "RANK": "4"},
        {**TORCHRUN, "LOCAL_RANK": "-1"},
        {name: value for name, value in TORCHRUN.items() if name != "MASTER_ADDR"},
    ],
)
def test_variables_set_by_hand_are_a_usage_error(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"RANK, WORLD_SIZE, .* start with torchrun, or unset them"):
        processes_of_environment()
