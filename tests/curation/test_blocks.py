"""Blocks of gzip members: places, checksums before bytes, damage, bombs. Truth is zlib's or made by hand."""

from __future__ import annotations

import io
import os
import zlib
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe import CrawlLimits
from curation.sources.blocks import (
    BLOCK_BYTES,
    ENDLESS_MEMBER,
    SNIFF_BYTES,
    TRUNCATED_MEMBER,
    Block,
    is_compressed,
    member_blocks,
    plain_blocks,
)
from tests.curation.warc_samples import member, page_record

LIMITS = CrawlLimits()


def blocks_of(content: bytes, start: int = 0, limits: CrawlLimits = LIMITS) -> list[Block]:
    return list(member_blocks(io.BytesIO(content), start, limits))


def test_gzip_is_known_by_its_magic() -> None:
    assert is_compressed(io.BytesIO(member(b"")))
    assert not is_compressed(io.BytesIO(b"WARC/1.0\r\n"))
    assert not is_compressed(io.BytesIO(b""))


@pytest.mark.parametrize("beginning", [b"WARC/1.0\r\nWARC-Type: resource\r\n", b"junk"])
def test_only_the_beginning_of_a_plain_file_says_that_it_is_none(beginning: bytes) -> None:
    stream = io.BytesIO(beginning + bytes(8 * SNIFF_BYTES))
    assert not is_compressed(stream)
    assert stream.tell() <= 2 * SNIFF_BYTES


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_members_come_one_by_one_with_their_places(contents: list[bytes]) -> None:
    members = [member(content) for content in contents]
    ends = list(accumulate(map(len, members)))
    blocks = blocks_of(b"".join(members))
    assert [block.data for block in blocks] == contents
    assert [block.member_end for block in blocks] == ends
    assert [block.member_start for block in blocks] == [end - len(raw) for end, raw in zip(ends, members, strict=True)]
    assert not any(block.broken or block.suspect for block in blocks)


def test_reading_can_begin_at_any_member() -> None:
    first, second = member(b"first"), member(b"second")
    assert [block.data for block in blocks_of(first + second, len(first))] == [b"second"]


def test_a_large_member_comes_in_several_blocks() -> None:
    content = os.urandom(BLOCK_BYTES // 2) * 5
    blocks = blocks_of(member(content) + member(b"next"))
    assert b"".join(block.data for block in blocks[:-1]) == content
    assert [len(block.data) for block in blocks] == [BLOCK_BYTES, BLOCK_BYTES, BLOCK_BYTES // 2, 4]
    assert [block.data for block in blocks[3:]] == [b"next"]
    assert [block.member_start for block in blocks[:3]] == [0, None, None]
    assert [block.member_end for block in blocks[:3]] == [None, None, len(member(content))]


@pytest.mark.parametrize("size", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_a_member_as_large_as_a_block(size: int) -> None:
    content = os.urandom(size)
    blocks = blocks_of(member(content))
    assert b"".join(block.data for block in blocks) == content
    assert not any(block.broken for block in blocks)


def with_wrong_checksum(raw: bytes) -> bytes:
    """RFC 1952, section 2.3.1: the last eight bytes are CRC32 and size."""
    return raw[:-8] + bytes(byte ^ 0xFF for byte in raw[-8:-4]) + raw[-4:]


def test_a_wrong_checksum_makes_the_bytes_suspect_but_keeps_them() -> None:
    record = page_record(1)
    broken, sound = blocks_of(with_wrong_checksum(member(record)) + member(page_record(2)))
    assert broken.data == record
    assert broken.broken == "damaged gzip member (incorrect data check)"
    assert broken.member_end is None
    assert sound.data == page_record(2) and sound.broken is None


def test_a_wrong_checksum_at_the_end_of_a_large_member_is_known_before_its_first_block() -> None:
    blocks = blocks_of(with_wrong_checksum(member(os.urandom(2 * BLOCK_BYTES + 5))))
    assert [bool(block.suspect or block.broken) for block in blocks] == [True, True, True]


@pytest.mark.parametrize("place", [3, 12, 100, -20])
def test_damage_costs_one_member(place: int) -> None:
    """Wherever a member is overwritten, what follows it is found again."""
    middle = bytearray(member(page_record(2)))
    middle[place : place + 4] = bytes(byte ^ 0xA5 for byte in middle[place : place + 4])
    raw = member(page_record(1)), bytes(middle), member(page_record(3))
    blocks = blocks_of(b"".join(raw))
    assert [block.data for block in blocks if not block.broken] == [page_record(1), page_record(3)]
    assert sum(1 for block in blocks if block.broken) == 1
    assert blocks[-1].member_start == len(raw[0]) + len(raw[1])


def test_a_member_cut_short_is_truncated_only_at_the_end_of_the_file() -> None:
    cut = member(page_record(1))[:-30]
    assert blocks_of(cut)[-1].broken == TRUNCATED_MEMBER
    # The inflater runs on into the next member, whose bytes cannot continue the first.
    broken, sound = blocks_of(cut + member(page_record(2)))
    assert broken.broken not in (None, TRUNCATED_MEMBER) and sound.data == page_record(2)


def test_a_member_that_swallows_the_rest_has_no_end() -> None:
    """A stored deflate block (RFC 1951, 3.2.4) that claims more bytes than its member has takes in the next one."""
    following = member(page_record(2))
    claimed = 60_000
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    endless = header + b"\x01" + claimed.to_bytes(2, "little") + (claimed ^ 0xFFFF).to_bytes(2, "little") + b"WARC/1.0\r\n"
    broken, sound = blocks_of(endless + following)
    assert broken.broken == ENDLESS_MEMBER
    assert sound.data == page_record(2)


@given(st.integers(min_value=1, max_value=len(member(page_record(1))) - 1))
def test_every_cut_is_reported_with_a_true_beginning(size: int) -> None:
    (block,) = blocks_of(member(page_record(1))[:size])
    assert block.broken == TRUNCATED_MEMBER
    assert page_record(1).startswith(block.data)


def test_junk_and_zeros_between_members() -> None:
    first, second = member(page_record(1)), member(page_record(2))
    junk = blocks_of(first + b"junk" * 20 + second)
    assert [block.data for block in junk if not block.broken] == [page_record(1), page_record(2)]
    assert sum(1 for block in junk if block.broken) == 1
    assert [block.data for block in blocks_of(first + bytes(100))] == [page_record(1)]


def test_after_damage_a_magic_number_alone_is_no_member() -> None:
    decoys = (b"\x1f\x8b\x08" + bytes(7)) * 1000 + member(b"no record")
    blocks = blocks_of(b"broken" + decoys + member(page_record(1)))
    assert [block.data for block in blocks if not block.broken] == [page_record(1)]


def test_a_bomb_is_stopped() -> None:
    """8 MiB of zeros make about 8 KB: allowed by deflate's 1032:1, refused at 100:1, and what was seen is little."""
    bomb = member(bytes(8 << 20))
    blocks = blocks_of(bomb + member(page_record(1)), limits=CrawlLimits(decompression_ratio=100))
    assert [block.broken for block in blocks if block.broken] == ["decompresses to more than 100 times its size"]
    assert sum(len(block.data) for block in blocks) < 3 << 20
    assert blocks[-1].data == page_record(1)


def test_a_small_page_of_one_letter_is_no_bomb() -> None:
    content = b"a" * 500_000
    assert len(content) > 100 * len(member(content))
    assert blocks_of(member(content), limits=CrawlLimits(decompression_ratio=100))[0].broken is None


@given(st.binary(max_size=5000), st.integers(0, 5000))
def test_plain_files_come_as_they_are(content: bytes, start: int) -> None:
    assert b"".join(block.data for block in plain_blocks(io.BytesIO(content), start)) == content[start:]


def test_raw_deflate_output_before_an_error_is_kept() -> None:
    """zlib itself tells how far it gets: feed it byte by byte."""
    raw = bytearray(member(page_record(1)))
    raw[len(raw) // 2] ^= 0xFF
    inflater, seen = zlib.decompressobj(wbits=31), b""
    try:
        for byte in raw:
            seen += inflater.decompress(bytes([byte]))
    except zlib.error:
        pass
    (block,) = blocks_of(bytes(raw))
    assert block.data.startswith(seen)
