"""Hits against a search of word tuples, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contamination.benchmarks import Benchmark, Item
from contamination.highlight import shared_spans
from contamination.indexing import build_index
from contamination.key_filter import KeyFilter
from contamination.ngram_kernels import find_candidates
from contamination.scan import Hits, Scan, stretches
from contamination.specs import BenchmarkSpec
from contamination.words import find_words, ngram_keys, normalise

words = st.lists(st.sampled_from("abcd"), max_size=40)


def benchmark(name: str, item: str, **settings: Any) -> Benchmark:
    return Benchmark(BenchmarkSpec.model_validate({"name": name, **settings}), [Item(0, ((item,),))])


def hits_of(document: str, item: str, ngram_words: int) -> Hits:
    """The hits in a document; those of none, too."""
    index = build_index([benchmark("x", item)], ngram_words, 8, 13)
    nowhere = np.zeros(0, np.int64)
    [hits] = Scan(index, index.removal).find(document) or [Hits(find_words(document), nowhere, nowhere, index.removal[0], 0)]
    return hits


@given(words.filter(bool), words, st.integers(1, 4))
def test_every_ngram_is_found_and_no_other(item: list[str], document: list[str], n: int) -> None:
    hits = hits_of(" ".join(document), " ".join(item), n)
    ngrams = {tuple(item[start : start + n]) for start in range(len(item) - n + 1)}
    assert hits.positions.tolist() == [at for at in range(len(document) - n + 1) if tuple(document[at : at + n]) in ngrams]
    covered = {place for at in hits.positions.tolist() for place in range(at, at + n)}
    # Every word is one letter and a space: word i is character 2i.
    assert {place // 2 for start, end in hits.spans() for place in range(start, end)} == covered


letters = st.lists(st.sampled_from("ab"), min_size=1, max_size=14)
removal_words, min_words, max_words, short_words = 9, 7, 12, 3


@settings(deadline=None)
@given(st.lists(letters, min_size=1, max_size=6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), letters), max_size=6))
def test_all_lengths_at_once_as_tuples_one_by_one(items: list[list[str]], parts: list[tuple[int, int, list[str]]]) -> None:
    """Texts of parts of items and of foreign words; n-grams from 2 to 12 words, as long as the runs they are found by, and longer."""
    text = [word for number, start, foreign in parts for word in (*items[number % len(items)][start : start + 11], *foreign, "z")]
    lengths = [2 + 3 * number % 11 for number in range(len(items))]
    benchmarks = [benchmark(str(number), " ".join(item), report_words=lengths[number]) for number, item in enumerate(items)]
    index = build_index(benchmarks, removal_words, min_words, max_words, short_words)

    # By the rules: all n-grams of an item; of a shorter one the whole, if it is long enough.
    removal, report = {removal_words: set[tuple[str, ...]]()}, dict[int, set[tuple[str, ...]]]()
    for item, length in zip(items, lengths, strict=True):
        for wanted, n, shortest in ((removal, removal_words, short_words), (report, length, min(length, min_words))):
            size = n if len(item) >= n else len(item)
            wanted.setdefault(n, set())
            if size >= shortest:
                wanted.setdefault(size, set()).update(tuple(item[at : at + size]) for at in range(len(item) - size + 1))

    hits = {hits.number: hits for hits in Scan(index, [*index.removal, *index.report]).find(" ".join(text))}
    tables = [(n, removal[n]) for n in sorted(removal, reverse=True)] + [(n, report[n]) for n in sorted(report)]
    assert [table.words for table in (*index.removal, *index.report)] == [n for n, _ in tables]
    for number, (n, ngrams) in enumerate(tables):
        expected = [at for at in range(len(text) - n + 1) if tuple(text[at : at + n]) in ngrams]
        assert (hits[number].positions.tolist() if number in hits else []) == expected
        if expected:
            shown = [normalise(" ".join(text), hits[number].words, at, n) for at in expected]
            keys = [int(ngram_keys(find_words(ngram), n)[0]) for ngram in shown]
            assert hits[number].table.keys[hits[number].ngrams].tolist() == keys


def test_known_runs_are_looked_up_once() -> None:
    """A million n-grams of which every run is known: a search that began again at each would take ten thousand times as long."""
    hashes = find_words("a b c d e f " * 168_333).hashes
    runs = KeyFilter.of(np.unique(ngram_keys(find_words("a b c d e f a b c d e"), 5)), 8)
    assert len(find_candidates(hashes, 10_000, 5, runs.bits, runs.shift)) == len(hashes) - 10_000 + 1 == 999_999


def test_spans_are_characters_of_the_text_as_it_is() -> None:
    text = "Before \u2014 \u201cIt\u2019s  the\nLIFE\u201d, they said."
    [span] = hits_of(text, "it's the life", 4).spans()
    assert text[slice(*span)] == "It\u2019s  the\nLIFE"


def test_more_hits_than_the_first_capacity() -> None:
    hits = hits_of("a b " * 5000, "a b a", 2)
    assert len(hits.positions) == 9999
    assert hits.spans() == [(0, 19999)]


def test_stretches() -> None:
    first, last = stretches(np.array([0, 2, 5, 6]), 3)
    assert (first.tolist(), last.tolist()) == ([0, 2], [1, 3])
    first, last = stretches(np.array([0, 2, 3]), 3, np.array([7, 7, 8]))
    assert (first.tolist(), last.tolist()) == ([0, 2], [1, 2])
    assert stretches(np.array([], np.int64), 3)[0].tolist() == []


def test_shared_spans() -> None:
    assert shared_spans("x A, B c y", "(a b) C z", 2) == [(2, 8)]
    assert shared_spans("a b", "c d", 2) == []
    assert shared_spans("", "a", 13) == []
