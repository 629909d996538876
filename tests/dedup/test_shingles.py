from __future__ import annotations

import datasketch
import mmh3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.permutations import draw_permutations
from dedup.shingles import EMPTY_ROW, shingle_sets, signatures
from dedup.words import split_words

TEXTS = [
    "The quick brown fox jumps over the lazy dog and runs away from the quick brown fox",
    "one two three four five",
    "one two three four",
    "",
    "same same same same same same same",
    "Größe Ägypten naïve café résumé 中文字符测试",
]


def word_ngrams(text: str, n: int) -> list[bytes]:
    words = split_words([text]).text(0).decode().split()
    return [" ".join(words[i : i + n]).encode() for i in range(len(words) - n + 1)]


def murmur(data: bytes) -> int:
    return mmh3.hash(data, signed=False)


def reference(text: str, n: int, count: int, seed: int) -> list[int]:
    sketch = datasketch.MinHash(num_perm=count, seed=seed, hashfunc=murmur, scheme="affine32")
    sketch.update_batch(word_ngrams(text, n))
    return sketch.hashvalues.tolist()


@pytest.mark.parametrize(("n", "count", "seed"), [(5, 128, 1), (1, 10, 42), (3, 256, 0)])
def test_signatures_equal_datasketch_bit_for_bit(n: int, count: int, seed: int) -> None:
    rows = signatures(split_words(TEXTS), n, *draw_permutations(count, seed))
    assert rows.dtype == np.uint32
    assert rows.tolist() == [reference(text, n, count, seed) for text in TEXTS]


@settings(deadline=None, max_examples=30)
@given(st.text(alphabet="ab é中.", max_size=60))
def test_signatures_of_any_text_equal_datasketch(text: str) -> None:
    assert signatures(split_words([text]), 2, *draw_permutations(16, 7))[0].tolist() == reference(text, 2, 16, 7)


def test_large_seeds_count_modulo_two_to_the_32() -> None:
    for one, other in zip(draw_permutations(8, 5), draw_permutations(8, 5 + (1 << 40)), strict=True):
        assert one.tolist() == other.tolist()


def test_short_documents_have_no_shingles() -> None:
    words = split_words(["one two three four", ""])
    assert (signatures(words, 5, *draw_permutations(4, 0)) == EMPTY_ROW).all()
    sets, bounds = shingle_sets(words, 5)
    assert (len(sets), bounds.tolist()) == (0, [0, 0, 0])


def test_shingle_sets_are_the_sets_of_ngrams() -> None:
    sets, bounds = shingle_sets(split_words(TEXTS), 5)
    assert len(bounds) == len(TEXTS) + 1
    for text, start, stop in zip(TEXTS, bounds[:-1], bounds[1:], strict=True):
        ngrams = set(word_ngrams(text, 5))
        expected = sorted(mmh3.hash(ngram, 0, signed=False) << 32 | mmh3.hash(ngram, 1, signed=False) for ngram in ngrams)
        assert sets[start:stop].tolist() == expected
