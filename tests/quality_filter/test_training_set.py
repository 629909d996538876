from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.recipe import FilterSettings
from quality_filter.training_set import LABELLED, balance, merge_orders, sample_documents
from tests.small_corpus import SmallCorpus, shards_of


def labelled(rows: list[tuple[bool, int, str]]) -> pl.DataFrame:
    """Rows of (positive, order, line)."""
    return pl.DataFrame(
        [{"id": f"d{number}", "positive": positive, "order": order, "line": line} for number, (positive, order, line) in enumerate(rows)],
        schema=LABELLED,
    )


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=6), max_size=5), st.integers(1, 9))
def test_merge_keeps_the_smallest(parts: list[list[int]], count: int) -> None:
    arrays = (pl.Series(values, dtype=pl.UInt64).to_numpy() for values in parts)
    assert merge_orders(arrays, count).tolist() == sorted(value for values in parts for value in values)[:count]


def test_balance_takes_as_many_of_each_and_no_line_twice() -> None:
    rows = [(True, 9, "a"), (True, 3, "b"), (True, 5, "b"), (True, 1, "c"), (False, 8, "x"), (False, 2, "y")]
    balanced = balance(labelled(rows), 1.0)
    assert balanced["line"].to_list() == ["c", "y", "b", "x"]  # in the order of their draws
    assert balance(labelled(rows).reverse(), 1.0).equals(balanced)


@pytest.mark.parametrize(("ratio", "positives", "negatives"), [(1.0, 10, 10), (2.0, 10, 20), (0.5, 10, 5), (10.0, 3, 30), (3.5, 9, 30)])
def test_class_ratio(ratio: float, positives: int, negatives: int) -> None:
    rows = [(True, number, f"p{number}") for number in range(10)] + [(False, number, f"n{number}") for number in range(30)]
    chosen = balance(labelled(rows), ratio)["positive"]
    assert (int(chosen.sum()), int((~chosen).sum())) == (positives, negatives)


def test_two_of_each_class_are_enough_and_one_is_not() -> None:
    rows = [(number % 2 == 0, number, str(number)) for number in range(4)]
    assert len(balance(labelled(rows), 1.0)) == 4
    with pytest.raises(InputError, match=r"1 positives and 1 negatives .* two of each are needed"):
        balance(labelled(rows[:2]), 1.0)


def test_what_a_shard_tells(tmp_path: Path) -> None:
    rows = [
        {"id": "p", "text": "A Curated\n\n  text | of six words", "source": "curated"},
        {"id": "q", "text": "another curated text of some words", "source": "curated", "url": "http://example.org/"},
        {"id": "copy", "text": "a curated text of SIX words", "source": "commoncrawl"},
        {"id": "address", "text": "raw text at a curated address", "source": "commoncrawl", "url": "https://www.example.org/?utm_source=x"},
        {"id": "shared", "text": "raw text that somebody has shared", "source": "webtext", "karma": 5},
        {"id": "short", "text": "raw | - but ... short", "source": "commoncrawl"},
        *({"id": f"n{number}", "text": f"raw text number {number} is here", "source": None, "file_path": "f"} for number in range(3)),
    ]
    documents, found = sample_documents(SmallCorpus(tmp_path, shards_of(rows, 4)), FilterSettings(class_ratio=1.5), 1)
    assert found == {"positives": 2, "negatives": 3}
    assert sorted(documents["id"]) == ["n0", "n1", "n2", "p", "q"]
    one = documents.row(by_predicate=pl.col("id") == "p", named=True)
    assert (one["positive"], one["line"], one["characters"]) == (True, "a curated text of six words", 32)  # 9 + 2 line ends + 2 blanks + 19
    assert one["line_length"] == 32 / 2
