"""Records out of archives: which are wanted, their bytes, and where each byte truly lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.errors import InputError
from curation.recipe import RemoteSettings
from curation.sources.places import Places, fetch_places, read_places
from curation.sources.web import Client


def write_table(path: Path, rows: list[tuple[str, int, int]]) -> str:
    pl.DataFrame(rows, schema={"file": pl.String, "offset": pl.Int64, "length": pl.Int64}, orient="row").write_parquet(path)
    return str(path)


def places_of(*pairs: tuple[int, int]) -> Places:
    return Places(np.array(pairs, "<i8").tobytes())


def test_places_are_sorted_and_taken_once(tmp_path: Path) -> None:
    tables = [write_table(tmp_path / "a", [("b", 7, 2), ("a", 9, 1), ("a", 3, 4)]), write_table(tmp_path / "b", [("a", 3, 4), ("a", 3, 2)])]
    found = read_places(tables)
    assert {name: (places.offsets.tolist(), places.lengths.tolist()) for name, places in found.items()} == {
        "a": ([3, 9], [4, 1]),
        "b": ([7], [2]),
    }
    assert list(found) == ["a", "b"]


def test_fetched_bytes_know_their_offsets(tmp_path: Path) -> None:
    archive = b"".join(b"\x1f\x8b" + bytes([number]) * (number + 1) for number in range(8))
    (tmp_path / "archive").write_bytes(archive)
    starts = [sum(size + 3 for size in range(number)) for number in range(8)]
    places = places_of(*((starts[number], number + 3) for number in (1, 4, 5)))
    receipt = fetch_places(Client(RemoteSettings()), str(tmp_path / "archive"), "here#some", places, tmp_path / "some")
    some = (tmp_path / "some").read_bytes()
    assert (receipt.url, receipt.bytes) == ("here#some", len(some))
    assert [archive[places.true_offset(offset)] for offset in range(len(some))] == list(some)


@pytest.mark.parametrize(
    ("pair", "message"),
    [((1, 3), "no compressed record at byte 1"), ((0, 50), "is too short: of bytes 0 to 50, which are wanted, it has 6")],
)
def test_places_of_another_file(tmp_path: Path, pair: tuple[int, int], message: str) -> None:
    (tmp_path / "archive").write_bytes(b"\x1f\x8babcd")
    with pytest.raises(InputError, match=message):
        fetch_places(Client(RemoteSettings()), str(tmp_path / "archive"), "", places_of(pair), tmp_path / "some")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_what_is_no_table_of_places(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    pl.DataFrame({"file": ["a"], "offset": ["b"]}).write_parquet(tmp_path / "other")
    write_table(tmp_path / "odd", [("a", -1, 5)])
    for name, message in (
        ("none", "no such file"),
        ("text", "cannot be read as Parquet"),
        ("other", "no column offset, length"),
        ("odd", "is no place"),
    ):
        with pytest.raises(InputError, match=message):
            read_places([str(tmp_path / name)])
