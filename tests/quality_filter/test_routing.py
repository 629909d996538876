from __future__ import annotations

import numpy as np
import pytest

from quality_filter.routing import Routing, choose_routing


def test_pages_of_a_site_meet_in_a_fold_and_pieces_meet_their_document() -> None:
    routing = Routing(5, 1, "site")
    folds = routing.folds_of(
        ["a", "b", "c", "doc", "doc#0", "doc#12"],
        ["http://www.example.co.uk/1", "https://shop.example.co.uk:8080/2", "http://example.co.uk", None, None, None],
    ).tolist()
    assert len(set(folds[:3])) == 1
    assert len(set(folds[3:])) == 1


@pytest.mark.parametrize("by_site", [True, False])
def test_folds_are_drawn_evenly(by_site: bool) -> None:
    routing = Routing(5, 1, "site")
    urls = [f"http://site{number}.example/" if by_site else None for number in range(10_000)]
    counts = np.bincount(routing.folds_of([str(number) for number in range(10_000)], urls), minlength=5)
    assert ((counts - 2000) ** 2 / 2000).sum() < 18.47  # 0.1 % point of chi-square with 4 degrees of freedom


def test_one_model_scores_all() -> None:
    assert Routing().folds_of(["a", "b"], [None, "http://x.example/"]).tolist() == [0, 0]


def chosen(sites: list[str | None], positive: list[bool]) -> tuple[Routing, list[int]]:
    ids = [f"d{number}" for number in range(len(sites))]
    urls = [f"http://{site}/{number}" if site else None for number, site in enumerate(sites)]
    routing = choose_routing(ids, urls, np.array(positive), 5, 1)
    folds = routing.folds_of(ids, urls)
    for fold in range(5):  # every model sees both classes
        assert {positive[place] for place in np.flatnonzero(folds != fold)} == {True, False}
    return routing, folds.tolist()


def test_sites_where_there_are_many_documents_where_there_is_one_and_a_list_where_there_are_few() -> None:
    many, folds = chosen([f"s{number % 40}.example" for number in range(80)], [number < 40 for number in range(80)])
    assert many.by == "site" and not many.listed
    assert folds[:40] == folds[40:]  # the same sites
    one, _ = chosen([None] * 40 + ["one.example"] * 40, [number < 40 for number in range(80)])
    assert one.by == "document" and not one.listed
    few, folds = chosen([None] * 4, [True, True, False, False])
    assert few.listed == {"d0": 0, "d1": 1, "d2": 0, "d3": 1}
    assert folds == [0, 1, 0, 1]
