"""The decision and the trees, against brute force."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.extraction.blocks.decide import MIN_BEST_PROBABILITY, RECALL_WEIGHTS, decide
from curation.extraction.blocks.features import NAMES
from curation.extraction.blocks.model import MODEL_FILE, ONE, Model, load_model, probabilities, save_model

BLOCKS = st.lists(st.tuples(st.integers(0, ONE), st.integers(1, 500)), min_size=1, max_size=7)


@given(BLOCKS, st.sampled_from(sorted(RECALL_WEIGHTS.values())))
def test_no_other_choice_of_blocks_has_a_better_expected_score(blocks: list[tuple[int, int]], weight: int) -> None:
    likely, words = (np.array(column, np.int64) for column in zip(*blocks, strict=True))
    decision = decide(likely, words, weight)
    if likely.max() < MIN_BEST_PROBABILITY:
        assert not decision.kept.any() and decision.confidence == 0
        return
    total = float((likely * words).sum()) / ONE
    b = weight / 100

    def score(kept: np.ndarray) -> float:
        return float((1 + b) * (likely * words)[kept].sum() / ONE / max(words[kept].sum() + b * total, 1e-9))

    best = max(score(np.array(kept)) for kept in product([False, True], repeat=len(blocks)) if any(kept))
    assert score(decision.kept) == pytest.approx(best)
    f1 = 2 * (likely * words)[decision.kept].sum() / ONE / (words[decision.kept].sum() + total)
    assert decision.confidence == pytest.approx(f1, abs=1e-4)


def test_more_weight_of_recall_keeps_more() -> None:
    likely, words = np.linspace(0, ONE, 50).astype(np.int64), np.full(50, 10)
    kept = [int(decide(likely, words, weight).kept.sum()) for weight in sorted(RECALL_WEIGHTS.values())]
    assert kept == sorted(kept) and kept[0] < kept[-1]


def test_no_blocks() -> None:
    assert len(decide(np.zeros(0, np.int64), np.zeros(0, np.int64), 60).kept) == 0


def hand_made_model() -> Model:
    """Two trees: feature 0 <= 3 gives -1, else feature 1 <= 7 gives 2, else 0.5; and feature 1 <= 0 gives 1, else -1."""
    table = (np.arange(1024) * 64).astype(np.int64)
    return Model(
        feature=np.array([0, 1, 1], np.int32),
        threshold=np.array([3, 7, 0], np.int32),
        left=np.array([~0, ~1, ~3], np.int32),
        right=np.array([1, ~2, ~4], np.int32),
        roots=np.array([0, 2], np.int32),
        values=np.array([-ONE, 2 * ONE, ONE // 2, ONE, -ONE], np.int64),
        probabilities=table,
    )


def test_trees_add_up() -> None:
    table = np.zeros((4, len(NAMES)), np.int32)
    table[:, 0], table[:, 1] = [3, 4, 4, 2], [0, 7, 8, 1]
    margins = [-1 + 1, 2 - 1, 0.5 - 1, -1 - 1]  # by hand
    assert probabilities(hand_made_model(), table).tolist() == [(int(margin * 64) + 512) * 64 for margin in margins]


def test_a_saved_model_is_read_back_and_is_the_same_file_each_time(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_model(hand_made_model(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = load_model(tmp_path / "a.npz")
    assert loaded.threshold.tolist() == [3, 7, 0] and loaded.values.dtype == np.int64


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no model")
    save_model(hand_made_model(), tmp_path / "cut.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:200])
    with np.load(MODEL_FILE) as arrays:
        np.savez(tmp_path / "other.npz", **{**arrays, "names": np.str_("other features")})
    for name in ("text.npz", "cut.npz", "absent.npz", "other.npz"):
        with pytest.raises(InputError):
            load_model(tmp_path / name)


def test_the_model_of_the_package_is_small_and_sound() -> None:
    model = load_model()
    assert MODEL_FILE.stat().st_size <= 1 << 20
    assert (model.feature < len(NAMES)).all() and (np.diff(model.probabilities) >= 0).all()
    nodes = np.arange(len(model.feature))
    for side in (model.left, model.right):
        inner = side >= 0
        assert (side[inner] > nodes[inner]).all() and (~side[~inner] < len(model.values)).all()  # walks end
