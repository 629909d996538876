from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.draws import draw_uniform
from curation.recipe import FilterSettings
from quality_filter.keep import KeepRule, best_of, fit_alpha, keeps, keeps_by_draw, lomax_draw, tie_key

IDS = [f"document-{number}" for number in range(100_000)]


def test_draw_is_the_inverse_distribution_function_of_a_keyed_hash() -> None:
    digest = hashlib.blake2b(b"some-id", digest_size=8, key=(17).to_bytes(8, "little"), person=b"keep").digest()
    uniform = (int.from_bytes(digest, "little") >> 11) / 2**53
    assert draw_uniform(17, "keep", "some-id") == uniform
    assert lomax_draw(17, "some-id", 9.0) == pytest.approx((1 - uniform) ** (-1 / 9) - 1)


@pytest.mark.parametrize("alpha", [9.0, 3.0])
def test_keep_probability_is_two_minus_score_to_the_minus_alpha(alpha: float) -> None:
    draws = [lomax_draw(1, document_id, alpha) for document_id in IDS]
    for score in (0.0, 0.25, 0.5, 0.75, 0.9, 0.95):
        expected = (2 - score) ** -alpha
        kept = sum(keeps_by_draw(score, draw) for draw in draws)
        deviation = (len(IDS) * expected * (1 - expected)) ** 0.5
        assert abs(kept - len(IDS) * expected) < 4 * deviation, score
    assert all(keeps_by_draw(1.0, draw) for draw in draws)


def test_a_tiny_alpha_keeps_nearly_all() -> None:
    draws = [lomax_draw(1, document_id, 1e-300) for document_id in IDS[:100]]
    assert set(draws) == {math.inf}  # (1 - uniform)^-(10^300)
    assert all(keeps_by_draw(0.0, draw) for draw in draws)


def test_values_that_the_specification_lists() -> None:
    # Appendix A with alpha 9: P(keep) at these scores.
    for score, probability in ((0.95, 0.645), (0.9, 0.424), (0.75, 0.134), (0.5, 0.0260), (0.25, 0.0065), (0.0, 0.00195)):
        assert (2 - score) ** -9 == pytest.approx(probability, rel=0.01)


def test_draws_follow_the_law_of_numpy_pareto() -> None:
    """Two-sample Kolmogorov-Smirnov statistic below its critical value at 0.1 %."""
    ours = np.sort([lomax_draw(2, document_id, 9.0) for document_id in IDS])
    theirs = np.sort(np.random.default_rng(3).pareto(9.0, len(IDS)))
    places = np.concatenate([ours, theirs])
    distance = np.abs(np.searchsorted(ours, places, "right") - np.searchsorted(theirs, places, "right")).max() / len(IDS)
    assert distance < 1.95 * (2 / len(IDS)) ** 0.5


def test_seeds_and_purposes_are_independent() -> None:
    one = np.array([draw_uniform(1, "keep", document_id) for document_id in IDS[:20_000]])
    for other in ([draw_uniform(2, "keep", i) for i in IDS[:20_000]], [draw_uniform(1, "holdout", i) for i in IDS[:20_000]]):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / 20_000**0.5


def test_chi_square_of_the_pareto_law_over_100_000_ids() -> None:
    """20 cells of equal probability under P(draw > x) = (1 + x)^-9: the statistic stays below the 0.1 % point of chi-square(19)."""
    edges = [(1 - cell / 20) ** (-1 / 9) - 1 for cell in range(20)] + [math.inf]
    counts = np.histogram([lomax_draw(7, document_id, 9.0) for document_id in IDS], edges)[0]
    assert counts.sum() == len(IDS)
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.82


def test_rules_and_what_they_tell() -> None:
    rule = KeepRule("threshold", 0, threshold=0.6)
    assert rule.judge("a", 0.6) == (True, {"score": 0.6, "threshold": 0.6})
    assert not rule.judge("a", 0.59)[0]
    kept, detail = KeepRule("pareto", 3, alpha=3.0).judge("a", 0.4)
    assert detail == {"score": 0.4, "draw": lomax_draw(3, "a", 3.0), "needed": 0.6}
    assert kept is (detail["draw"] > 0.6)
    assert KeepRule("none", 0).judge("a", 0.0)[0]
    settings = FilterSettings(keep_rule="threshold", threshold=0.5)
    assert keeps(settings, 0, "a", 0.5) and not keeps(settings, 0, "a", 0.49)
    assert [keeps(FilterSettings(), 5, each, 0.7) for each in IDS[:500]] == [lomax_draw(5, each, 9.0) > 1 - 0.7 for each in IDS[:500]]


SCORES = st.lists(st.sampled_from([0.0, 1e-300, 0.25, 0.25 + 2**-54, 0.5, 1.0]) | st.floats(0, 1), max_size=40)


@given(SCORES, st.floats(0, 1), st.integers(1, 7))
def test_top_fraction_keeps_exactly_the_best(scores: list[float], fraction: float, size: int) -> None:
    ids = [f"d{number}" for number in range(len(scores))]
    ties = [tie_key(1, document_id) for document_id in ids]
    last = best_of(
        lambda: (
            (np.array(scores[start : start + size]), np.array(ties[start : start + size], np.uint64))
            for start in range(0, len(scores), size)
        ),
        fraction,
    )
    rule = KeepRule("top_fraction", 1, last_kept=last)
    kept = {document_id for document_id, score in zip(ids, scores, strict=True) if rule.judge(document_id, score)[0]}
    best = sorted(zip(ids, scores, ties, strict=True), key=lambda row: (-row[1], row[2]))
    assert kept == {document_id for document_id, _, _ in best[: math.floor(fraction * len(scores))]}


@pytest.mark.parametrize("alpha", [2.0, 9.0, 20.0])
def test_fit_alpha_finds_the_alpha_that_made_a_sample(alpha: float) -> None:
    generator = np.random.default_rng(4)
    raw = generator.random(40_000)
    kept = raw[generator.pareto(alpha, len(raw)) > 1 - raw]
    assert fit_alpha(generator.random(40_000), kept) == pytest.approx(alpha, rel=0.1)


def test_fit_alpha_stays_in_its_range() -> None:
    low, high = np.full(100, 0.1), np.full(100, 0.9)
    assert 0.09 < fit_alpha(np.concatenate([low, high]), high) < 101
    assert 0.09 < fit_alpha(high, low) < 101
