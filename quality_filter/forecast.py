"""What the filter will ask of a document, for a crawl that would rather not extract what it will remove."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation import storage
from curation.cascade import Needed
from curation.errors import UsageError
from curation.recipe import FilterSettings
from quality_filter.keep import lomax_draw
from quality_filter.scorer import QualityScorer


@dataclass(frozen=True)
class FilterForecast:
    """The filter's scores and its keep rule, a ``curation.cascade.PageJudge``.

    Raises:
        UsageError: what the rule keeps is not known before all documents are, or it keeps all.
    """

    scorer: QualityScorer
    settings: FilterSettings
    seed: int

    def __post_init__(self) -> None:
        rule = "fit_alpha" if self.settings.fit_alpha and self.settings.keep_rule == "pareto" else self.settings.keep_rule
        if rule not in ("pareto", "threshold"):
            raise UsageError(
                f"crawl.cascade needs a filter whose rule is known beforehand, and {rule} is not; "
                "set filter.keep_rule to pareto with a given alpha or to threshold, or leave crawl.cascade.model out"
            )

    def score(self, texts: Sequence[str], url: str | None, document_id: str) -> float | None:
        """See ``PageJudge``."""
        scores = self.scorer.scores(texts, [url] * len(texts), [document_id] * len(texts))
        return max((float(score) for score in scores if not math.isnan(score)), default=None)

    def needed(self, document_id: str) -> Needed:
        """See ``PageJudge``."""
        if self.settings.keep_rule == "threshold":
            return Needed(self.settings.threshold, {})
        draw = lomax_draw(self.seed, document_id, self.settings.alpha)
        return Needed(1.0 - draw, {"draw": draw})

    def spares(self, source: str) -> bool:
        """See ``PageJudge``."""
        return source == self.settings.positive_source

    def identity(self) -> dict[str, Any]:
        """See ``PageJudge``: the model's files, and the rule with its seed."""
        files = [storage.hash_file(path) for path in self.scorer.resources()]
        rule = self.settings.model_dump(mode="json", include={"keep_rule", "alpha", "threshold", "positive_source"})
        return {"model": [{"bytes": file.bytes, "sha256": file.sha256} for file in files], **rule, "seed": self.seed}
