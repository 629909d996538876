"""A trained model as a folder: fold models, their calibrations, and who scores what.

    model.json     what kind of model, how texts are prepared, the folds, checksums; sealed
    fold-0.bin     the model that left the sites of fold 0 out, and scores them
    card.json      what is known of it, beside card.html for people

The same folder is what ``filter train`` writes and what the stage prepares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation import storage
from curation.errors import InputError
from curation.fasttext_file import read_layout
from curation.shards import read_sealed, sealed_json
from quality_filter import fasttext_model, hashing_lr
from quality_filter.calibration import Calibration
from quality_filter.linear import LinearModel, Model
from quality_filter.routing import Folds, Routing
from quality_filter.text import Lines, normalise

DESCRIPTION = "model.json"
FORMAT = 1
TRAIN_AGAIN = "restore it from a copy, or train the model again"
SCORED_AT_ONCE = 500  # documents whose lines are in memory together: small enough for the processor's cache
UNSCORED = np.nan


@dataclass(frozen=True)
class Description:
    """What ``model.json`` holds. ``files``: name, bytes and sha256 of each fold's model, in order."""

    classifier: str
    label: str
    min_words: int
    max_words: int
    spark: int
    routing: Routing
    calibrations: list[Calibration]
    files: list[dict[str, Any]]
    alpha: float | None = None  # as ``fit_alpha`` chose it; None for a model of others

    def to_bytes(self) -> bytes:
        """Sealed JSON."""
        return sealed_json({"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, folder: str) -> Description:
        """The description in a folder.

        Raises:
            InputError: there is none, or one of another version.
            IntegrityError: it is damaged.
        """
        values = read_sealed(storage.join(folder, DESCRIPTION), TRAIN_AGAIN)
        if values.get("format") != FORMAT:
            raise InputError(f"{folder} holds no classifier of this version; train it again")
        del values["format"], values["seal"]
        values["routing"] = Routing(**values["routing"])
        values["calibrations"] = [Calibration(**each) for each in values["calibrations"]]
        return cls(**values)


def file_entry(name: str, content: bytes) -> dict[str, Any]:
    """Entry of a model file in the description."""
    return {"name": name, "bytes": len(content), "sha256": storage.sha256_of(content)}


def load_one(description: Description, content: bytes, name: str) -> Model:
    """The model in the bytes of one file.

    Raises:
        InputError: it is damaged or of another kind.
    """
    if description.classifier == "hashing_lr":
        return hashing_lr.load(content, name, description.spark)
    return fasttext_model.load(content, name, description.label)


class QualityModel:
    """Loaded models of all folds, ready to score."""

    def __init__(self, description: Description, models: Sequence[Model]) -> None:
        self.description = description
        self.models = models

    def score(
        self, texts: Sequence[str | None], urls: Sequence[str | None], ids: Sequence[str]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Words of each text (``max_words`` at most), and its probability of the positive class; NaN under ``min_words``."""
        folds = self.description.routing.folds_of(ids, urls)
        words, scores = np.zeros(len(texts), np.int64), np.full(len(texts), UNSCORED)
        for fold, places in _chunks(folds, len(self.models)):
            lines = normalise([texts[place] for place in places], self.description.max_words)
            words[places] = lines.words
            judged = np.flatnonzero(lines.words >= self.description.min_words)
            margins = self.models[fold].margins(lines if len(judged) == len(places) else lines.select(judged))
            scores[places[judged]] = self.description.calibrations[fold].probabilities(margins)
        return words, scores

    def contributions(self, text: str, url: str | None, document_id: str) -> tuple[int, float, dict[str, float] | None]:
        """Fold of a text, its margin, and what each n-gram adds to the margin; None where the model does not tell."""
        fold = int(self.description.routing.folds_of([document_id], [url])[0])
        lines: Lines = normalise([text], self.description.max_words)
        linear: LinearModel | None = self.models[fold].linear()
        margin = float(self.models[fold].margins(lines)[0])
        return fold, margin, linear.contributions(lines.texts()[0]) if linear else None


def _chunks(folds: Folds, count: int) -> Iterable[tuple[int, npt.NDArray[np.int64]]]:
    """Places of at most ``SCORED_AT_ONCE`` documents of one fold, fold by fold: a model's weights stay in the cache."""
    for fold in range(count):
        places = np.flatnonzero(folds == fold)
        for start in range(0, len(places), SCORED_AT_ONCE):
            yield fold, places[start : start + SCORED_AT_ONCE]


def model_paths(path: str) -> list[str]:
    """The files of a model, given as its folder or as a fastText file.

    Raises:
        InputError: there is no such model.
    """
    if _is_model_folder(path):
        return [storage.join(path, name) for name in (DESCRIPTION, *(file["name"] for file in Description.read(path).files))]
    return [path]


def read_model(path: str, label: str, min_words: int, max_words: int) -> tuple[Description, Mapping[str, bytes]]:
    """Description and files of a model in a folder, or in a fastText file of others (``label``, and which words count, are the caller's).

    Raises:
        InputError: there is no such model, or it is damaged or of another kind.
    """
    if _is_model_folder(path):
        description = Description.read(path)
        return description, {file["name"]: _read_file(path, file) for file in description.files}
    content = storage.read_bytes(path)
    read_layout(content, path, label)
    description = Description("fasttext", label, min_words, max_words, 3, Routing(), [Calibration()], [file_entry("model.bin", content)])
    return description, {"model.bin": content}


def _is_model_folder(path: str) -> bool:
    """Whether the path is a folder of ``filter train``; if not, it should be a fastText file.

    Raises:
        InputError: it is a folder of something else.
    """
    if storage.exists(storage.join(path, DESCRIPTION)):
        return True
    if not storage.is_remote(path) and storage.local_path(path).is_dir():
        raise InputError(f"{path} holds no {DESCRIPTION}, so it is no model; give a folder of `filter train`, or a fastText file")
    return False


def _read_file(folder: str, entry: Mapping[str, Any]) -> bytes:
    path = storage.join(folder, entry["name"])
    if not storage.exists(path):
        raise InputError(f"{path} is missing, and {DESCRIPTION} names it; {TRAIN_AGAIN}")
    content = storage.read_bytes(path)
    if len(content) != entry["bytes"]:
        raise InputError(f"{path} is damaged: {len(content)} bytes where {DESCRIPTION} says {entry['bytes']}; {TRAIN_AGAIN}")
    if storage.sha256_of(content) != entry["sha256"]:
        raise InputError(f"{path} is damaged: its sha256 is not the one in {DESCRIPTION}; {TRAIN_AGAIN}")
    return content


def load_model(path: str, label: str, min_words: int, max_words: int) -> QualityModel:
    """A model ready to score, of a folder or a fastText file.

    Raises:
        InputError: there is no such model, or it is damaged or of another kind.
    """
    description, files = read_model(path, label, min_words, max_words)
    return QualityModel(description, [load_one(description, content, storage.join(path, name)) for name, content in files.items()])
