"""Hits against a search of word tuples, one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contamination.benchmarks import Benchmark, Item
from contamination.highlight import shared_spans
from contamination.indexing import build_index
from contamination.scan import Hits, find_hits, stretches
from contamination.specs import BenchmarkSpec
from contamination.words import find_words

words = st.lists(st.sampled_from("abcd"), max_size=40)


def hits_of(document: str, item: str, ngram_words: int) -> Hits:
    """The hits in a document; an empty table's, too."""
    [table] = build_index([Benchmark(BenchmarkSpec(name="x"), [Item(0, ((item,),))])], ngram_words, 8, 13).removal
    [hits] = find_hits(document, [table]) or [Hits(find_words(document), np.zeros(0, np.int64), np.zeros(0, np.int64), table)]
    return hits


@given(words.filter(bool), words, st.integers(1, 4))
def test_every_ngram_is_found_and_no_other(item: list[str], document: list[str], n: int) -> None:
    hits = hits_of(" ".join(document), " ".join(item), n)
    ngrams = {tuple(item[start : start + n]) for start in range(len(item) - n + 1)}
    assert hits.positions.tolist() == [at for at in range(len(document) - n + 1) if tuple(document[at : at + n]) in ngrams]
    covered = {place for at in hits.positions.tolist() for place in range(at, at + n)}
    # Every word is one letter and a space: word i is character 2i.
    assert {place // 2 for start, end in hits.spans() for place in range(start, end)} == covered


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
