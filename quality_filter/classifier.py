"""The fastText classifier: trained, stored as bytes, and asked for the probability of the positive class."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation import storage
from curation.errors import InputError, UsageError
from curation.recipe import FilterSettings
from quality_filter.model_file import check_model
from quality_filter.text import LABEL_PREFIX

POSITIVE = f"{LABEL_PREFIX}positive"
NEGATIVE = f"{LABEL_PREFIX}negative"
LARGEST_SEED = (1 << 31) - 1  # fastText's seed is a signed 32-bit integer
ALL_LABELS = -1


def train(lines: Sequence[tuple[bool, str]], settings: FilterSettings, seed: int) -> bytes:
    """A model trained on (is positive, line of ``classifier_line``), as the bytes of its file.

    The order of the lines matters: stochastic gradient descent sees them as given. One thread and a
    fixed seed: the same lines give the same bytes.

    Raises:
        UsageError: the recipe's learning rate makes the weights no numbers, or the model does not fit in memory.
    """
    import fasttext

    with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
        path = Path(folder, "lines.txt")
        with path.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.writelines(f"{POSITIVE if positive else NEGATIVE} {line}\n" for positive, line in lines)
        try:
            model = fasttext.train_supervised(
                input=str(path),
                dim=settings.dimension,
                epoch=settings.epochs,
                lr=settings.learning_rate,
                wordNgrams=settings.word_ngrams,
                bucket=settings.buckets,
                thread=1,
                seed=seed & LARGEST_SEED,
                verbose=0,
            )
        except RuntimeError as error:
            if "NaN" not in str(error):
                raise
            raise UsageError(f"filter.learning_rate {settings.learning_rate} makes the classifier diverge; lower it") from error
        except MemoryError as error:
            size = f"{settings.buckets:,} filter.buckets of {settings.dimension:,} filter.dimension"
            raise UsageError(f"a classifier of {size} does not fit in memory; lower one of them") from error
        model_path = Path(folder, "model.bin")
        model.save_model(str(model_path))
        return model_path.read_bytes()


class Classifier:
    """A loaded model.

    Raises:
        InputError: ``content`` is no complete classifier with the label ``__label__positive``.
    """

    def __init__(self, content: bytes, name: str) -> None:
        import fasttext

        check_model(content, name, POSITIVE)
        with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
            path = Path(folder, "model.bin")
            path.write_bytes(content)
            try:
                self._model: Any = fasttext.load_model(str(path))
            except (ValueError, RuntimeError, MemoryError) as error:
                raise InputError(f"{name} cannot be used as a classifier: {error}; train it again") from error

    def score(self, lines: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probability of the positive class of each line, 0 to 1.

        Computed in 32 bits and widened. A line without any word of the model gets what fastText
        gives to an empty document.
        """
        labels, probabilities = self._model.predict(list(lines), k=ALL_LABELS)
        scores = np.zeros(len(lines), np.float64)
        for place, (names, values) in enumerate(zip(labels, probabilities, strict=True)):
            if POSITIVE in names:
                scores[place] = values[names.index(POSITIVE)]
        return np.clip(scores, 0.0, 1.0)  # fastText adds 1e-5 inside its logarithm: values up to 1.00001 occur


@functools.lru_cache(maxsize=1)
def load_classifier(path: str, version: str) -> Classifier:
    """The classifier committed under a path; kept for the next shard (``version`` is its digest)."""
    return Classifier(storage.read_bytes(path), path)
