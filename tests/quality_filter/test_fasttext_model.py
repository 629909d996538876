from __future__ import annotations

import random
from pathlib import Path

import fasttext
import numpy as np
import pytest

from curation.errors import InputError, UsageError
from curation.recipe import FilterSettings
from quality_filter.calibration import sigmoid
from quality_filter.fasttext_model import NEGATIVE, POSITIVE, LibraryModel, load, train
from quality_filter.linear import LinearModel
from quality_filter.text import Lines, normalise
from tests.shared_data import shared

SETTINGS = FilterSettings(dimension=4, epochs=5, learning_rate=0.5, buckets=1000)
GOOD = ["essay", "chapter", "argument", "history", "novel"]
BAD = ["buy", "cheap", "click", "casino", "pills"]


def sample(count: int, seed: int = 0) -> tuple[list[bool], list[str]]:
    generator = random.Random(seed)
    positive = [True, False] * count
    return positive, [" ".join(generator.choices(GOOD if each else BAD, k=20)) for each in positive]


@pytest.fixture(scope="module")
def model() -> bytes:
    return train(*sample(200), SETTINGS, seed=3)


def library_scores(content: bytes, lines: list[str], path: Path) -> list[float]:
    path.write_bytes(content)
    peer = fasttext.load_model(str(path))
    return [dict((label, value) for value, label in peer.f.predict(line + "\n", -1, 0.0, "strict"))[POSITIVE] for line in lines]


def test_training_is_reproducible_bit_by_bit(model: bytes) -> None:
    assert train(*sample(200), SETTINGS, seed=3) == model
    assert train(*sample(200, seed=1), SETTINGS, seed=3) != model


def test_a_rate_at_which_training_diverges_is_named() -> None:
    with pytest.raises(UsageError, match=r"filter\.learning_rate 1e\+30 makes the classifier diverge; lower it"):
        train(*sample(200), SETTINGS.model_copy(update={"learning_rate": 1e30}), seed=3)


def test_what_only_the_library_refuses_is_an_input_error(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise RuntimeError("Unknown loss")

    monkeypatch.setattr(fasttext, "load_model", refuse)
    with pytest.raises(InputError, match="m cannot be used as a classifier: Unknown loss"):
        LibraryModel(model, "m", POSITIVE)


def test_seeds_beyond_32_bits(model: bytes) -> None:
    assert train(*sample(200), SETTINGS, seed=3 + (1 << 40)) == model


def test_margins_separate(model: bytes) -> None:
    margins = load(model, "m").margins(Lines.of([" ".join(GOOD * 4), " ".join(BAD * 4), "", "unheard of"]))
    assert margins[0] > 2 > -2 > margins[1]
    assert np.isfinite(margins).all()
    assert len(load(model, "m").margins(Lines.of([]))) == 0


@pytest.mark.parametrize("word_ngrams", [1, 2, 4])
def test_scores_equal_the_library_one_by_one(word_ngrams: int, tmp_path: Path) -> None:
    """The one number a feature that is kept gives what the library computes from all of the embedding."""
    settings = SETTINGS.model_copy(update={"word_ngrams": word_ngrams, "dimension": 7})
    words = ["ärger", "naïve", "我", "喜", "é" * 30, "a", "'tis", *GOOD, *BAD]
    generator = random.Random(word_ngrams)
    lines = [" ".join(generator.choices(words, k=generator.randrange(0, 40))) for _ in range(120)]
    content = train([n % 2 == 0 for n in range(100)], lines[:100], settings, 1)
    unseen = [*lines, "", "nothing known 我 here", "</p>"]
    fused = load(content, "m")
    assert isinstance(fused, LinearModel)
    expected = library_scores(content, unseen, tmp_path / "m.bin")
    assert sigmoid(fused.margins(Lines.of(unseen))) == pytest.approx(
        np.minimum(expected, 1.0), abs=2e-5
    )  # fastText adds 1e-5 to its logarithms


def test_scores_of_real_pages_equal_the_library(tmp_path: Path) -> None:
    import gzip
    import json

    raw = gzip.decompress(shared("data", "quality", "commoncrawl-unselected.jsonl.gz").read_bytes()).splitlines()
    lines = normalise([json.loads(line)["text"] for line in raw], 1000)
    content = train([n % 2 == 0 for n in range(len(lines))], lines.texts(), SETTINGS, 1)
    expected = library_scores(content, lines.texts(), tmp_path / "m.bin")
    assert sigmoid(load(content, "m").margins(lines)) == pytest.approx(np.minimum(expected, 1.0), abs=2e-5)


def test_contributions_add_up_to_the_margin(model: bytes) -> None:
    linear = load(model, "m").linear()
    assert linear is not None
    line = "essay buy essay unknown novel"
    contributions = linear.contributions(line)
    assert {"essay", "buy", "novel", "essay buy", "buy essay", "essay unknown", "unknown novel"} <= contributions.keys()
    assert "unknown" not in contributions  # a word that the model does not know has a weight in pairs only
    end_of_line = float(linear.margins(Lines.of([line]))[0]) - sum(contributions.values())
    words = line.split(" ")
    count = len([word for word in words if word != "unknown"]) + 1 + len(words)  # words, the line's end, and pairs with it
    bare = float(linear.margins(Lines.of([""]))[0])  # a line with nothing but its end
    assert end_of_line == pytest.approx(bare / count)
    assert contributions["essay"] > 0 > contributions["buy"]


@pytest.mark.parametrize(
    ("options", "fused"), [({}, True), ({"minn": 2, "maxn": 3}, False), ({"loss": "ova"}, False), ({"loss": "hs"}, False)]
)
def test_models_of_others_score_as_the_library_does(options: dict[str, object], fused: bool, tmp_path: Path) -> None:
    positive, lines = sample(100)
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{POSITIVE if each else NEGATIVE} {line}\n" for each, line in zip(positive, lines, strict=True)))
    peer = fasttext.train_supervised(str(path), dim=4, epoch=5, thread=1, verbose=0, bucket=500, **options)
    peer.save_model(str(tmp_path / "m.bin"))
    content = (tmp_path / "m.bin").read_bytes()
    ours = load(content, "m")
    assert isinstance(ours, LinearModel) is fused
    assert sigmoid(ours.margins(Lines.of(lines[:20]))) == pytest.approx(
        np.minimum(library_scores(content, lines[:20], path), 1.0), abs=2e-5
    )


def test_the_positive_label_can_be_another(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"__label__{'hq' if each else 'cc'} {line}\n" for each, line in zip(*sample(100), strict=True)))
    fasttext.train_supervised(str(path), dim=4, epoch=5, thread=1, verbose=0).save_model(str(tmp_path / "m.bin"))
    content = (tmp_path / "m.bin").read_bytes()
    lines = Lines.of([" ".join(GOOD * 4), " ".join(BAD * 4)])
    high = load(content, "m", "__label__hq").margins(lines)
    assert high[0] > 0 > high[1]
    assert load(content, "m", "__label__cc").margins(lines) == pytest.approx(-high)
    with pytest.raises(InputError, match="no label __label__positive; its labels are __label__"):
        load(content, "m")


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
        assert load(content, "m").margins(Lines.of(["w1 w2"])).shape == (1,)
        with pytest.raises(InputError, match="in the middle of its contents"):
            load(content[:-1], "m")


def test_every_truncation_is_refused_before_the_library_sees_it(model: bytes) -> None:
    for size in [*range(0, 200), *range(200, len(model), len(model) // 200), len(model) - 1]:
        with pytest.raises(InputError, match=r"^m cannot be used as a classifier: it .*; give a model"):
            load(model[:size], "m")


def test_wrong_files_are_refused_with_the_reason(model: bytes, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(sample(50)[1]))
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
            load(content, "wrong.bin")
    with pytest.raises(InputError, match="no label __label__hq; its labels are __label__"):
        load(model, "m", "__label__hq")
