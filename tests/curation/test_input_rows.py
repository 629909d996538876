from __future__ import annotations

import gzip
import json
import math
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import input_rows
from curation.errors import InputError
from curation.input_rows import parse_row, read_rows, spans_of

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
ODD_LINES = [
    b'{"a": NaN, "b": -Infinity}', b'{"a": 1e999}', b'{"a": 18446744073709551616}', b'{"a": [-9223372036854775809]}',
    b'{"a": -0, "b": -0.0}', b'{"a": 1, "a": 2}', b'\xef\xbb\xbf{"a": 1}', '{"a": "é"}'.encode("utf-16"), b'{"a": "\xff"}',
    b'{"a": "\\ud83d\\ude00"}', b'{"a": 1} x', b"{'a': 1}", b"[1]", b"7", b"", b'{"a": "\t"}', b'{"a": "\\u0000"}', b'{"a": 01}',
    b'{"a": .5}', b'{"a": 1,}', b"\x0b{}", b'{"a": {"b": 1e300}}', b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
]  # fmt: skip

SHORT_AND_LONG = [b'{"n": 1}', b'{"text": "a longer line than the span"}', b"", b" ", b"x"]


def same(one: Any, other: Any) -> bool:
    """Equal in value, type and sign, NaN equal to itself."""
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return type(one) is type(other) and one == other


def expected_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


@pytest.mark.parametrize("line", ODD_LINES)
def test_odd_lines_are_read_as_the_standard_library_reads_them(line: bytes) -> None:
    assert same(parse_row(line), expected_row(line))


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), st.booleans())
def test_any_object_is_read_as_the_standard_library_reads_it(row: dict[str, Any], escaped: bool) -> None:
    line = json.dumps(row, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert same(parse_row(line), json.loads(line))


@settings(deadline=None)
@given(st.binary(max_size=12), st.integers(0, 40))
def test_broken_lines_are_judged_alike(noise: bytes, place: int) -> None:
    line = b'{"id": "a", "text": "b", "n": [1.5, {"c": null}]}'
    line = line[:place] + noise + line[place + len(noise) // 2 :]
    expected = expected_row(line)
    assert (parse_row(line) is None) == (expected is None)


def test_lone_surrogates_become_replacement_characters() -> None:
    line = b'{"\\udc80": {"b": ["\\ud800x", 1]}, "raw": "\xed\xa0\x80"}'
    assert parse_row(line) == {"\ufffd": {"b": ["\ufffdx", 1]}, "raw": "\ufffd"}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([b'{"n": 1}', b'{"text": "a longer line than the span"}', b"", b" ", b"x"]), max_size=12),
    st.integers(1, 40),
    st.booleans(),
)
def test_spans_of_any_size_hold_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int, ended: bool
) -> None:
    path = tmp_path_factory.mktemp("spans") / "rows.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ended else b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_rows, "SPAN_BYTES", size)
        spans = spans_of(str(path))
    parted = [row for span in spans for row in read_rows(str(path), span)]
    assert parted == [expected_row(line) for line in lines if line.strip()]


def test_what_cannot_be_parted_is_one_span(tmp_path: Path) -> None:
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress(b"{}\n" * 100))  # its name does not say so
    for name in ("rows.jsonl.gz", "table.parquet", "page.txt"):
        (tmp_path / name).write_bytes(b"x" * 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_rows, "SPAN_BYTES", 10)
        assert [spans_of(str(path)) for path in sorted(tmp_path.iterdir())] == [[None]] * 4
        assert spans_of("memory://bucket/rows.jsonl") == [None]


def test_a_damaged_parquet_file_is_refused_whatever_the_reader_does(tmp_path: Path) -> None:
    """Some damage makes polars panic (the draw of seed 3 does at the 104th file), which is no error of its own."""
    pl.DataFrame({"text": ["some text"] * 50, "id": range(50), "x": [[1, 2]] * 50}).write_parquet(tmp_path / "whole.parquet")
    whole, draw, path = (tmp_path / "whole.parquet").read_bytes(), random.Random(3), tmp_path / "damaged.parquet"
    refused = 0
    for _ in range(110):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[draw.randrange(len(damaged) // 2, len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            list(read_rows(str(path)))
        except InputError as error:
            refused += 1
            assert "cannot be read as Parquet" in str(error)
    assert refused > 50
