import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import storage
from curation.documents import SCHEMA, documents_frame
from curation.errors import InputError, IntegrityError
from curation.finished import limit_shards
from curation.ledger import Counts
from curation.shards import (
    Manifest,
    ManifestFile,
    Shard,
    canonical_json,
    file_is_intact,
    fingerprint_of,
    frame_to_parquet,
    read_sealed,
    read_shard,
    sealed_json,
)
from tests.curation.runs import rows_of

COUNTS = Counts(entered=3, kept=1, changed=1)
COUNTS.removed["low_quality"] = 1
MANIFEST = Manifest("filter", 1, "f" * 64, [{"sha256": "0" * 64}], [ManifestFile("a", 2, 3, "1" * 64)], COUNTS, {"bins": {10: 1, 9: 2}})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=10,
)


def commit_shard(path: Path, frame: pl.DataFrame) -> Shard:
    stored = storage.commit_bytes(str(path), frame_to_parquet(frame))
    return Shard(stored.path, len(frame), stored.bytes, stored.sha256)


def test_canonical_json_by_hand() -> None:
    assert canonical_json({"b": [1, 0.5], "a": {"é": None}}) == '{\n "a": {\n  "é": null\n },\n "b": [\n  1,\n  0.5\n ]\n}\n'.encode()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=5))
def test_canonical_json_forgets_the_order_and_nothing_else(values: dict[str, Any]) -> None:
    turned = dict(reversed(values.items()))
    assert canonical_json(turned) == canonical_json(values)
    assert json.loads(canonical_json(values)) == values
    assert fingerprint_of(turned) == fingerprint_of(values)


def test_fingerprint_of_a_known_value() -> None:
    # printf '[\n 1\n]\n' | sha256sum
    assert fingerprint_of([1]) == "7205f05739d0e7ad09f02a57a3497b04b7ba4d250d6619afb18729ae8ec56065"


def test_manifest_round_trip(tmp_path: Path) -> None:
    path = storage.commit_bytes(str(tmp_path / "manifest.json"), MANIFEST.to_bytes()).path
    # JSON has text keys only.
    assert Manifest.read(path) == replace(MANIFEST, statistics={"bins": {"10": 1, "9": 2}})
    assert json.loads(MANIFEST.to_bytes())["counts"]["removed"] == {"low_quality": 1}


def test_any_changed_byte_of_a_sealed_file_shows(tmp_path: Path) -> None:
    content = MANIFEST.to_bytes()
    path = tmp_path / "manifest.json"
    for place in range(len(content)):
        for mask in (0x01, 0x20, 0xFF):
            path.write_bytes(content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :])
            with pytest.raises(IntegrityError, match="damaged"):
                read_sealed(str(path))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", sealed_json({"a": 1})[:-1], sealed_json({"a": 1}) + b" "])
def test_no_sealed_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(IntegrityError, match="file is damaged: its content does not match its seal; run the stage again"):
        read_sealed(str(tmp_path / "file"))


def test_sealed_file_of_another_kind_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(sealed_json({"stage": "filter"}))
    with pytest.raises(IntegrityError, match="no manifest of this version"):
        Manifest.read(str(tmp_path / "file"))
    with pytest.raises(InputError, match="no such file"):
        Manifest.read(str(tmp_path / "missing"))


def test_parquet_bytes_are_a_function_of_the_frame() -> None:
    frame = documents_frame(rows_of(25_000))
    chunked = pl.concat([frame[:7], frame[7:12_345], frame[12_345:]], rechunk=False)
    assert frame_to_parquet(frame) == frame_to_parquet(frame.clone())
    # How a frame came together is not part of it.
    assert frame_to_parquet(chunked) == frame_to_parquet(frame)


def test_read_shard(tmp_path: Path) -> None:
    frame = documents_frame(rows_of(5))
    shard = commit_shard(tmp_path / "part.parquet", frame)
    assert read_shard(shard).equals(frame)
    assert read_shard(replace(shard, rows=2)).equals(frame[:2])
    assert read_shard(shard, ["id"]).to_dict(as_series=False) == {"id": ["d0", "d1", "d2", "d3", "d4"]}


def test_read_shard_of_a_file_with_other_columns(tmp_path: Path) -> None:
    frame = pl.DataFrame({"extra": [1], "text": ["text"], "id": ["a"]})
    read = read_shard(commit_shard(tmp_path / "part.parquet", frame))
    assert read.schema == SCHEMA
    assert read.select("id", "text", "url").rows() == [("a", "text", None)]


def test_read_damaged_shard(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    shard = commit_shard(path, documents_frame(rows_of(5)))
    entry = ManifestFile("part.parquet", shard.rows, shard.bytes, shard.sha256)
    assert file_is_intact(str(path), entry)
    content = path.read_bytes()
    for damaged in (content[:-1], content + b"x", content[:99] + bytes([content[99] ^ 1]) + content[100:]):
        path.write_bytes(damaged)
        assert not file_is_intact(str(path), entry)
        with pytest.raises(IntegrityError, match=r"part\.parquet is damaged"):
            read_shard(shard)
    path.unlink()
    assert not file_is_intact(str(path), entry)
    with pytest.raises(InputError, match="no such file"):
        read_shard(shard)


@given(st.lists(st.integers(0, 5), max_size=6), st.none() | st.integers(1, 30))
def test_limited_shards_hold_the_first_documents(rows: list[int], limit: int | None) -> None:
    shards = [Shard(str(number), count, 0, "") for number, count in enumerate(rows)]
    limited = limit_shards(shards, limit)
    expected = [(shard.path, row) for shard in shards for row in range(shard.rows)][:limit]
    assert [(shard.path, row) for shard in limited for row in range(shard.rows)] == expected
