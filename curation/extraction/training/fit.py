"""Trees from labelled pages, by LightGBM, as the arrays of a ``Model``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.errors import InputError
from curation.extraction.blocks.model import MARGIN_RANGE, MARGIN_STEP, ONE, Model
from curation.extraction.training.labels import UNKNOWN
from curation.extraction.training.pages import LabelledPage

TREES = 120
WORD_WEIGHT = 0.5  # of a block's weight in training that goes by its words; the rest is the same for all blocks of a page
# Chosen in cross-validation (docs/extraction.md). With one thread, row-wise histograms and a seed, LightGBM repeats itself.
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 127,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


def fit(pages: Sequence[LabelledPage], seed: int) -> Model:
    """Train on the labelled blocks of the pages; every page counts the same.

    Raises:
        InputError: LightGBM is not installed.
    """
    try:
        import lightgbm
    except ModuleNotFoundError as error:
        raise InputError("training needs LightGBM: pip install 'crawl2gpt[train-extractor]'") from error
    rows, labels, weights = [], [], []
    for page in pages:
        known = page.labels != UNKNOWN
        share = page.words / max(1, page.words.sum())
        rows.append(page.table[known])
        labels.append(page.labels[known])
        weights.append((WORD_WEIGHT * share + (1 - WORD_WEIGHT) / max(1, len(share)))[known])
    weight = np.concatenate(weights)
    data = lightgbm.Dataset(np.concatenate(rows), np.concatenate(labels), weight=weight / weight.mean())
    booster = lightgbm.train({**PARAMETERS, "seed": seed}, data, TREES)
    return _as_arrays([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]])


def _as_arrays(trees: Sequence[dict[str, Any]]) -> Model:
    nodes: list[list[int]] = []
    values: list[int] = []
    roots = [_add(tree, nodes, values) for tree in trees]
    step = 1 << MARGIN_STEP
    margins = (np.arange(-MARGIN_RANGE * ONE, MARGIN_RANGE * ONE, step) + step / 2) / ONE
    table = np.round(ONE / (1 + np.exp(-margins))).astype(np.int64)
    feature, threshold, left, right = np.array(nodes, np.int32).reshape(-1, 4).T.copy()
    return Model(feature, threshold, left, right, np.array(roots, np.int32), np.array(values, np.int64), table)


def _add(tree: dict[str, Any], nodes: list[list[int]], values: list[int]) -> int:
    """Append a tree; the number of its first node, or ~leaf. Features are whole, so x <= 3.5 is x <= 3."""
    if "leaf_value" in tree and "split_feature" not in tree:
        values.append(round(tree["leaf_value"] * ONE))
        return ~(len(values) - 1)
    place = len(nodes)
    nodes.append([tree["split_feature"], int(np.floor(tree["threshold"])), 0, 0])
    nodes[place][2:] = [_add(tree[side], nodes, values) for side in ("left_child", "right_child")]
    return place
