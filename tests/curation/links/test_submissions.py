"""Reading dumps: any bytes, at any edges of blocks, in every packing."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.links import submissions
from curation.links.submissions import MAX_ROW_BYTES, Submission, read_submissions
from tests.curation.links.rows import submission, write_rows


def read(path: str) -> list[Submission | None]:
    return [row for rows in read_submissions(path) for row in rows]


def test_odd_rows_cost_only_themselves(tmp_path: Path) -> None:
    good = json.dumps(submission()).encode()
    dump = write_rows(
        tmp_path / "RS_2015-01",
        b'{"url": "http://exa\n',
        b"[1]\n\n  \n",
        b"null\n",
        b"[" * 100_000 + b"\n",
        b'{"score": ' + b"9" * 5000 + b"}\n",
        b"\x00\xff\xfe\n",
        b'{"title": "\xff\xfe\\ud800", "url": "http://example.com/b", "score": NaN}\r\n',
        b'"' + b"x" * (MAX_ROW_BYTES + 5) + b'"\n',
        good,  # without a newline at the end of the file
    )
    rows = read(dump)
    assert [row and row.url for row in rows] == [None] * 6 + ["http://example.com/b", None, "http://example.com/a"]
    assert rows[-1] == Submission(**submission())


def test_a_byte_order_mark_costs_no_row(tmp_path: Path) -> None:
    dump = write_rows(tmp_path / "RS", b"\xef\xbb\xbf", *[submission(score=score) for score in (7, 8)])
    assert [row and row.score for row in read(dump)] == [7, 8]


@pytest.mark.parametrize("too_much", [0, 1])
def test_the_longest_row_may_have_just_so_many_bytes(tmp_path: Path, too_much: int) -> None:
    row = b'{"url": "u", "selftext": "'
    row += b"x" * (MAX_ROW_BYTES + too_much - len(row) - 2) + b'"}'
    rows = read(write_rows(tmp_path / "RS", row + b"\n", b'{"url": "v"}\n'))
    assert [found and found.url for found in rows] == [None if too_much else "u", "v"]


def test_no_character_is_lost_at_the_edge_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openwebtext2 drops 16 MB where a character straddles the edge of a block."""
    urls = [f"http://example.com/{'é你😀' * length}" for length in range(12)]
    dump = write_rows(tmp_path / "RS", *(json.dumps({"url": url}, ensure_ascii=False).encode() + b"\n" for url in urls))
    for size in range(1, 9):
        monkeypatch.setattr(submissions, "READ_BYTES", size)
        assert [row and row.url for row in read(dump)] == urls


@given(
    st.lists(st.sampled_from([b'{"url": "a"}', b"{}", b"", b" ", b"[", b'{"url": 7}x', b'{"url": "\xff"}', b"x" * 40]), max_size=9),
    st.integers(1, 60),
)
def test_blocks_change_nothing(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], block_bytes: int) -> None:
    """Against Python's own reader of lines; rows of more than 30 bytes are too long."""
    dump = tmp_path_factory.mktemp("dump") / "RS"
    dump.write_bytes(b"\n".join(lines))
    expected: list[object] = []
    for line in filter(bytes.strip, lines):
        try:
            expected.append(json.loads(line.decode(errors="replace")) if len(line) <= 30 else None)
        except ValueError:
            expected.append(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submissions, "READ_BYTES", block_bytes)
        patch.setattr(submissions, "MAX_ROW_BYTES", 30)
        assert read(str(dump)) == [None if row is None else Submission(**row) for row in expected]


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    dump = tmp_path_factory.mktemp("dump") / "RS"
    dump.write_bytes(content)
    try:
        assert len(read(str(dump))) == sum(1 for line in content.split(b"\n") if line.strip())
    except InputError:
        assert content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")) or content[1:4] == b"\x2a\x4d\x18"


def long_window(content: bytes) -> bytes:
    """As Pushshift packs: with a window of 2^31 bytes, which a decompressor does not allow unless it is told to."""
    import struct

    block = struct.pack("<I", len(content) << 3 | 1)[:3] + content  # one raw block, the last (RFC 8878, section 3.1.1.2)
    return b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(31 - 10) << 3]) + block


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        *(("zst", zstandard.compress), ("zst", long_window), ("xz", lzma.compress), ("bz2", bz2.compress), ("gz", gzip.compress)),
        ("ndjson", bytes),
    ],
)
def test_every_packing_is_read(tmp_path: Path, ending: str, pack: type) -> None:
    dump = tmp_path / f"RS_2015-01.{ending}"
    dump.write_bytes(pack(b'{"url": "a"}\n{"url": "b"}\n'))
    assert [row and row.url for row in read(str(dump))] == ["a", "b"]


def test_a_plain_decompressor_fails_on_the_long_window() -> None:
    with pytest.raises(zstandard.ZstdError, match="memory"):
        zstandard.ZstdDecompressor().decompressobj().decompress(long_window(b"{}"))


def test_a_missing_or_cut_dump_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(str(tmp_path / "RS_2015-01.zst"))
    cut = tmp_path / "RS_2015-01.xz"
    cut.write_bytes(lzma.compress(json.dumps(submission()).encode())[:-10])
    with pytest.raises(InputError, match=r"RS_2015-01\.xz.*cut short"):
        read(str(cut))
