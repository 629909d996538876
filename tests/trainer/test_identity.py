"""trainer/identity.py: which training may go on in a model folder, which is refused, and which begins anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import InputError
from curation.recipe_train import TrainSettings
from trainer.identity import CHANGEABLE, WITHOUT_EFFECT, Identity, continued, make_room, read_identity

SETTINGS = TrainSettings(preset="nano").model_dump(mode="json")
IDENTITY = Identity(
    2, SETTINGS, 0, {"torch": "2.13.0"}, {"tokens/web/train-00000.tokens": "a" * 64, "tokens/web/train-00001.tokens": "b" * 64}
)


def with_settings(**changes: object) -> Identity:
    return replace(IDENTITY, settings={**SETTINGS, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a checkpoint of ``IDENTITY``."""
    (tmp_path / "model/checkpoint-000000000010").mkdir(parents=True)
    IDENTITY.commit(tmp_path / "model")
    return tmp_path / "model"


def test_names_of_settings_exist() -> None:
    assert SETTINGS.keys() >= WITHOUT_EFFECT | CHANGEABLE


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("now", "taken_up"),
    [
        (IDENTITY, (True, True)),
        (with_settings(device="cuda"), (True, True)),
        (with_settings(batch_tokens=4096), (True, False)),  # unfinished, finished
        (with_settings(learning_rate=0.5), (False, False)),
        (replace(IDENTITY, tokens={}), (False, False)),
    ],
)
def test_what_a_dry_run_foretells_is_what_happens(folder: Path, finished: bool, now: Identity, taken_up: tuple[bool, bool]) -> None:
    assert continued(folder, now, finished) == (folder if taken_up[finished] else None)
    try:
        make_room(folder, now, finished, lambda _: None)
    except InputError:
        assert not finished and now.tokens != IDENTITY.tokens
    else:
        assert (folder / "checkpoint-000000000010").exists() == taken_up[finished]
        make_room(folder, with_settings(learning_rate=2.0), True, lambda _: None)  # set aside, it is found again
        assert continued(folder, IDENTITY, False) == next(folder.parent.glob(f"model-{IDENTITY.fingerprint[:12]}"))


def test_reads_back_and_knows_damage(folder: Path) -> None:
    assert read_identity(folder) == IDENTITY
    for content in (b"", b"[]", b'{"fingerprint": "x"}', (folder / "run.json").read_bytes().replace(b"nano", b"tiny")):
        (folder / "run.json").write_bytes(content)
        assert read_identity(folder) is None


@pytest.mark.parametrize("finished", [True, False])
def test_the_same_training_goes_on(folder: Path, finished: bool) -> None:
    make_room(folder, with_settings(device="cuda", keep_checkpoints=9), finished, pytest.fail)
    assert folder.exists()


def test_unfinished_goes_on_with_another_batch_and_finished_does_not(folder: Path) -> None:
    said: list[str] = []
    make_room(folder, with_settings(batch_tokens=4096, precision="bfloat16"), False, said.append)
    assert said == ["going on with another recipe than before: train.batch_tokens is 4096, was null, train.precision is bfloat16, was auto"]
    make_room(folder, with_settings(batch_tokens=4096), True, said.append)
    assert "recipe or tokens have changed (train.batch_tokens is 4096, was null); the earlier model is now" in said[1]
    assert not folder.exists()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (with_settings(tokens=5), "train.tokens is 5, was 300000000000"),
        (replace(IDENTITY, seed=3), "seed is 3, was 0"),
        (replace(IDENTITY, libraries={"torch": "3.0"}), "torch is 3.0, was 2.13.0"),
    ],
)
def test_another_training_begins_anew_and_the_earlier_one_comes_back(folder: Path, other: Identity, reason: str) -> None:
    said: list[str] = []
    make_room(folder, other, False, said.append)
    assert reason in said[0] and not folder.exists()
    other.commit(folder)
    make_room(folder, IDENTITY, True, said.append)
    assert "which is the model again" in said[2] and (folder / "checkpoint-000000000010").exists()


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ({**IDENTITY.tokens, "tokens/web/train-00001.tokens": "c" * 64}, "token file tokens/web/train-00001.tokens has changed"),
        ({**IDENTITY.tokens, "tokens/new/train-00000.tokens": "c" * 64}, "token file tokens/new/train-00000.tokens is new"),
        ({}, "token file tokens/web/train-00000.tokens is gone, token file tokens/web/train-00001.tokens is gone"),
        ({str(number): "x" for number in range(9)}, "and 8 more"),
    ],
)
def test_unfinished_on_other_tokens_is_refused_with_their_names(folder: Path, tokens: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match="unfinished training on other tokens") as refused:
        make_room(folder, replace(IDENTITY, tokens=tokens), False, pytest.fail)
    assert reason in str(refused.value) and folder.exists()
    said: list[str] = []
    make_room(folder, replace(IDENTITY, tokens=tokens), True, said.append)  # a finished model is another matter
    assert reason in said[0] and not folder.exists()


def test_a_folder_of_nobody_knows_what_is_set_aside(folder: Path) -> None:
    said: list[str] = []
    (folder / "run.json").write_bytes(b"damaged")
    make_room(folder, IDENTITY, False, said.append)
    assert not folder.exists() and (folder.parent / "model-unknown/checkpoint-000000000010").exists()
