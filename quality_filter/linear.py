"""Linear models of a text's features: what every classifier here comes down to.

The margin of a document is ``bias`` plus the sum (or the mean) of the weights of its features;
the sigmoid of the margin is a probability. Imports numba: import this module where it is used.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
from quality_filter.text import Lines


@dataclass(frozen=True)
class Features:
    """The features of a batch of documents.

    ``rows``: int32, the weight that each feature has; those of document d are
    ``rows[bounds[d] : bounds[d + 1]]``. ``firsts`` and ``lengths``: int32, the first word of each
    feature in its line and how many words it has.
    """

    rows: npt.NDArray[np.int32]
    bounds: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]


class Model(Protocol):
    """A classifier of lines."""

    def margins(self, lines: Lines) -> npt.NDArray[np.float64]:
        """Logarithm of the odds of the positive class, as the model sees them; one a line."""
        ...

    def linear(self) -> LinearModel | None:
        """The model as weights of features; None where it is of another kind."""
        ...


@dataclass(frozen=True)
class LinearModel:
    """``weights``: float64, one a row of ``Features``. ``mean``: the weights are averaged, not added."""

    weights: npt.NDArray[np.float64]
    bias: float
    mean: bool
    extractor: FeatureExtractor

    def margins(self, lines: Lines) -> npt.NDArray[np.float64]:
        """See ``Model``."""
        return self.margins_of(self.extractor.features(lines))

    def margins_of(self, features: Features) -> npt.NDArray[np.float64]:
        """The same from features that are there already."""
        return _margins(features.rows, features.bounds, self.weights, self.bias, self.mean)  # type: ignore[no-any-return]

    def linear(self) -> LinearModel | None:
        """See ``Model``."""
        return self

    def contributions(self, line: str) -> dict[str, float]:
        """What each n-gram of a line adds to its margin; several occurrences together."""
        words = line.split(" ")
        features = self.extractor.features(Lines.of([line]))
        share = 1.0 / max(1, len(features.rows)) if self.mean else 1.0
        total: dict[str, float] = defaultdict(float)
        for row, first, length in zip(features.rows.tolist(), features.firsts.tolist(), features.lengths.tolist(), strict=True):
            ngram = " ".join(words[first : first + length])
            if ngram:  # the end of the line is no word of the text
                total[ngram] += share * float(self.weights[row])
        return dict(total)


class FeatureExtractor(Protocol):
    """Finds the features of lines."""

    def features(self, lines: Lines) -> Features:
        """The features of each line, in a fixed order."""
        ...


@kernel
def _margins(rows: Any, bounds: Any, weights: Any, bias: Any, mean: Any) -> Any:
    margins = np.empty(len(bounds) - 1, np.float64)
    for document in range(len(margins)):
        total = 0.0
        for place in range(bounds[document], bounds[document + 1]):
            total += weights[rows[place]]
        count = bounds[document + 1] - bounds[document]
        margins[document] = bias + (total / count if mean and count else total)
    return margins
