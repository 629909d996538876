"""Rules on addresses: values by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.recipe_rules import UrlSettings
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.url import FAMILY, count


def values_of(url: str, **settings: object) -> dict[str, float]:
    counts = count(Batch([""]), [url], UrlSettings(**settings))  # type: ignore[arg-type]
    return {rule.limit: float(rule.value(counts)[0]) for rule in FAMILY.rules}


def test_values_by_hand() -> None:
    values = values_of("http://my-site-1.com/a-b/2")
    assert values == {
        "max_characters": 26,
        "max_digits": pytest.approx(2 / 26),
        "max_hyphens": 2,
        "max_numeric_hosts": 0,
        "max_bad_words": 0,
    }


@pytest.mark.parametrize(
    ("url", "numeric"), [("http://8.8.8.8/x", 1), ("http://[2001:db8::1]:80/", 1), ("http://8.8.8.8.com/", 0), ("http://[", 0), ("", 0)]
)
def test_numeric_hosts(url: str, numeric: int) -> None:
    assert values_of(url)["max_numeric_hosts"] == numeric


def test_words_of_a_list_count_once_each_as_whole_words(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("Casino\nbad-word\nx\n\n", encoding="utf-8")
    assert values_of("http://CASINO.com/casino/badword/xx", bad_words=str(words))["max_bad_words"] == 2
