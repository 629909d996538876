"""Decompression: every format by its content, frames in a row, long windows, and damage that is never taken for the end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from curation.errors import InputError
from curation.sources.compressed import open_decompressed

TEXT = "".join(f'{{"n": {number}, "é": "☃"}}\n' for number in range(20_000)).encode()
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zst": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "gz": gzip.compress,
    "ndjson": bytes,
}


def decompress(content: bytes, name: str = "dump") -> bytes:
    with open_decompressed(io.BytesIO(content), name) as stream:
        return stream.read()


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("named", [True, False])
def test_content_comes_back(tmp_path: Path, suffix: str, named: bool) -> None:
    path = tmp_path / (f"RS.{suffix}" if named else "RS")
    path.write_bytes(COMPRESSORS[suffix](TEXT))
    with open(path, "rb") as stream, open_decompressed(stream, str(path)) as lines:
        assert b"".join(lines) == TEXT


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_members_in_a_row_read_as_one(suffix: str) -> None:
    compress = COMPRESSORS[suffix]
    assert decompress(compress(TEXT[:1000]) + compress(TEXT[1000:])) == TEXT


def test_frames_to_be_passed_over_stand_anywhere() -> None:
    """RFC 8878, section 3.1.2: magic 0x184D2A50 to 5F, length, content; pzstd begins each file with one."""
    first, last = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd", b"\x5f\x2a\x4d\x18\x00\x00\x00\x00"
    for name in ("RS.zst", "RS"):
        assert decompress(first + COMPRESSORS["zst"](TEXT) + last + COMPRESSORS["zst"](TEXT) + first, name) == TEXT * 2


@pytest.mark.parametrize("suffix", ["zst", "xz", "bz2", "gz"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_cut_file_is_an_error(suffix: str, share: float) -> None:
    content = COMPRESSORS[suffix](TEXT)
    with pytest.raises(InputError, match=r"RS\.\w+.*cut short"):
        decompress(content[: max(6, int(len(content) * share))], f"RS.{suffix}")


@pytest.mark.parametrize("suffix", ["zst", "xz", "bz2", "gz"])
def test_a_damaged_file_is_an_error(suffix: str) -> None:
    content = bytearray(COMPRESSORS[suffix](TEXT))
    content[8:400] = b"\xff" * 392
    with pytest.raises(InputError, match="damaged"):
        decompress(bytes(content), f"RS.{suffix}")


@pytest.mark.parametrize("suffix", ["zst", "xz", "bz2", "gz"])
@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>"])
def test_a_name_that_promises_another_format_is_an_error(suffix: str, content: bytes) -> None:
    with pytest.raises(InputError, match=f"is no {suffix} file"):
        decompress(content, f"RS.{suffix}")


def test_a_frame_with_a_window_of_two_gibibytes() -> None:
    """Written by hand from RFC 8878, section 3.1.1: magic, no flags, window exponent 21 (2^(10+21) bytes), one last raw block."""
    content = b'{"n": 1}\n'
    block_header = (1 | len(content) << 3).to_bytes(3, "little")
    frame = bytes.fromhex("28b52ffd 00") + bytes([21 << 3]) + block_header + content
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    assert decompress(frame) == content


def test_an_error_of_the_reader_itself_passes_through() -> None:
    with pytest.raises(KeyError), open_decompressed(io.BytesIO(TEXT), "dump"):
        raise KeyError
