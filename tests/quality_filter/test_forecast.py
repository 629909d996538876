"""The forecast of the filter: what it asks of a document is what the keep rule asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import UsageError
from curation.recipe import FilterSettings
from quality_filter.forecast import FilterForecast
from quality_filter.keep import keeps
from quality_filter.scorer import QualityScorer

NO_MODEL = QualityScorer("not read here")
BESIDE = 1e-9  # rounding of 1 - draw


@given(st.text(max_size=20), st.integers(0, 1 << 40), st.sampled_from(["pareto", "threshold"]), st.floats(0.5, 20))
def test_what_is_needed_parts_the_kept_from_the_removed(document_id: str, seed: int, rule: str, alpha: float) -> None:
    settings = FilterSettings(keep_rule=rule, alpha=alpha, threshold=0.7)  # type: ignore[arg-type]
    needed = FilterForecast(NO_MODEL, settings, seed).needed(document_id).score
    assert needed - BESIDE < 0 or not keeps(settings, seed, document_id, needed - BESIDE)
    assert keeps(settings, seed, document_id, needed + BESIDE)


@pytest.mark.parametrize("rule", ["none", "top_fraction", "fit_alpha"])
def test_a_rule_that_is_not_known_beforehand_is_refused(rule: str) -> None:
    settings = FilterSettings(fit_alpha=True) if rule == "fit_alpha" else FilterSettings(keep_rule=rule)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"crawl.cascade needs a filter whose rule is known beforehand, and {rule} is not"):
        FilterForecast(NO_MODEL, settings, 0)


def test_curated_texts_are_spared() -> None:
    forecast = FilterForecast(NO_MODEL, FilterSettings(positive_source="books"), 0)
    assert forecast.spares("books") and not forecast.spares("commoncrawl")
