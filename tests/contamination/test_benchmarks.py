"""Reading items from every kind of file, and what is said about broken ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from contamination.benchmarks import Benchmark, Item, read_benchmark
from contamination.specs import BenchmarkSpec, resolve_specs
from curation.errors import InputError
from tests.shared_data import shared

ROWS = [{"question": "Why?", "choices": ["Because, so", "No"]}, {"question": "Größe?", "choices": ["1", "2"]}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def read(*files: Path, **settings: object) -> Benchmark:
    return read_benchmark(BenchmarkSpec.model_validate({"name": "x", "files": [str(file) for file in files], **settings}))


def test_all_kinds_of_files_give_the_same_items(tmp_path: Path) -> None:
    for name, content in {
        "x.jsonl": LINES,
        "x.jsonl.gz": gzip.compress(LINES),
        "x.jsonl.zst": zstandard.compress(LINES[:10]) + zstandard.compress(LINES[10:]),
        "x.ndjson": b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n\n"),
    }.items():
        (tmp_path / name).write_bytes(content)
    pl.DataFrame(ROWS).write_parquet(tmp_path / "x.parquet")
    expected = [Item(0, (("Why?",), ("Because, so", "No"))), Item(1, (("Größe?",), ("1", "2")))]
    for file in tmp_path.iterdir():
        assert read(file, fields=["question", "choices"]).items == expected, file.name
    (tmp_path / "x.csv").write_text('question,a,b\nWhy?,"Because, so",No\nGröße?,1,2\n', encoding="utf-8")
    assert read(tmp_path / "x.csv", fields=["question", ["a", "b"]]).items == expected


def test_passages_are_the_readings_and_the_whole() -> None:
    item = Item(0, (("A man sits.",), ("He eats.", "He flies.")))
    assert item.passages == ["A man sits.\nHe eats.", "A man sits.\nHe flies.", "A man sits.\nHe eats.\nHe flies."]
    assert Item(0, (("The cat", "The dog"), ("barks.",))).passages == ["The cat\nbarks.", "The dog\nbarks.", "The cat\nThe dog\nbarks."]
    assert Item(0, (("One.",), ("Two.",))).passages == ["One.\nTwo."]


def test_nested_fields_numbers_and_nulls(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"q": "How many?", "choices": {"text": ["one", null], "label": ["A", "B"]}, "n": 7, "a": ["42", "43"]}\n')
    [item] = read(file, fields=["q", "choices.text", "n"], answer="a").items
    assert item == Item(0, (("How many?",), ("one",), ("7",)), "42")


def test_rows_are_numbered_over_all_files(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(LINES)
    assert [item.row for item in read(tmp_path / "a.jsonl", tmp_path / "b.jsonl", fields=["question"]).items] == [0, 1, 2, 3]


def test_common_fields_are_found(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"id": 1, "answer": "42", "question": "What is it?"}\n')
    assert read(file).items[0].text == "What is it?\n42"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", LINES + b"{oops\n", r"x\.jsonl, line 3: not JSON"),
        ("x.jsonl", LINES + b"[1]\n", r"x\.jsonl, line 3: not a JSON object but list"),
        ("x.jsonl", LINES + b"\xff\n", r"x\.jsonl, line 3: not UTF-8"),
        ("x.jsonl", LINES + b'{"choices": []}\n', r"x\.jsonl, line 3: no field question; the row has choices"),
        ("x.jsonl", LINES + b'{"question": " "}\n', r"x\.jsonl, line 3: the item holds no text in question"),
        ("x.jsonl", b'{"question": {"stem": "Why?"}}\n', r"name one of them as question\.FIELD"),
        ("x.jsonl", LINES + b'{"question": ' + b"[" * 900 + b"]" * 900 + b"}\n", r"x\.jsonl, line 3: lists are nested too deeply"),
        ("x.jsonl", b"\n", "holds no items"),
        ("x.jsonl.gz", gzip.compress(LINES, mtime=0)[:-9], "damaged or cut short"),
        ("x.jsonl.zst", b"no zstd", "is no zst file"),
        ("x.parquet", b"PAR1 or not", "cannot be read as Parquet"),
        ("x.csv", b"question,a\nWhy,b,c\n", r"x\.csv, line 2: more columns"),
        ("x.csv", b"question,a\nWhy,b\nHow\n", r"x\.csv, line 3: fewer columns"),
        ("x.csv", b'question,a\n"Why,b\n', "not CSV"),
        ("x.txt", b"Why?", "its ending names no format of rows"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path / name, fields=["question"])
    assert "\n" not in str(caught.value)


def test_a_csv_field_may_be_longer_than_a_chapter(tmp_path: Path) -> None:
    story = "word " * 40_000  # 200,000 characters; Python's own limit is 131,072
    (tmp_path / "x.csv").write_text(f"question,a\n{story},b\n")
    assert read(tmp_path / "x.csv", fields=["question"]).items[0].text == story


def test_bytes_are_no_text(tmp_path: Path) -> None:
    pl.DataFrame({"question": [b"\xff\xfe"]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"x\.parquet, row 1: field question holds bytes, not text"):
        read(tmp_path / "x.parquet", fields=["question"])


def test_a_file_without_known_fields_says_how_to_name_them(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"frage": "Warum?", "nummer": 3}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.jsonl: no known text field among frage, nummer; .*fields: \[FIELD"):
        read(file)


def test_lone_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(rb'{"question": "\ud800 a \ud83d\ude00 \udc00", "n\udfff": {"k": ["\udbff"]}}')
    [item] = read(file, fields=["question", "n\ufffd.k"]).items
    assert item.slots == (("\ufffd a \U0001f600 \ufffd",), ("\ufffd",))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.jsonl", fields=["question"])


def test_the_real_benchmarks_are_read_whole() -> None:
    specs = resolve_specs([str(shared("data", "benchmarks"))])
    counts = {spec.label: len(read_benchmark(spec).items) for spec in specs if Path(spec.files[0]).stat().st_size < 300_000}
    # Items as counted by the table in the data's README.
    assert counts["WinoGrande/validation"] == 1267
    assert counts["Winograd/test"] == 273
    assert counts["Natural Questions, open/dev"] == 3610
    assert counts["Anagrams 2/dev"] == 10000
    assert len(specs) == 36
