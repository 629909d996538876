"""The trained trees, as arrays in a file of the package, and the probability that they give to each block.

Thresholds and leaves are whole numbers and sums have no order that matters, so every machine computes the same.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from curation.errors import InputError
from curation.extraction.blocks.features import NAMES
from curation.kernels import kernel

MODEL_FILE = Path(__file__).with_name("model.npz")
FORMAT = 1  # of the file; a reader refuses every other
ONE = 1 << 16  # stands for a probability of 1, and for a margin of 1
MARGIN_STEP = 10  # bits: the table of probabilities has an entry for each 1/64 of a margin
MARGIN_RANGE = 8  # margins from -8 to 8; those beyond count as the nearest


@dataclass(frozen=True)
class Model:
    """Trees of binary splits. Node n goes ``left`` where ``feature`` <= ``threshold``, else ``right``; ~k is leaf k of ``values``.

    ``roots``: the first node of each tree. ``values``: margins times ``ONE``. ``probabilities``: those of the margins from
    -``MARGIN_RANGE`` on, times ``ONE``. Nodes, leaves and roots are int32, values int64.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    roots: np.ndarray
    values: np.ndarray
    probabilities: np.ndarray


@cache
def load_model(path: Path = MODEL_FILE) -> Model:
    """The model in a file.

    Raises:
        InputError: it is missing, damaged, of another format, or was trained with other features.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if int(arrays["format"]) != FORMAT or str(arrays["names"]) != " ".join(NAMES):
                raise InputError(f"{path} was trained for another version of the extractor; train it again: cli.py extraction train")
            return Model(**{field.name: arrays[field.name] for field in fields(Model)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is no model of the block extractor ({error}); install the package again, or train it") from error


def save_model(model: Model, path: Path) -> None:
    """Write a model; equal models give equal bytes."""
    arrays = {field.name: getattr(model, field.name) for field in fields(Model)}
    with open(path, "wb") as file:
        np.savez_compressed(file, format=np.int64(FORMAT), names=np.str_(" ".join(NAMES)), **arrays)


def probabilities(model: Model, table: np.ndarray) -> np.ndarray:
    """How likely each row of features is main text: 0 to ``ONE``, int64."""
    margins = np.zeros(len(table), np.int64)
    _add_trees(table, model.feature, model.threshold, model.left, model.right, model.roots, model.values, margins)
    places = (margins >> MARGIN_STEP) + len(model.probabilities) // 2
    found: np.ndarray = model.probabilities[places.clip(0, len(model.probabilities) - 1)]
    return found


@kernel
def _add_trees(table: Any, feature: Any, threshold: Any, left: Any, right: Any, roots: Any, values: Any, margins: Any) -> None:
    for place in range(len(table)):
        row = table[place]
        for root in roots:
            node = root
            while node >= 0:
                node = left[node] if row[feature[node]] <= threshold[node] else right[node]
            margins[place] += values[~node]
