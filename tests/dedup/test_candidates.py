from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe import DedupSettings
from dedup.candidates import ALL_PAIRS_DOCUMENTS, MAX_LEADERS, Agreement, agreement_for, link_rows
from dedup.presets import resolve

DEFAULT = agreement_for(resolve(DedupSettings()))


def joined(count: int, links: list[tuple[int, int]]) -> list[int]:
    """Component of each document, by repeated relabelling."""
    component = list(range(count))
    for one, other in links:
        low, high = sorted((component[one], component[other]))
        component = [low if label == high else label for label in component]
    return component


def signature(generator: np.random.Generator) -> np.ndarray:
    return generator.integers(0, 256, 128, dtype=np.uint8)


def changed(generator: np.random.Generator, row: np.ndarray, rows: int) -> np.ndarray:
    """The signature with that many rows changed for certain."""
    other = row.copy()
    places = generator.permutation(128)[:rows]
    other[places] = other[places] + 1
    return other


def test_limits_by_hand() -> None:
    # At 0.8 with 128 rows the standard error is sqrt(0.16 / 128) = 0.03536; five of them are 0.17678.
    assert Agreement(link=80, same=117, bands=14, rows=9) == DEFAULT  # 0.62322 * 128 = 79.8; (1 - 0.08839) * 128 = 116.7
    assert agreement_for(resolve(DedupSettings(threshold=1.0))).link == 128
    assert agreement_for(resolve(DedupSettings(permutations=2, threshold=0.5))).link == 0  # too short to tell: all are linked


def test_a_pair_is_linked_from_the_limit_on() -> None:
    generator = np.random.default_rng(1)
    row = signature(generator)
    assert link_rows(np.stack([row, changed(generator, row, 128 - 80)]), DEFAULT) == [(0, 1)]
    assert link_rows(np.stack([row, changed(generator, row, 128 - 79)]), DEFAULT) == []


@pytest.mark.parametrize("groups", [3, 200])
def test_small_and_large_buckets_part_into_their_look_alikes(groups: int) -> None:
    # Strangers by chance, each with three copies whose signatures differ in up to 10 rows: similarity 0.92 and more.
    generator = np.random.default_rng(groups)
    rows = []
    for _ in range(groups):
        row = signature(generator)
        rows += [row, *(changed(generator, row, int(generator.integers(1, 11))) for _ in range(3))]
    order = generator.permutation(len(rows))
    links = link_rows(np.stack([rows[i] for i in order]), DEFAULT)
    component = joined(len(rows), links)
    found = {}
    for place, i in enumerate(order):
        found.setdefault(component[place], set()).add(int(i) // 4)
    assert all(len(group) == 1 for group in found.values())  # strangers are never joined
    # By the curve a pair of similarity 0.92 shares a fine key with probability 0.9998, and there are several pairs.
    assert len(found) <= groups * 1.02


def test_links_of_a_large_bucket_are_linear() -> None:
    # A star: all follow the first. Strangers: none is linked, whatever their number.
    generator = np.random.default_rng(2)
    row = signature(generator)
    alike = np.stack([changed(generator, row, 3) for _ in range(5000)])
    assert len(link_rows(alike, DEFAULT)) == 4999
    strangers = generator.integers(0, 256, (5000, 128), dtype=np.uint8)
    assert link_rows(strangers, DEFAULT) == []
    # A chain, in which each resembles its neighbours alone: at most leaders and all pairs of a fine bucket are linked.
    chain = np.stack([np.concatenate([row[i % 128 :], row[: i % 128]]) + np.uint8(i // 128) for i in range(5000)])
    assert len(link_rows(chain, DEFAULT)) <= 5000 * (1 + DEFAULT.bands) * max(MAX_LEADERS, ALL_PAIRS_DOCUMENTS)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, ALL_PAIRS_DOCUMENTS), st.integers(0, 10_000), st.randoms())
def test_small_buckets_equal_all_pairs_in_any_order(count: int, seed: int, random: Random) -> None:
    generator = np.random.default_rng(seed)
    rows = [signature(generator)]
    while len(rows) < count:
        rows.append(changed(generator, rows[random.randrange(len(rows))], random.choice([5, 30, 60])))
    low = np.stack(rows)
    expected = [(i, j) for i in range(count) for j in range(i) if int((low[i] == low[j]).sum()) >= DEFAULT.link]
    order = random.sample(range(count), count)
    links = [(order[one], order[other]) for one, other in link_rows(low[order], DEFAULT)]
    assert joined(count, links) == joined(count, expected)
