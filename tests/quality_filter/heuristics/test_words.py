"""Words as spaCy's English tokenizer splits them: expected values from its documentation and written rules, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_filter.heuristics.batch import MAX_CHARACTERS, Batch, split_batches


def words_of(text: str, letters_apart: bool = False) -> list[str]:
    batch = Batch([text], letters_apart)
    return [text[start:end] for start, end in zip(batch.words.starts, batch.words.ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t\u3000", []),
        ("one", ["one"]),
        # The examples of spaCy's page "Linguistic features".
        ('"Let\'s go to N.Y.!"', ['"', "Let", "'s", "go", "to", "N.Y.", "!", '"']),
        ("Apple is looking at buying U.K. startup", ["Apple", "is", "looking", "at", "buying", "U.K.", "startup"]),
        # Special words
        ("don't cannot I've", ["do", "n't", "can", "not", "I", "'ve"]),
        ("They\u2019ll\u2019ve", ["They", "\u2019ll", "\u2019ve"]),
        ("dont wont its ill", ["do", "nt", "wo", "nt", "its", "ill"]),
        ("Dr. Who, e.g. 10am", ["Dr.", "Who", ",", "e.g.", "10", "am"]),
        ("(e.g., this) :-)", ["(", "e.g.", ",", "this", ")", ":-)"]),
        ("fine:) and (fine):", ["fine", ":)", "and", "(", "fine", "):"]),
        # Marks at both ends
        ("(Hello, world!)", ["(", "Hello", ",", "world", "!", ")"]),
        ("dog's DOG'S", ["dog", "'s", "DOG", "'S"]),
        ("wait... what\u2026", ["wait", "...", "what", "\u2026"]),
        ("end. USA. A.", ["end", ".", "USA", ".", "A."]),
        ("$5 5\u20ac 100% 5km 7 GB", ["$", "5", "5", "\u20ac", "100", "%", "5", "km", "7", "GB"]),
        # Inside
        ("well-known and/or either/or 2-3", ["well", "-", "known", "and/or", "either", "/", "or", "2", "-", "3"]),
        ("one,two 1,000 end.Next", ["one", ",", "two", "1,000", "end", ".", "Next"]),
        ("a--b x\u2014y", ["a", "--", "b", "x", "\u2014", "y"]),
        # Addresses stay whole
        ("http://example.com/a-b/c:d, me@example.org", ["http://example.com/a-b/c:d", ",", "me@example.org"]),
        ("see example.com/x-y. 8.8.8.8", ["see", "example.com/x-y", ".", "8.8.8.8"]),
        # Other scripts: spaces part words, unless letters are to stand apart
        ("Это тест.", ["Это", "тест", "."]),
        ("東京 大阪", ["東京", "大阪"]),
    ],
)
def test_words_are_those_of_the_reference(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_letters_of_scripts_without_spaces_stand_apart_if_asked() -> None:
    assert words_of("東京2020へ go", letters_apart=True) == ["東", "京", "2020", "へ", "go"]
    # Marks belong to the letter before them (Thai: three letters, the second with a vowel sign above).
    assert words_of("ก\u0e02\u0e35ค", letters_apart=True) == ["ก", "\u0e02\u0e35", "ค"]


@given(st.text(), st.booleans())
def test_words_and_white_space_are_all_there_is(text: str, letters_apart: bool) -> None:
    assert "".join(words_of(text, letters_apart)) == "".join(text.split())


@given(st.text(alphabet="ab'.-:/@)(,3 \u2019s", max_size=60))
def test_nothing_is_lost_among_marks(text: str) -> None:
    words = words_of(text)
    assert all(words)
    assert "".join(words) == text.replace(" ", "")


@given(st.lists(st.text(max_size=40), max_size=8))
def test_a_text_has_the_same_words_alone_and_among_others(texts: list[str]) -> None:
    batch = Batch(texts)
    for number, text in enumerate(texts):
        alone = Batch([text]).words.hashes.tolist()
        assert batch.words.hashes[batch.words.bounds[number] : batch.words.bounds[number + 1]].tolist() == alone
        assert batch.text(number) == text


def test_equal_words_have_equal_hashes_and_others_do_not() -> None:
    hashes = Batch(["word other word", "word."]).words.hashes.tolist()
    assert hashes[0] == hashes[2] == hashes[3]
    assert len(set(hashes)) == 3  # word, other, the full stop


@pytest.mark.parametrize("unit", ["a", "!", "a.", "1.", "don't", "a@", ".", "\U0001f600", "\ud800"])
def test_five_megabytes_without_a_space_are_split_in_linear_time(unit: str) -> None:
    text = unit * (5_000_000 // len(unit))
    batch = Batch([text])
    assert batch.words.ends[-1] == len(text)


@given(st.lists(st.integers(0, 2 * MAX_CHARACTERS), max_size=30))
def test_batches_hold_every_text_once_and_are_bounded(lengths: list[int]) -> None:
    ranges = list(split_batches(lengths))
    assert [place for first, end in ranges for place in range(first, end)] == list(range(len(lengths)))
    assert all(end - first == 1 or sum(lengths[first:end]) <= MAX_CHARACTERS for first, end in ranges)
