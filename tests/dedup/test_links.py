from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.links import batches, flatten, star_links, unite


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.uint32)


def test_star_links_by_hand() -> None:
    keys = np.array([7, 3, 7, 9, 3, 7], np.uint64)
    leaders, followers = star_links([keys], numbers(5, 1, 2, 3, 4, 0))
    assert sorted(zip(leaders.tolist(), followers.tolist(), strict=True)) == [(0, 2), (0, 5), (1, 4)]


def test_star_links_compare_every_column() -> None:
    high, low = np.array([7, 7, 7], np.uint64), np.array([1, 2, 1], np.uint64)
    leaders, followers = star_links([high, low], numbers(0, 1, 2))
    assert (leaders.tolist(), followers.tolist()) == ([0], [2])


def test_no_documents() -> None:
    leaders, followers = star_links([np.empty(0, np.uint64)], numbers())
    assert len(leaders) == len(followers) == 0
    assert flatten(numbers()).tolist() == []


def test_union_by_hand() -> None:
    parents = np.arange(7, dtype=np.uint32)
    unite(parents, numbers(5, 1, 4), numbers(4, 3, 6))
    assert flatten(parents).tolist() == [False, True, False, True, True, True, True]
    assert parents.tolist() == [0, 1, 2, 1, 4, 4, 4]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30), st.randoms())
def test_union_equals_search_and_ignores_the_order_of_links(links: list[tuple[int, int]], random: Random) -> None:
    component = list(range(20))  # by repeated relabelling, the slow and obvious way
    for one, other in links:
        low, high = sorted((component[one], component[other]))
        component = [low if label == high else label for label in component]
    random.shuffle(links)
    parents = np.arange(20, dtype=np.uint32)
    unite(parents, numbers(*(one for one, _ in links)), numbers(*(other for _, other in links)))
    linked = flatten(parents)
    assert parents.tolist() == component
    assert linked.tolist() == [component.count(label) > 1 for label in component]


@pytest.mark.parametrize("toward", [1, -1])
def test_a_long_chain_takes_few_steps(toward: int) -> None:
    count = 300_000
    chain = np.arange(count, dtype=np.uint32)[::toward]
    parents = np.arange(count, dtype=np.uint32)
    unite(parents, chain[:-1], chain[1:])
    assert flatten(parents).all()
    assert not parents.any()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=40), st.integers(1, 12))
def test_batches_keep_components_whole(members: list[tuple[int, int]], batch_cost: int) -> None:
    component_of = numbers(*(component for component, _ in members))
    costs = np.array([cost for _, cost in members])
    batch = batches(component_of, costs, batch_cost)
    totals: dict[int, dict[int, int]] = {}
    for number, (component, cost) in zip(batch.tolist(), members, strict=True):
        totals.setdefault(number, {}).setdefault(component, 0)
        totals[number][component] += cost
    assert sum(len(parts) for parts in totals.values()) == len(set(component_of.tolist()))
    for parts in totals.values():  # over the limit by less than its last component
        assert sum(parts.values()) - parts[max(parts)] < batch_cost
