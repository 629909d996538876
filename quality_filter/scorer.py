"""A scorer for others, such as a crawl that judges pages as they come: picklable, cheap until it is used.

scorer = QualityScorer("model/")
probabilities = scorer.scores(texts, urls)
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quality_filter.model_folder import QualityModel, load_model, model_paths


@dataclass(frozen=True)
class QualityScorer:
    """A model by its path: a folder of ``filter train`` (or ``RUN/filter/prepared``), or a fastText file of others.

    ``label``, ``min_words`` and ``max_words`` count for a fastText file only; a folder has its own.
    ``version`` tells apart what one path has held at different times. A process loads a model at its
    first use and keeps the last one.
    """

    path: str
    label: str = "__label__positive"
    min_words: int = 5
    max_words: int = 1000
    version: str = ""

    def model(self) -> QualityModel:
        """The loaded model.

        Raises:
            InputError: there is no such model, or it is damaged or of another kind.
        """
        return _load(self)

    def scores(
        self, texts: Sequence[str | None], urls: Sequence[str | None] | None = None, ids: Sequence[str] | None = None
    ) -> npt.NDArray[np.float64]:
        """Probability of the positive class of each text; NaN where it has fewer words than the model judges.

        ``urls`` and ``ids`` choose, of several models, the one that has not seen the page's site.
        """
        nothing: list[None] = [None] * len(texts)
        return self.model().score(texts, urls or nothing, ids or [""] * len(texts))[1]

    def resources(self) -> list[str]:
        """The files whose content decides the scores, for a fingerprint."""
        return model_paths(self.path)


@functools.lru_cache(maxsize=1)
def _load(scorer: QualityScorer) -> QualityModel:
    return load_model(scorer.path, scorer.label, scorer.min_words, scorer.max_words)
