"""Segments: where files are cut, that they cover everything once, repeated ids, limits."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.ids import hash_id
from curation.recipe import CrawlLimits
from curation.sources.plan import MIN_SEGMENT_BYTES, SEGMENTS_PER_FILE, Segment, bare_id, limit_segments, plan_file
from curation.sources.warc import read_records
from tests.curation.warc_samples import COMPRESSIONS, html_page, member, page_headers, page_record, record_id, warc_record, write

LIMITS = CrawlLimits()


def large_page(number: int) -> bytes:
    """A record of about 100 KB, compressed or not."""
    return page_record(number, html_page(number) + os.urandom(50_000).hex().encode())


def test_the_plan_of_a_small_file(tmp_path: Path) -> None:
    content = page_record(1) + warc_record(b"", page_headers(2, "request")) + warc_record(b"text", page_headers(3, "conversion"))
    path = write(tmp_path / "small.warc", content)
    plan = plan_file(path, LIMITS)
    assert (plan.path, plan.bytes, plan.sha256) == (path, len(content), hashlib.sha256(content).hexdigest())
    assert plan.segments == [Segment(path, 0, None, 0, 2)]
    assert plan.id_hashes.tolist() == [hash_id(record_id(number).removeprefix("urn:uuid:")) for number in (1, 3)]


@pytest.mark.parametrize("pack", [bytes, member], ids=["plain", "gzip"])
def test_segments_cover_a_large_file_once(tmp_path: Path, pack: type[bytes]) -> None:
    path = write(tmp_path / "large.warc", b"".join(pack(large_page(number)) for number in range(40)))
    plan = plan_file(path, LIMITS)
    assert 3 <= len(plan.segments) <= SEGMENTS_PER_FILE
    assert (plan.segments[0].start, plan.segments[-1].end) == (0, None)
    assert [segment.end for segment in plan.segments[:-1]] == [segment.start for segment in plan.segments[1:]]
    assert all(segment.end - segment.start >= MIN_SEGMENT_BYTES for segment in plan.segments if segment.end)
    whole = list(read_records(path))
    parts = [list(read_records(path, segment.start, segment.end, segment.position)) for segment in plan.segments]
    assert [record for part in parts for record in part] == whole
    assert [len(part) for part in parts] == [segment.pages for segment in plan.segments]


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_segments_of_every_format(tmp_path: Path, name: str) -> None:
    """Junk, a skippable frame and a member that is decoded twice make the reader jump; each byte is hashed once all the same."""
    skippable = b"\x50\x2a\x4d\x18" + (900_000).to_bytes(4, "little") + bytes(900_000)
    parts = [COMPRESSIONS[name](large_page(number)) for number in range(20)]
    if name != "bzip2":  # which takes half a minute for it
        parts[3] = COMPRESSIONS[name](page_record(3, os.urandom(9 << 20).hex().encode()))
    content = skippable.join([b"".join(parts[:9]), b"".join(parts[9:12])]) + b"junk" * 1000 + b"".join(parts[12:])
    path = write(tmp_path / "large.warc", content)
    plan = plan_file(path, LIMITS)
    assert (plan.bytes, plan.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(plan.segments) > 1 and sum(segment.pages for segment in plan.segments) == 20
    parts_read = [list(read_records(path, segment.start, segment.end, segment.position)) for segment in plan.segments]
    assert [record for part in parts_read for record in part] == list(read_records(path))


def test_a_file_of_one_member_is_one_segment(tmp_path: Path) -> None:
    path = write(tmp_path / "one.warc.gz", member(b"".join(large_page(number) for number in range(20))))
    assert plan_file(path, LIMITS).segments == [Segment(path, 0, None, 0, 20)]


def test_junk_before_the_first_record_makes_a_segment_without_records(tmp_path: Path) -> None:
    path = write(tmp_path / "junk.warc", b"junk\n" * 200_000 + large_page(1) + large_page(2))
    plan = plan_file(path, LIMITS)
    assert [segment.pages for segment in plan.segments] == [0, 2]
    assert [record.record_type for record in read_records(path, 0, plan.segments[0].end)] == ["junk"]


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        plan_file(str(tmp_path / "absent.warc"), LIMITS)
    with pytest.raises(InputError, match="is empty"):
        plan_file(write(tmp_path / "empty.warc.gz", b""), LIMITS)
    with pytest.raises(InputError, match=r"is no UTF-8.*rename it"):
        plan_file(os.fsdecode(b"\xff.warc"), LIMITS)


@pytest.mark.parametrize("dressed", ["<urn:uuid:a1b2>", "urn:uuid:a1b2", "<URN:UUID:a1b2>", "a1b2", "<a1b2>"])
def test_an_id_is_the_same_in_every_dress(dressed: str) -> None:
    assert bare_id(dressed) == "a1b2"


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 30))
def test_a_limit_reads_so_many_pages(pages: list[int], limit: int) -> None:
    segments = [Segment("file", number, number + 1, number, count) for number, count in enumerate(pages)]
    limited = limit_segments(segments, limit)
    read = [segment.pages if segment.max_pages is None else min(segment.max_pages, segment.pages) for segment in limited]
    assert sum(read) == min(limit, sum(pages))
    assert [segment.start for segment in limited] == list(range(len(limited)))
    assert all(segment == whole for segment, whole in zip(limited[:-1], segments, strict=False))
    assert limit_segments(segments, None) == segments
