"""N of the report against GPT-3's table, and the index against sets of tuples."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contamination.benchmarks import Benchmark, Item, read_benchmark
from contamination.index import index_to_bytes, read_index
from contamination.indexing import build_index, make_table, report_ngram_words
from contamination.scan import Scan
from contamination.specs import BenchmarkSpec, resolve_specs
from contamination.words import find_words, ngram_keys
from curation.errors import IntegrityError
from tests.shared_data import shared

# Shipped spec and the row of table C.1. COPA and Winograd are left out: their prompts are not
# published, and their specs give the published N.
TABLE_C1 = {
    "arc_challenge_test": "ARC (Challenge)",
    "arc_easy_test": "ARC (Easy)",
    "boolq_val": "BoolQ",
    "lambada_openai_test": "LAMBADA",
    "nq_open_dev": "NQs",
    "piqa_val": "PIQA",
    "triviaqa_subset": "TriviaQA",
    "webquestions_test": "WebQs",
    "winogrande_val": "Winogrande",
    "gpt3/cycle_letters_in_word": "Cycled Letters",
    "gpt3/mid_word_1_anagrams": "Anagrams 1",
    "gpt3/mid_word_2_anagrams": "Anagrams 2",
    "gpt3/random_insertion_in_word": "Symbol Insertion",
    "gpt3/reversed_words": "Reversed Words",
}


def benchmark(name: str, *texts: str, **settings: object) -> Benchmark:
    items = [Item(row, ((text,),)) for row, text in enumerate(texts)]
    return Benchmark(BenchmarkSpec.model_validate({"name": name, **settings}), items)


@pytest.mark.parametrize(("stem", "name"), TABLE_C1.items())
def test_n_is_that_of_the_paper(stem: str, name: str) -> None:
    with open(shared("spec", "gpt3_table_c1.csv"), encoding="utf-8") as stream:
        published = {row["name"]: int(row["N"]) for row in csv.DictReader(stream)}
    [spec] = resolve_specs([str(shared("data", "benchmarks", f"{stem}.jsonl.gz"))])
    assert build_index([read_benchmark(spec)], 13, 8, 13).report_words == [published[name]]


def test_n_by_hand() -> None:
    # 21 lengths: the 5th percentile is the second smallest, at position 0.05 * 20 = 1.
    lengths = [2, *range(9, 29)]
    assert report_ngram_words(lengths, False, 8, 13) == 9
    assert report_ngram_words([2, 3, *range(9, 28)], False, 8, 13) == 8
    assert report_ngram_words([2, 3, *range(9, 28)], True, 8, 13) == 3
    assert report_ngram_words([1, 1, 1], True, 8, 13) == 2
    assert report_ngram_words([100], False, 8, 13) == 13
    # 11 lengths: position 0.5, halfway from 9 to 12, is 10.5.
    assert report_ngram_words([9, 12, *[20] * 9], False, 8, 13) == 10


def test_ngrams_do_not_cross_items() -> None:
    index = build_index([benchmark("x", "a b c", "d e", "f")], 2, 2, 2)
    expected = {int(ngram_keys(find_words(text), 2)[0]) for text in ("a b", "b c", "d e")}
    assert set(index.removal[0].keys.tolist()) == expected


def test_an_unfinished_tag_does_not_swallow_the_next_item() -> None:
    """An HTML tag may hold anything up to its end, but no other item; nor does one begin where two items meet."""
    index = build_index([benchmark("x", "if x <b", "c > d", "b > e")], 2, 2, 2)
    expected = {int(ngram_keys(find_words(text), 2)[0]) for text in ("if x", "x b", "c d", "b e")}
    assert set(index.removal[0].keys.tolist()) == expected


@pytest.mark.parametrize("characters", [1, 20, 1000])
def test_the_index_is_the_same_however_many_items_are_read_together(characters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join("abcdefgh"[(row * 7 + place) % 8] for place in range(row % 9 + 1)) for row in range(40)]
    benchmarks = [benchmark("x", *texts), benchmark("y", *texts[:5], synthetic=True)]
    whole = index_to_bytes(build_index(benchmarks, 4, 3, 5, 2))
    monkeypatch.setattr("contamination.indexing.CHUNK_CHARACTERS", characters)
    assert index_to_bytes(build_index(benchmarks, 4, 3, 5, 2)) == whole


def test_items_of_an_ngram() -> None:
    index = build_index([benchmark("x", "a b c", "z"), benchmark("y", "B, C? a b")], 2, 2, 2)
    [table] = index.removal
    [place] = np.flatnonzero(table.keys == ngram_keys(find_words("b c"), 2)[0])
    items = table.items[table.offsets[place] : table.offsets[place + 1]]
    assert [index.item_label(item) for item in items] == ["x#0", "y#0"]


def test_short_items_are_looked_for_whole() -> None:
    nine, seven = "one two three four five six seven eight nine", "one two three four five six seven"
    index = build_index([benchmark("x", " ".join(f"w{i}" for i in range(30)), nine, seven, report_words=13)], 13, 8, 13)
    assert [table.words for table in index.report] == [9, 13]
    assert index.report[0].keys.tolist() == ngram_keys(find_words(nine), 9).tolist()
    assert index.too_short.tolist() == [False, False, True]
    assert set(index.removal[0].items.tolist()) == {0}


def test_no_benchmarks() -> None:
    index = build_index([], 13, 8, 13)
    [table] = index.removal
    assert (len(table), index.report, index.labels) == (0, [], [])
    assert Scan(index, [table]).find("a b " * 20) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=40), st.sets(st.integers(0, 5)))
def test_tables_hold_every_pair_once(pairs: list[tuple[int, int]], dropped: set[int]) -> None:
    keys, items = np.array([key for key, _ in pairs], np.uint64), np.array([item for _, item in pairs], np.int32)
    expected = defaultdict(set)
    for key, item in pairs:
        expected[key].add(item)
    table = make_table(3, [(keys[:7], items[:7]), (keys[7:], items[7:])])
    places, found = table.expand(np.arange(len(table)))
    assert list(zip(table.keys[places].tolist(), found.tolist(), strict=True)) == [
        (k, i) for k in sorted(expected) for i in sorted(expected[k])
    ]
    rest = table.without(np.isin(table.keys, np.array(sorted(dropped), np.uint64)))
    places, found = rest.expand(np.arange(len(rest)))
    kept = sorted(set(expected) - dropped)
    assert list(zip(rest.keys[places].tolist(), found.tolist(), strict=True)) == [(k, i) for k in kept for i in sorted(expected[k])]


def test_removal_and_report_share_the_table_that_both_look_in(tmp_path: Path) -> None:
    texts = [f"item {row} of a benchmark with words enough" for row in range(5)]
    index = build_index([benchmark("x", *texts), benchmark("y", *texts, "two words")], 3, 3, 3)
    [table] = index.report
    assert table is index.removal[0]
    assert table.keys.tolist() == sorted({int(key) for text in texts for key in ngram_keys(find_words(text), 3)})
    path = tmp_path / "x.npz"
    path.write_bytes(index_to_bytes(index))
    again = read_index(str(path))
    assert again.report[0] is again.removal[0]
    assert again.report[0].items.tolist() == table.items.tolist()
    partly = build_index([benchmark("x", *texts, report_words=3), benchmark("y", "four words of another", report_words=2)], 3, 2, 3)
    assert [len(partly.removal[0]), *(len(table) for table in partly.report)] == [len(table) + 2, 3, len(table)]


def test_bytes_and_back(tmp_path: Path) -> None:
    benchmarks = [benchmark("x", "a b c d", "e f"), benchmark("y", "a b", synthetic=True)]
    index = build_index(benchmarks, 3, 2, 4)
    content = index_to_bytes(index)
    assert content == index_to_bytes(build_index(benchmarks, 3, 2, 4))
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    again = read_index(str(path))
    assert index_to_bytes(again) == content
    assert [table.words for table in again.report] == [table.words for table in index.report]
    for damaged in (content[:100], b"", b"PK no archive", content.replace(b"labels", b"levels")):
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError, match=r"x\.npz is no index .*delete it and run decontaminate again"):
            read_index(str(path))
