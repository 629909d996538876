from __future__ import annotations

import random
from pathlib import Path

import fasttext
import numpy as np
import pytest

from curation.errors import InputError, UsageError
from curation.recipe import FilterSettings
from quality_filter.classifier import NEGATIVE, POSITIVE, Classifier, train
from quality_filter.model_file import check_model

SETTINGS = FilterSettings(dimension=4, epochs=5, learning_rate=0.5, buckets=1000)
GOOD = ["essay", "chapter", "argument", "history", "novel"]
BAD = ["buy", "cheap", "click", "casino", "pills"]


def sample(count: int, seed: int = 0) -> list[tuple[bool, str]]:
    generator = random.Random(seed)
    return [(positive, " ".join(generator.choices(GOOD if positive else BAD, k=20))) for _ in range(count) for positive in (True, False)]


@pytest.fixture(scope="module")
def model() -> bytes:
    return train(sample(200), SETTINGS, seed=3)


def test_training_is_reproducible_bit_by_bit(model: bytes) -> None:
    assert train(sample(200), SETTINGS, seed=3) == model
    assert train(sample(200, seed=1), SETTINGS, seed=3) != model


def test_a_rate_at_which_training_diverges_is_named() -> None:
    with pytest.raises(UsageError, match=r"filter\.learning_rate 1e\+30 makes the classifier diverge; lower it"):
        train(sample(200), SETTINGS.model_copy(update={"learning_rate": 1e30}), seed=3)


def test_what_only_the_library_refuses_is_an_input_error(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise RuntimeError("Unknown loss")

    monkeypatch.setattr(fasttext, "load_model", refuse)
    with pytest.raises(InputError, match="m cannot be used as a classifier: Unknown loss"):
        Classifier(model, "m")


def test_seeds_beyond_32_bits(model: bytes) -> None:
    assert train(sample(200), SETTINGS, seed=3 + (1 << 40)) == model


def test_scores_separate_and_lie_between_zero_and_one(model: bytes) -> None:
    scores = Classifier(model, "m").score([" ".join(GOOD * 4), " ".join(BAD * 4), "", "unheard of"])
    assert scores.dtype == np.float64
    assert scores[0] > 0.9 > 0.1 > scores[1]
    assert ((scores >= 0) & (scores <= 1)).all()
    assert Classifier(model, "m").score([]).tolist() == []


def test_scores_equal_the_library_one_by_one(model: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(model)
    peer = fasttext.load_model(str(tmp_path / "m.bin"))
    lines = [line for _, line in sample(20, seed=9)]
    expected = [dict((label, value) for value, label in peer.f.predict(line + "\n", -1, 0.0, "strict"))[POSITIVE] for line in lines]
    assert Classifier(model, "m").score(lines).tolist() == [min(value, 1.0) for value in expected]


def test_a_quantized_model_is_accepted(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    generator = random.Random(1)
    words = [f"w{number}" for number in range(400)]
    lines.write_text("".join(f"{generator.choice([POSITIVE, NEGATIVE])} {' '.join(generator.choices(words, k=30))}\n" for _ in range(200)))
    for normalised in (False, True):
        peer = fasttext.train_supervised(str(lines), dim=4, epoch=1, thread=1, verbose=0)
        peer.quantize(input=str(lines), qnorm=normalised, thread=1)
        peer.save_model(str(tmp_path / "m.ftz"))
        content = (tmp_path / "m.ftz").read_bytes()
        assert Classifier(content, "m").score(["w1 w2"]).shape == (1,)
        with pytest.raises(InputError, match="in the middle of its contents"):
            check_model(content[:-1], "m", POSITIVE)


def test_every_truncation_is_refused_before_the_library_sees_it(model: bytes) -> None:
    for size in [*range(0, 200), *range(200, len(model), len(model) // 200), len(model) - 1]:
        with pytest.raises(InputError, match=r"^m cannot be used as a classifier: it .*; give a supervised"):
            check_model(model[:size], "m", POSITIVE)


def test_wrong_files_are_refused_with_the_reason(model: bytes, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(line for _, line in sample(50)))
    fasttext.train_unsupervised(str(lines), dim=4, epoch=1, bucket=100, thread=1, verbose=0).save_model(str(tmp_path / "u.bin"))
    weights = bytearray(model)
    weights[-4:] = np.array([np.nan], "<f4").tobytes()
    for content, reason in [
        (b"", "no fastText model"),
        (b"PK\x03\x04 a zip file", "no fastText model"),
        (model + b"x", "1 bytes follow its end"),
        (model[:4] + b"\x0b\0\0\0" + model[8:], "version 11, and 12 is expected"),
        ((tmp_path / "u.bin").read_bytes(), "word vectors"),
        (bytes(weights), "no numbers"),
    ]:
        with pytest.raises(InputError, match=reason):
            Classifier(content, "wrong.bin")
    with pytest.raises(InputError, match="no label __label__hq; its labels are __label__"):
        check_model(model, "m", "__label__hq")
