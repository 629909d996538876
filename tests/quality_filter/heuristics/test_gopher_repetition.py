"""Gopher's repetition rules: shares counted by hand, and by plain Python after the paper's definitions."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe_rules import GopherRepetitionSettings
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.gopher_repetition import DUPLICATE_NGRAMS, FAMILY, TOP_NGRAMS, count


def values_of(*texts: str) -> dict[str, list[float]]:
    """Every rule's values, by the name of its limit."""
    counts = count(Batch(texts), [], GopherRepetitionSettings())
    return {rule.limit.removeprefix("max_"): rule.value(counts).tolist() for rule in FAMILY.rules}


def test_lines_and_paragraphs_by_hand() -> None:
    # 24 characters. Lines: aaaa, b, aaaa, cc, aaaa, b (runs of newlines part them): 3 of 6 repeated, of 4 + 4 + 1 characters.
    # Paragraphs: "aaaa\nb", "aaaa\ncc", "aaaa\nb": 1 of 3 repeated, of 6 characters.
    text = "aaaa\nb\n\naaaa\ncc\n\n\naaaa\nb"
    assert len(text) == 24
    values = values_of(text)
    assert values["duplicate_lines"] == [3 / 6]
    assert values["duplicate_line_characters"] == [9 / 24]
    assert values["duplicate_paragraphs"] == [1 / 3]
    assert values["duplicate_paragraph_characters"] == [6 / 24]


def test_ngrams_by_hand() -> None:
    # "a b c " three times and "d": 10 words, 19 characters. The 2-gram "a b" occurs three times and comes before "b c": 3 x 3 characters.
    text = "a b c a b c a b c d"
    values = values_of(text)
    assert values["top_2_gram"] == [9 / 19]
    assert values["top_3_gram"] == [3 * 5 / 19]
    assert values["top_4_gram"] == [2 * 7 / 19]  # "a b c a" begins twice
    # The 5-gram at word 3 repeats the one at word 0: 5 letters; from word 8 on there is none left.
    assert values["duplicate_5_grams"] == [5 / 19]
    assert values["duplicate_10_grams"] == [0.0]


def test_a_text_shorter_than_an_ngram_repeats_nothing() -> None:
    values = values_of("", "word")
    assert values["top_2_gram"] == values["duplicate_5_grams"] == values["duplicate_lines"] == [0.0, 0.0]


def plain_duplicates(parts: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    repeated = [part for part in parts if part in seen or seen.add(part)]  # type: ignore[func-returns-value]
    return len(repeated), sum(map(len, repeated))


def plain_top(words: list[str], n: int) -> int:
    counts = Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))
    if not counts:
        return 0
    ngram, times = max(counts.items(), key=lambda item: item[1])  # the first of several
    return times * len(" ".join(ngram))


def plain_duplicate_ngrams(words: list[str], n: int) -> int:
    seen, characters, place = set(), 0, 0
    while place <= len(words) - n:
        ngram = tuple(words[place : place + n])
        if ngram in seen:
            characters += sum(map(len, ngram))
            place += n
        else:
            seen.add(ngram)
            place += 1
    return characters


@given(st.lists(st.text(alphabet="ab \n\u00e9", max_size=120), min_size=1, max_size=5))
def test_values_equal_plain_python(texts: list[str]) -> None:
    values = values_of(*texts)
    for number, text in enumerate(texts):
        words = text.split()  # these letters have no special words
        whole = len(text) or 1
        lines, paragraphs = re.split(r"\n+", text), re.split(r"\n{2,}", text.strip())
        assert values["duplicate_lines"][number] == pytest.approx(plain_duplicates(lines)[0] / len(lines))
        assert values["duplicate_line_characters"][number] == pytest.approx(plain_duplicates(lines)[1] / whole)
        assert values["duplicate_paragraphs"][number] == pytest.approx(plain_duplicates(paragraphs)[0] / len(paragraphs))
        assert values["duplicate_paragraph_characters"][number] == pytest.approx(plain_duplicates(paragraphs)[1] / whole)
        for n in TOP_NGRAMS:
            assert values[f"top_{n}_gram"][number] == pytest.approx(plain_top(words, n) / whole)
        for n in DUPLICATE_NGRAMS:
            assert values[f"duplicate_{n}_grams"][number] == pytest.approx(plain_duplicate_ngrams(words, n) / whole)
