from __future__ import annotations

import polars as pl
import pytest

from curation.errors import InputError
from quality_filter.training_set import LABELLED, balance, merge_orders, split_holdout


def labelled(rows: list[tuple[bool, int, float, str]]) -> pl.DataFrame:
    """Rows of (positive, order, held-out draw of the host, line); draws by id run from 0 upwards."""
    return pl.DataFrame(
        [
            {
                "id": f"d{number}",
                "positive": positive,
                "order": order,
                "by_host": by_host,
                "by_id": number / 100,
                "characters": 1,
                "line": line,
            }
            for number, (positive, order, by_host, line) in enumerate(rows)
        ],
        schema=LABELLED,
    )


def test_merge_keeps_the_smallest() -> None:
    parts = [pl.Series(values, dtype=pl.UInt64).to_numpy() for values in ([5, 9], [], [1, 7], [8, 6, 2])]
    assert merge_orders(iter(parts), 3).tolist() == [1, 2, 5]
    assert merge_orders(iter(parts), 99).tolist() == [1, 2, 5, 6, 7, 8, 9]
    assert merge_orders(iter([]), 3).tolist() == []


def test_balance_takes_as_many_of_each_and_no_line_twice() -> None:
    frame = labelled([(True, 9, 0, "a"), (True, 3, 0, "b"), (True, 5, 0, "b"), (True, 1, 0, "c"), (False, 8, 0, "x"), (False, 2, 0, "y")])
    balanced = balance(frame)
    assert balanced["line"].to_list() == ["c", "y", "b", "x"]  # in the order of their draws
    assert balance(frame.reverse()).equals(balanced)
    assert len(balance(frame.filter("positive"))) == 0


def test_hosts_stay_together() -> None:
    frame = labelled(
        [(positive, 2 * n + positive, 0.05 if n < 3 else 0.5, f"{positive}{n}") for n in range(10) for positive in (True, False)]
    )
    training, held_out, by = split_holdout(frame, 0.1)
    assert by == "host"
    assert (len(training), len(held_out)) == (14, 6)
    assert held_out["by_host"].unique().to_list() == [0.05]


def test_one_host_alone_is_parted_by_id() -> None:
    frame = labelled([(n % 2 == 0, n, 0.5, str(n)) for n in range(40)])
    training, held_out, by = split_holdout(frame, 0.1)
    assert by == "id"
    assert held_out["id"].to_list() == ["d0", "d1", "d2", "d3"]  # two of each class, the smallest draws
    assert len(training) == 36


def test_two_of_each_class_are_enough_and_one_is_not() -> None:
    frame = labelled([(n % 2 == 0, n, 0.0, str(n)) for n in range(4)])
    training, held_out, _ = split_holdout(frame, 0.9)
    assert training["positive"].n_unique() == held_out["positive"].n_unique() == 2
    with pytest.raises(InputError, match=r"1 positives and 1 negatives .* two of each are needed"):
        split_holdout(frame.head(2), 0.1)
