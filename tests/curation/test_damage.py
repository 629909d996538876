"""Damage of every kind to small files of every format: what it does not hit comes back, and what it hits is never good with a wrong body.

The truth of each case is made here: which bytes belong to which record, and what its body is.
"""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.frames import frames_of
from curation.sources.warc import GOOD, Record, to_record
from tests.curation.warc_samples import COMPRESSIONS, arc_record, digested_record, html_page, member, page_record, warc_record

BODIES = [html_page(number, paragraphs=1) for number in range(6)]
MAKERS = {"WARC": page_record, "WARC with digests": digested_record, "ARC": arc_record}
# A plain file has nothing but digests to tell a changed byte.
CASES = [*((compression, maker) for compression in COMPRESSIONS for maker in MAKERS), ("plain", "WARC with digests")]
GROUPS = {"one record a member": 1, "two records a member": 2, "the file in one member": 6}


def records_in(content: bytes) -> list[Record]:
    limits = CrawlLimits()
    try:
        return [to_record(frame, limits) for frame in frames_of(io.BytesIO(content), "damaged", 0, None, 0, limits)]
    except InputError:
        return []


def packed(compression: str, maker: str, group: int) -> tuple[bytes, list[tuple[int, int, set[int]]]]:
    """A file of six records, and which bytes of it hold which of them."""
    records = [MAKERS[maker](number, body) for number, body in enumerate(BODIES)]
    parts = [b"".join(records[start : start + group]) for start in range(0, len(records), group)]
    parts = parts if compression == "plain" else [COMPRESSIONS[compression](part) for part in parts]
    edges = [0, *accumulate(map(len, parts))]
    return b"".join(parts), [(start, end, set(range(at * group, (at + 1) * group))) for at, (start, end) in enumerate(pairwise(edges))]


def check(damaged: bytes, hit: set[int]) -> None:
    """Every record that was not hit is there and good, once; no other body is good."""
    good = [record.body for record in records_in(damaged) if record.state == GOOD and record.record_type == "response"]
    assert set(good) <= set(BODIES)
    assert [number for number, body in enumerate(BODIES) if number not in hit and good.count(body) != 1] == []


def hit_between(holders: list[tuple[int, int, set[int]]], start: int, end: int) -> set[int]:
    return set().union(*(numbers for first, last, numbers in holders if first < end and start < last))


@pytest.mark.parametrize("layout", GROUPS)
@pytest.mark.parametrize(("compression", "maker"), CASES)
@settings(max_examples=25)
@given(data=st.data())
def test_changed_cut_and_added_bytes(compression: str, maker: str, layout: str, data: st.DataObject) -> None:
    content, holders = packed(compression, maker, GROUPS[layout])
    start = data.draw(st.integers(0, len(content) - 1))
    end = min(len(content), start + data.draw(st.sampled_from([1, 2, 7, 60, 500])))
    noise = random.Random(start).randbytes(end - start)
    kind = data.draw(st.sampled_from(["overwritten", "zeros", "removed", "inserted", "moved"]))
    damaged = {
        "overwritten": content[:start] + noise + content[end:],
        "zeros": content[:start] + bytes(end - start) + content[end:],
        "removed": content[:start] + content[end:],
        "inserted": content[:start] + noise + content[start:],
        "moved": content[:start] + content[end:] + content[start:end],
    }[kind]
    # What is moved to the end of the file stands behind the last record, and can look as if it belonged to it.
    check(damaged, hit_between(holders, start, end) | (set(holders[-1][2]) if kind == "moved" else set()))


def every_flip(content: bytes) -> Iterator[tuple[int, bytes]]:
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        yield place, bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("layout", GROUPS)
@pytest.mark.parametrize(("compression", "maker"), CASES)
def test_a_flipped_bit_in_every_byte(compression: str, maker: str, layout: str) -> None:
    content, holders = packed(compression, maker, GROUPS[layout])
    for place, damaged in every_flip(content):
        check(damaged, hit_between(holders, place, place + 1))


@pytest.mark.slow
@pytest.mark.parametrize(("compression", "maker"), CASES)
def test_a_cut_at_every_byte(compression: str, maker: str) -> None:
    content, holders = packed(compression, maker, 1)
    slack = 4 if compression == "plain" else 0  # the line ends behind a record are no part of it
    for size in range(1, len(content)):
        records = records_in(content[:size])
        whole = [body for body, (_, end, _) in zip(BODIES, holders, strict=True) if end - slack <= size]
        assert [record.body for record in records if record.state == GOOD] == whole
        on_border = any(end - slack <= size <= end for _, end, _ in holders)
        assert on_border or not records or records[-1].state != GOOD


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_damage_before_an_archive_within_a_page_does_not_take_it_apart(place: int) -> None:
    """A page of stored bytes that quotes whole members, and damage that the checksum alone tells: the quoted records are no records."""
    noise = random.Random(1).randbytes(500)
    quoted = b"".join(member(page_record(number)) for number in (7, 8, 9))
    quoting = gzip.compress(page_record(1, noise + quoted + noise), compresslevel=0, mtime=0)
    damaged = bytearray(quoting)
    at = quoting.index(noise[:100]) + place
    damaged[at] ^= 1
    records = records_in(member(page_record(0, BODIES[0])) + bytes(damaged) + member(page_record(2, BODIES[2])))
    assert [record.body for record in records if record.state == GOOD] == [BODIES[0], BODIES[2]]


def test_an_archive_within_a_page_stays_whole() -> None:
    """Records quoted in a page, plain and as members, in plain files and members, where every length is right."""
    quoted = b"\r\n\r\n" + page_record(7) + page_record(8) + arc_record(9) + b"\n"
    body = b"<pre>" + quoted + member(page_record(7)) + b"</pre>"
    for pack in (bytes, *COMPRESSIONS.values()):
        for maker in MAKERS.values():
            content = pack(maker(0, BODIES[0])) + pack(maker(1, body)) + pack(maker(2, BODIES[2]))
            assert [(record.body, record.state) for record in records_in(content)] == [
                (part, GOOD) for part in (BODIES[0], body, BODIES[2])
            ]


def test_files_of_several_formats_behind_each_other() -> None:
    content = b"".join(pack(page_record(number, BODIES[number])) for number, pack in enumerate(COMPRESSIONS.values()))
    assert [(record.body, record.state) for record in records_in(content)] == [(body, GOOD) for body in BODIES[: len(COMPRESSIONS)]]
    content = b"".join(map(page_record, range(3))) + b"".join(map(arc_record, range(3, 6)))
    assert [record.body for record in records_in(content)] == [html_page(number) for number in range(6)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "cp500"])
def test_headers_in_other_encodings_are_reported(encoding: str) -> None:
    odd = warc_record(b"text", {"WARC-Type": "conversion"}).decode().encode(encoding)
    records = records_in(page_record(0, BODIES[0]) + odd + b"\r\n\r\n" + page_record(2, BODIES[2]))
    assert [record.body for record in records if record.state == GOOD] == [BODIES[0], BODIES[2]]
    assert len(records) == 3


def test_the_first_byte_of_a_file_can_be_damaged() -> None:
    for compression in COMPRESSIONS:
        content, _ = packed(compression, "WARC", 1)
        for damaged in (content[1:], b"\0" + content, b"<" + content[1:], b"junk\r\n\r\n" + content[9:]):
            check(damaged, {0})
