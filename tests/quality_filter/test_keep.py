from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from curation.draws import draw_uniform
from quality_filter.keep import keeps_by_draw, lomax_draw

IDS = [f"document-{number}" for number in range(60_000)]


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
