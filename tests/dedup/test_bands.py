from __future__ import annotations

import datasketch
import numpy as np
import pytest
from datasketch.lsh import _false_negative_probability, _false_positive_probability

from curation.errors import UsageError
from dedup.bands import FALSE_NEGATIVE_WEIGHT, candidate_probability, choose_bands, error_integrals
from dedup.interop import signatures_of
from dedup.keys import band_keys


@pytest.mark.parametrize(("threshold", "permutations"), [(0.8, 64), (0.5, 10), (0.7, 2)])
def test_choice_has_the_least_weighted_error(threshold: float, permutations: int) -> None:
    # The definition itself, summed on a fine grid, over every possible number of bands and rows.
    grid = (np.arange(20_000) + 0.5) / 20_000
    below, above = grid[grid < threshold], grid[grid > threshold]

    def error(bands: int, rows: int) -> float:
        false_positives = candidate_probability(below, bands, rows).sum() / len(grid)
        false_negatives = (1 - candidate_probability(above, bands, rows)).sum() / len(grid)
        return float((1 - FALSE_NEGATIVE_WEIGHT) * false_positives + FALSE_NEGATIVE_WEIGHT * false_negatives)

    shapes = [(bands, rows) for bands in range(1, permutations + 1) for rows in range(1, permutations // bands + 1)]
    assert error(*choose_bands(threshold, permutations)) == pytest.approx(min(error(*shape) for shape in shapes), abs=1e-4)


@pytest.mark.parametrize(("threshold", "permutations"), [(0.8, 128), (0.5, 128), (0.75, 112), (0.9, 256), (0.6, 64), (0.3, 32)])
def test_choice_is_datasketchs(threshold: float, permutations: int) -> None:
    theirs = datasketch.MinHashLSH(threshold=threshold, num_perm=permutations, weights=(1 - FALSE_NEGATIVE_WEIGHT, FALSE_NEGATIVE_WEIGHT))
    assert choose_bands(threshold, permutations) == (theirs.b, theirs.r)


def test_default_finds_what_the_recipe_asks_for() -> None:
    bands, rows = choose_bands(0.8, 128)
    assert (bands, rows) == (14, 9)
    assert candidate_probability(0.9, bands, rows) >= 0.99
    assert candidate_probability(0.85, bands, rows) >= 0.95
    assert candidate_probability(0.8, bands, rows) == pytest.approx(0.867, abs=5e-4)


def test_probability_by_hand() -> None:
    # One band of one row: the similarity itself. Two bands of two rows at 1/2: 1 - (3/4)^2 = 7/16.
    assert candidate_probability(0.3, 1, 1) == pytest.approx(0.3)
    assert candidate_probability([0.0, 0.5, 1.0], 2, 2).tolist() == pytest.approx([0.0, 0.4375, 1.0])


def test_threshold_one_still_finds_equal_sets() -> None:
    assert choose_bands(1.0, 128) == (1, 128)
    assert candidate_probability(1.0, 1, 128) == 1.0


def test_too_short_a_signature_is_refused() -> None:
    with pytest.raises(UsageError, match=r"raise dedup\.permutations"):
        choose_bands(0.95, 2)


def test_random_signatures_follow_the_curve() -> None:
    # Rows agree independently with probability s: the share of pairs with a common key is binomial.
    generator = np.random.default_rng(5)
    pairs = 20_000
    for similarity in (0.7, 0.85):
        one = generator.integers(0, 1 << 32, (pairs, 128), dtype=np.uint32)
        other = np.where(generator.random((pairs, 128)) < similarity, one, generator.integers(0, 1 << 32, (pairs, 128), dtype=np.uint32))
        shared = (band_keys(one, 14, 9) == band_keys(other, 14, 9)).any(axis=1).mean()
        expected = float(candidate_probability(similarity, 14, 9))
        assert abs(shared - expected) < 4 * (expected * (1 - expected) / pairs) ** 0.5


@pytest.mark.parametrize(("common", "own"), [(70, 15), (85, 7)])
def test_texts_of_known_similarity_follow_the_curve(common: int, own: int) -> None:
    # Single words that no other pair has: the similarity is common / (common + 2 own), exactly.
    pairs, similarity = 2000, common / (common + 2 * own)
    texts = []
    for pair in range(pairs):
        shared = " ".join(f"c{pair}x{number}" for number in range(common))
        texts += [f"{shared} {' '.join(f'{side}{pair}x{number}' for number in range(own))}" for side in "ab"]
    signatures = signatures_of(texts, ngram_words=1, permutations=128, seed=3)
    keys = band_keys(signatures, 14, 9).reshape(pairs, 2, 14)
    found = (keys[:, 0] == keys[:, 1]).any(axis=1).mean()
    expected = float(candidate_probability(similarity, 14, 9))
    assert abs(found - expected) < 4 * (expected * (1 - expected) / pairs) ** 0.5


def test_keys_depend_on_every_row_and_its_place() -> None:
    signature = np.arange(1, 9, dtype=np.uint32)[None, :]
    keys = band_keys(signature, 2, 4)
    assert keys.shape == (1, 2)
    for row in range(8):
        changed = signature.copy()
        changed[0, row] ^= 1
        assert (band_keys(changed, 2, 4) == keys).tolist() == [[row >= 4, row < 4]]
    assert band_keys(signature[:, ::-1].copy(), 1, 8) != band_keys(signature, 1, 8)


@pytest.mark.parametrize(("threshold", "bands", "rows"), [(0.8, 14, 9), (0.5, 25, 5), (0.75, 14, 8)])
def test_error_integrals_equal_datasketch(threshold: float, bands: int, rows: int) -> None:
    positives, negatives = error_integrals(threshold, bands, rows)
    assert positives == pytest.approx(_false_positive_probability(threshold, bands, rows), abs=2e-3)
    assert negatives == pytest.approx(_false_negative_probability(threshold, bands, rows), abs=2e-3)
    assert error_integrals(0.5, 1, 1) == pytest.approx((1 / 8, 1 / 8))  # two triangles
