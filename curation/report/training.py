"""The training log of a model folder, thinned to what a chart can show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curation import storage
from curation.errors import IntegrityError
from curation.finished import TRAIN, is_current, read_model_manifest
from curation.report.committed import read_published
from curation.report.facts import Curve, TrainingFacts

CURVE_POINTS = 400  # more than a laptop's chart has pixels to tell apart
STEP_QUANTITIES = {"loss": "training", "learning_rate": "learning rate", "gradient_norm": "gradient norm"}  # and their curves' names


def read_training(run: str) -> TrainingFacts | None:
    """The training of a run, finished or not; None if there is none.

    Raises:
        IntegrityError: the log or the description of the model is damaged.
    """
    path = storage.join(run, "model", "metrics.jsonl")
    if not storage.exists(path):
        return None
    steps, validations = _read_log(path)
    sample_path = storage.join(run, "model", "sample.txt")
    finished = read_model_manifest(run) is not None
    sample = storage.read_bytes(sample_path).decode("utf-8", "replace") if finished and storage.exists(sample_path) else None
    averaged = -(-len(steps["tokens"]) // CURVE_POINTS) or 1
    loss, learning_rate, gradient_norm = (_thinned(name, steps, averaged) for name in STEP_QUANTITIES)
    return TrainingFacts(
        config=read_published(run, "model/config.json") or {},
        finished=finished,
        outdated=finished and not is_current(run, TRAIN),
        loss=loss,
        validation=Curve("validation", _column(validations, "tokens"), _column(validations, "validation_loss")),
        validation_by_source=_curves_by_source(validations),
        learning_rate=learning_rate,
        gradient_norm=gradient_norm,
        bits_per_byte=validations[-1]["bits_per_byte"] if validations else None,
        averaged=averaged,
        sample=sample,
    )


def _read_log(path: str) -> tuple[dict[str, list[float]], list[Mapping[str, Any]]]:
    """Columns of the steps' rows, and the validation rows; a last line that a crash cut short is passed over."""
    steps: dict[str, list[float]] = {name: [] for name in ("tokens", *STEP_QUANTITIES)}
    validations = []
    with storage.open_binary(path) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                row = json.loads(line, parse_constant=_refuse)
                if "validation_loss" in row:
                    validations.append(row)
                elif "loss" in row:
                    for name, values in steps.items():
                        values.append(float(row[name]))
            except (ValueError, KeyError, TypeError) as error:
                raise IntegrityError(f"{path}: line {number} is no row of a training log ({error!r}); train again") from error
    return steps, validations


def _refuse(constant: str) -> float:
    """NaN and infinities are no JSON, and no point of a chart."""
    raise ValueError(constant)


def _thinned(name: str, steps: Mapping[str, Sequence[float]], averaged: int) -> Curve:
    """Means of ``averaged`` steps in a row, each at the tokens of its last step."""
    values = np.asarray(steps[name])
    starts = np.arange(0, len(values), averaged)
    if not len(starts):
        return Curve(STEP_QUANTITIES[name], [], [])
    ends = np.minimum(starts + averaged, len(values))
    means = np.add.reduceat(values, starts) / (ends - starts)
    return Curve(STEP_QUANTITIES[name], np.asarray(steps["tokens"])[ends - 1].tolist(), means.tolist())


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def _curves_by_source(rows: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Validation losses of each source, by name."""
    sources = sorted({source for row in rows for source in row["source_losses"]})
    curves = []
    for source in sources:
        own = [row for row in rows if source in row["source_losses"]]
        curves.append(Curve(source, _column(own, "tokens"), [float(row["source_losses"][source]) for row in own]))
    return curves
