"""trainer/mixture.py: proportions, epochs and resumption, checked by counting."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import InputError, UsageError
from trainer.mixture import Draw, Mixture, mixture_weights

# GPT-3, table 2.2; the weights sum to 1.01.
TABLE_2_2 = {"commoncrawl": 0.60, "webtext": 0.22, "books1": 0.08, "books2": 0.08, "wikipedia": 0.03}


def test_weights_are_normalised() -> None:
    weights = mixture_weights(dict.fromkeys(TABLE_2_2, 1), TABLE_2_2)
    assert weights["commoncrawl"] == pytest.approx(0.60 / 1.01)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert list(weights) == sorted(weights)


def test_default_is_in_proportion_to_tokens() -> None:
    assert mixture_weights({"b": 300, "a": 100}, None) == {"a": 0.25, "b": 0.75}


def test_source_without_weight_is_left_out() -> None:
    assert mixture_weights({"a": 1, "b": 1, "c": 1}, {"a": 2.0, "b": 0.0}) == {"a": 1.0}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"x": 1.0}, "'x', which has no tokens; the sources are a, b"),
        ({"a": -1.0}, "the weight -1.0"),
        ({"a": float("nan")}, "the weight nan"),
        ({"a": float("inf")}, "the weight inf"),
        ({"a": 0.0}, "no source with a positive weight"),
        ({}, "no source with a positive weight"),
    ],
)
def test_bad_weights(weights: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mixture_weights({"b": 1, "a": 1}, weights)


def test_source_without_sequence_is_an_error() -> None:
    with pytest.raises(InputError, match="'a' is shorter than one sequence"):
        Mixture({"a": 0}, {"a": 1.0}, 0)
    with pytest.raises(InputError, match="no source is long enough"):
        Mixture({}, {}, 0)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 9), st.floats(0.001, 1)), min_size=1),
    st.integers(0, 2**63 - 1),
)
def test_each_epoch_is_a_permutation_and_proportions_hold(sources: dict[str, tuple[int, float]], seed: int) -> None:
    weights = mixture_weights(dict.fromkeys(sources, 1), {source: weight for source, (_, weight) in sources.items()})
    mixture = Mixture({source: count for source, (count, _) in sources.items()}, weights, seed)
    seen: dict[str, list[Draw]] = defaultdict(list)
    for sample in range(200):
        draw = mixture.draw(sample)
        seen[draw.source].append(draw)
        if sample in (0, 9, 199):
            counted = {source: len(draws) for source, draws in seen.items()}
            assert {source: count for source, count in mixture.drawn(sample + 1).items() if count} == counted
            for source, weight in weights.items():
                assert abs(counted.get(source, 0) - weight * (sample + 1)) <= len(weights)
    for source, draws in seen.items():
        size = sources[source][0]
        assert [draw.epoch for draw in draws] == [place // size for place in range(len(draws))]
        for start in range(0, len(draws) - size + 1, size):
            assert sorted(draw.index for draw in draws[start : start + size]) == list(range(size))


def test_table_2_2_proportions() -> None:
    weights = mixture_weights(dict.fromkeys(TABLE_2_2, 1), TABLE_2_2)
    mixture = Mixture(dict.fromkeys(TABLE_2_2, 10**6), weights, 1)
    counts = Counter(mixture.draw(sample).source for sample in range(10_100))
    # 10,100 samples of weights over 1.01: 10,000 times each weight, to within one sample a source.
    for source, weight in TABLE_2_2.items():
        assert abs(counts[source] - 10_000 * weight) <= 5


def test_weights_lost_in_rounding_leave_a_mixture() -> None:
    mixture = Mixture(dict.fromkeys("abc", 10), mixture_weights(dict.fromkeys("abc", 10), {"a": 1.0, "b": 1e-320, "c": 1e-320}), 1)
    assert {mixture.draw(sample).source for sample in range(100)} == {"a"}  # 1 + 2e-320 is 1 in doubles


def test_epochs_are_reshuffled() -> None:
    mixture = Mixture({"a": 40}, {"a": 1.0}, 5)
    first, second = ([mixture.draw(40 * epoch + place).index for place in range(40)] for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert mixture.epochs(60) == {"a": 1.5}


def test_seed_changes_the_order() -> None:
    one, two = (Mixture({"a": 40, "b": 40}, {"a": 0.5, "b": 0.5}, seed) for seed in (1, 2))
    assert [one.draw(sample) for sample in range(40)] != [two.draw(sample) for sample in range(40)]
