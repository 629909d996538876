"""Members of every format, decoded in steps: truth is each format's own library, and its specification."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import zlib

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.members import LONGEST_MAGIC, DecodeError, Format, formats
from tests.curation.warc_samples import COMPRESSIONS

FORMATS = dict(zip(("gzip", "zstd", "lz4", "bzip2"), formats(io.BytesIO()), strict=True))


def decode(kind: Format, raw: bytes, feed: int = 1000, room: int = 1 << 20) -> tuple[bytes, bool, int, str | None]:
    """Everything of one member, whether it is whole, how many bytes lie behind it, and what its checksum found."""
    decoder, parts, place = kind.new_decoder(), [], 0
    while not decoder.eof:
        taken = raw[place : place + feed] if decoder.needs_input else b""
        place += len(taken)
        parts.append(decoder.decode(taken, room))
        if not taken and not parts[-1] and decoder.needs_input:
            break
    return b"".join(parts), decoder.eof, len(raw) - place + decoder.unused, decoder.problem


@pytest.mark.parametrize("name", FORMATS)
@given(content=st.binary(max_size=3000), behind=st.binary(max_size=50), feed=st.integers(1, 4000), room=st.integers(1, 4000))
def test_a_member_ends_where_its_format_says(name: str, content: bytes, behind: bytes, feed: int, room: int) -> None:
    """Whatever follows, and in whatever steps it is decoded."""
    raw = COMPRESSIONS[name](content)
    assert FORMATS[name].magic.match(raw[:LONGEST_MAGIC])
    assert decode(FORMATS[name], raw + behind, feed, room) == (content, True, len(behind), None)


@pytest.mark.parametrize("name", FORMATS)
def test_steps_bound_what_comes_out(name: str) -> None:
    """8 MiB of zeros from some hundred bytes; zstd, whose library has no bound, gives at most 256 blocks of 128 KiB."""
    decoder = FORMATS[name].new_decoder()
    first = decoder.decode(COMPRESSIONS[name](bytes(40 << 20))[:500], 1000)
    assert len(first) <= (1000 if name != "zstd" else 32 << 20)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [b"a page\n" * 40, os.urandom(700)], ids=["text", "noise"])
def test_no_flipped_bit_gives_other_content(name: str, content: bytes) -> None:
    raw = COMPRESSIONS[name](content)
    for place in range(len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 1 << place % 8
        try:
            decoded, whole, _, problem = decode(FORMATS[name], bytes(damaged))
        except DecodeError as error:
            assert str(error)
        else:
            assert decoded == content or not whole or problem


@pytest.mark.parametrize("name", FORMATS)
def test_no_cut_member_is_whole(name: str) -> None:
    raw = COMPRESSIONS[name](b"a page\n" * 40)
    for size in range(len(raw)):
        decoded, whole, _, _ = decode(FORMATS[name], raw[:size], feed=7)
        assert not whole and (b"a page\n" * 40).startswith(decoded)


def test_every_field_of_a_gzip_header() -> None:
    """RFC 1952, section 2.3: flags 1 text, 2 header checksum, 4 extra field, 8 name, 16 comment."""
    content = b"content"
    deflated = zlib.compressobj(wbits=-15)
    body = deflated.compress(content) + deflated.flush() + struct.pack("<II", zlib.crc32(content), len(content))
    fields = {1: b"", 4: b"\x08\x00sl\x04\x00abcd", 8: b"a.warc\0", 16: b"comment\0", 2: b"\x12\x34"}
    for flags in range(32):
        header = b"\x1f\x8b\x08" + bytes([flags, 0, 0, 0, 0, 0, 255]) + b"".join(field for flag, field in fields.items() if flags & flag)
        for feed in (1, 1000):
            assert decode(FORMATS["gzip"], header + body + b"next", feed) == (content, True, 4, None)


def test_after_a_wrong_gzip_checksum_the_end_is_known() -> None:
    raw = gzip.compress(b"content", mtime=0)
    wrong_checksum = raw[:-8] + bytes(4) + raw[-4:]
    wrong_size = raw[:-4] + b"\x08\0\0\0"
    assert decode(FORMATS["gzip"], wrong_checksum + b"next") == (b"content", True, 4, "incorrect data check")
    assert decode(FORMATS["gzip"], wrong_size + b"next") == (b"content", True, 4, "incorrect length check")


@pytest.mark.parametrize("packed", [False, True])
def test_a_zstd_dictionary_at_the_beginning_of_the_file(packed: bool) -> None:
    """IIPC, "Zstandard compression of WARC": a skippable frame 0x184D2A5D, whose content may be compressed itself."""
    pages = [f"the same words on every page, and number {number}".encode() * 3 for number in range(200)]
    dictionary = zstandard.train_dictionary(1000, pages)
    frame = zstandard.ZstdCompressor(dict_data=dictionary).compress(pages[7])
    content = zstandard.compress(dictionary.as_bytes()) if packed else dictionary.as_bytes()
    beginning = b"\x5d\x2a\x4d\x18" + struct.pack("<I", len(content)) + content
    assert decode(formats(io.BytesIO(beginning + frame))[1], frame)[0] == pages[7]
    with pytest.raises(DecodeError, match="ictionary"):
        decode(FORMATS["zstd"], frame)


def test_a_window_larger_than_the_limit_is_refused() -> None:
    """RFC 8878, section 3.1.1.1.2: exponent 21 makes a window of 2 GiB."""
    with pytest.raises(DecodeError):
        decode(FORMATS["zstd"], b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x01\x00\x00")


def test_other_libraries_of_the_formats_agree() -> None:
    """Levels, sizes and options of other writers."""
    content = os.urandom(100_000) + bytes(400_000)
    for level in range(1, 10):
        assert decode(FORMATS["bzip2"], bz2.compress(content, level))[0] == content
    for size in (4, 5, 6, 7):
        assert decode(FORMATS["lz4"], lz4.frame.compress(content, block_size=size, block_checksum=True, store_size=False))[0] == content
    for level in (-5, 3, 19):
        assert decode(FORMATS["zstd"], zstandard.ZstdCompressor(level=level, write_content_size=False).compress(content))[0] == content
