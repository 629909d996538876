"""Labelled texts are read as they are written, and identifiers are judged by the labels, and by the others where there are none."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from benchmarks.language import OURS, accuracy, agreement, language_of, sample
from benchmarks.language_texts import read_labelled, read_messages, read_pages


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("eng", "en"),
        ("zh-Hant", "cmn"),
        ("yue", "zh"),
        ("nb", "nn"),
        ("iw", "heb"),
        ("sr-Latn", "srp"),
        ("fil", "tgl"),
        ("xx-Goth", "got"),
        ("pt_BR", "por"),
        ("un", "und"),
    ],
)
def test_codes_of_one_language(one: str, other: str) -> None:
    assert language_of(one) == language_of(other)


def test_languages_that_stay_apart() -> None:
    assert len({language_of(code) for code in ("bs", "hr", "sr", "id", "ms", "no", "da", "zh", "ja", "und")}) == 10
    assert language_of("un") == language_of("") == ""


def test_accuracy_is_the_mean_over_languages() -> None:
    # English 3 of 4, Chinese 1 of 2 (a part of it counts): (0.75 + 0.5) / 2.
    labelled = [("en", "a"), ("en", "b"), ("en", "c"), ("en", "d"), ("zh_CN", "e"), ("zh_CN", "f")]
    assert accuracy(labelled, ["en", "eng", "en", "de", "yue", "un"]) == 0.625


def test_a_candidate_is_judged_by_three_others_without_its_kin() -> None:
    answers = {
        OURS: ["en", "de", "en", "en"],
        "py3langid": ["en", "de", "en", "en"],
        "CLD2": ["en", "en", "un", "fr"],
        "CLD3": ["en", "en", "en", "fr"],
        "lid.176": ["en", "en", "en", "fr"],
        "eld": ["en", "en", "de", "en"],
    }
    # Ours: all four agree on the first two pages, three on the last, and only two on the third; ours says so once.
    assert agreement(OURS, answers) == (1, 3)
    # CLD2: the first page by all four, the second by three against py3langid, the third by three, too, the last by two and two.
    assert agreement("CLD2", answers) == (2, 3)


def test_labelled_files_with_a_header_and_columns_between(tmp_path: Path) -> None:
    tabs = tmp_path / "a.tsv.gz"
    tabs.write_bytes(gzip.compress("first code\tISO-639-3\ttext\nx\tdeu\tEin Satz.\nx\tzh_TW\t一句話\n".encode()))
    assert read_labelled(tabs) == [("deu", "Ein Satz."), ("zh_TW", "一句話")]
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"language": "fr", "text": "Une phrase."}\n')
    assert read_labelled(lines) == [("fr", "Une phrase.")]


@pytest.mark.parametrize("content", ["en\tA.\n7\tB.\n", "en\tA.\nen\t\n", "en\tA.\nno tab\n"])
def test_a_row_without_code_or_text_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(content)
    with pytest.raises(ValueError, match="row 2"):
        read_labelled(tmp_path / "a.tsv")


def test_messages_are_translated_and_as_many_of_each_language(tmp_path: Path) -> None:
    texts = [
        f"Das Programm konnte die gesuchte Datei mit dem Namen {chr(97 + number % 26) * (number // 26 + 1)} nicht lesen"
        for number in range(100)
    ]
    for locale in ("de", "de_AT", "sr@latin", "few"):
        catalogue = Catalog(locale="de")
        for number, text in enumerate(texts[:10] if locale == "few" else texts):
            catalogue.add(f"File {number}", text + " %(name)s <b>")
        catalogue.add("This message was left as it is", "This message was left as it is")
        content = io.BytesIO()
        write_mo(content, catalogue)
        folder = tmp_path / locale / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "program.mo").write_bytes(content.getvalue())
        (folder / "damaged.mo").write_bytes(b"no catalogue at all")
    found = read_messages(tmp_path)
    # 60 of the 100, once though two locales have them, without what a program fills in; ten are too few, and none is short.
    assert list(found) == ["messages of 60 to 200 characters"]
    pairs = found["messages of 60 to 200 characters"]
    assert len(set(pairs)) == len(pairs) == 60 and {code for code, _ in pairs} == {"de"} and {text for _, text in pairs} <= set(texts)


def test_pages_have_five_words(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one two three four"}\n{"text": "one two three four five"}\n{"other": 1}\n')
    assert read_pages([tmp_path / "a.jsonl"]) == ["one two three four five"]


def test_the_timed_texts_are_taken_evenly() -> None:
    texts = [f"{number:>10}" + "x" * 99_990 for number in range(40)]  # 4 MB, so each fourth
    assert [int(text[:10]) for text in sample(texts)] == list(range(0, 40, 4))
