"""trainer/checkpoint.py: complete or absent, verified, pruned."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from curation.errors import PipelineError
from curation.shards import sealed_json
from trainer.checkpoint import TrainingState, newest_checkpoint, newest_tokens, save_checkpoint

MODEL = {"weight": torch.arange(6.0).reshape(2, 3)}
OPTIMIZER = {"weight/exp_avg": torch.ones(2, 3), "weight/step": torch.tensor(4.0)}


def save(folder: Path, tokens: int, keep: int = 2, fingerprint: str = "f") -> Path:
    state = TrainingState(fingerprint, tokens // 10, tokens, tokens // 5, 1.5, {"preset": "nano"}, {}, {})
    return save_checkpoint(folder, state, MODEL, OPTIMIZER, keep)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_reads_back(tmp_path: Path) -> None:
    assert save(tmp_path, 100).name == "checkpoint-000000000100"
    notes: list[str] = []
    checkpoint = newest_checkpoint(tmp_path, "f", notes.append)
    assert checkpoint is not None and notes == []
    assert checkpoint.state == TrainingState("f", 10, 100, 20, 1.5, {"preset": "nano"}, {}, {})
    assert torch.equal(checkpoint.model_tensors()["weight"], MODEL["weight"])
    assert {name: tensor.tolist() for name, tensor in checkpoint.optimizer_tensors().items()} == {
        name: tensor.tolist() for name, tensor in OPTIMIZER.items()
    }


def test_no_folder_and_no_checkpoint(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path, "f", pytest.fail) is None
    assert newest_checkpoint(tmp_path / "absent", "f", pytest.fail) is None


def test_newest_is_the_one_of_most_tokens_beyond_twelve_digits(tmp_path: Path) -> None:
    """LLaMA saw 1.4 * 10^12 tokens; by letters, checkpoint-9... stands behind checkpoint-10..."""
    tokens = (999_999_999_990, 1_000_000_000_010, 1_000_000_000_020)
    paths = [save(tmp_path, count) for count in tokens]
    assert names(tmp_path) == sorted(path.name for path in paths[1:])
    assert newest_tokens(tmp_path) == tokens[-1]
    flip_model(paths[2])
    checkpoint = newest_checkpoint(tmp_path, "f", lambda _: None)
    assert checkpoint is not None and checkpoint.state.tokens == tokens[1]


def test_only_the_newest_stay(tmp_path: Path) -> None:
    save(tmp_path, 5, fingerprint="other")
    for tokens in (10, 20, 30):
        save(tmp_path, tokens)
    assert names(tmp_path) == ["checkpoint-000000000005", "checkpoint-000000000020", "checkpoint-000000000030"]


def cut_state(path: Path) -> None:
    state = path / "state.json"
    state.write_bytes(state.read_bytes()[:-20])


def flip_model(path: Path) -> None:
    model = path / "model.safetensors"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)


def other_samples(path: Path) -> None:
    state = path / "state.json"
    state.write_bytes(state.read_bytes().replace(b'"samples": 4,', b'"samples": 5,'))


def other_version(path: Path) -> None:
    values = json.loads((path / "state.json").read_bytes())
    del values["seal"]
    (path / "state.json").write_bytes(sealed_json({**values, "version": 99}))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_state, "the seal of state.json is broken"),
        (other_samples, "the seal of state.json is broken"),
        (flip_model, "checksum of model.safetensors"),
        (lambda path: (path / "optimizer.safetensors").unlink(), "optimizer.safetensors is missing"),
        (lambda path: (path / "state.json").unlink(), "state.json is missing"),
        (other_version, "version 99"),
    ],
)
def test_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    save(tmp_path, 10)
    damage(save(tmp_path, 20))
    notes: list[str] = []
    checkpoint = newest_checkpoint(tmp_path, "f", notes.append)
    assert checkpoint is not None and checkpoint.state.tokens == 10
    assert len(notes) == 1 and reason in notes[0] and "checkpoint-000000000020" in notes[0]


def test_other_fingerprint_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path, 10)
    notes: list[str] = []
    assert newest_checkpoint(tmp_path, "g", notes.append) is None
    assert "other data or settings" in notes[0]
    assert names(tmp_path) == ["checkpoint-000000000010"]


def test_saving_passes_by_damaged_later_ones(tmp_path: Path) -> None:
    save(tmp_path, 10)
    flip_model(save(tmp_path, 30))
    save(tmp_path, 20, keep=1)
    assert names(tmp_path) == ["checkpoint-000000000020"]


def test_same_tokens_are_replaced(tmp_path: Path) -> None:
    flip_model(save(tmp_path, 10))
    save(tmp_path, 10)
    assert newest_checkpoint(tmp_path, "f", pytest.fail) is not None


def test_interrupted_save_leaves_nothing_that_counts(tmp_path: Path) -> None:
    left = tmp_path / ".checkpoint-000000000020.tmp-abc"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    assert newest_checkpoint(tmp_path, "f", pytest.fail) is None
    save(tmp_path, 30)
    assert names(tmp_path) == ["checkpoint-000000000030"]


def test_killed_while_removing_an_old_one_leaves_nothing_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, **_: object) -> None:
        if "000000000010" in path.name:
            (path / "state.json").unlink()
            raise KeyboardInterrupt

    save(tmp_path, 10, keep=1)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("shutil.rmtree", killed)
        save(tmp_path, 20, keep=1)
    assert newest_checkpoint(tmp_path, "f", pytest.fail) is not None  # what is half removed is no checkpoint, and not spoken of
    save(tmp_path, 30, keep=1)
    assert names(tmp_path) == ["checkpoint-000000000030"]


def test_unwritable_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PipelineError, match=r"cannot write .*run again"):
        save(tmp_path / "file", 10)


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 100 bytes inside: writing fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        small_files(),
        pytest.raises(PipelineError, match=r"cannot write .*checkpoint-000000000010: .*File too large.*; free space and run again"),
    ):
        save(tmp_path, 10)
    assert names(tmp_path) == []
