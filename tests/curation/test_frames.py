"""Framing: separators, members, segments, damage, truncation and budgets, on hand-made bytes."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.frames import TRUNCATIONS, read_frames
from curation.sources.warc import DAMAGED, GOOD, REPAIRED, Record, read_records
from curation.sources.window import SHORT_RECORD, TRUNCATED_RECORD
from tests.curation.warc_samples import (
    COMPRESSIONS,
    HTML_HEAD,
    arc_file_header,
    arc_record,
    html_page,
    ids,
    member,
    page_headers,
    page_record,
    record_id,
    records_of,
    warc_record,
    write,
)

LIMITS = CrawlLimits()


@pytest.mark.parametrize("separator", [b"\r\n\r\n", b"\n\n", b"\r\n", b"\n", b""])
def test_separators_that_writers_use(tmp_path: Path, separator: bytes) -> None:
    content = b"".join(page_record(number)[:-4] + separator for number in range(3))
    assert [(record.record_id, record.state, record.body) for record in records_of(content, tmp_path)] == [
        (record_id(number), GOOD, html_page(number)) for number in range(3)
    ]


def test_line_feeds_alone_folded_fields_odd_case_and_a_byte_order_mark(tmp_path: Path) -> None:
    block = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n<p>Hello</p>"
    content = (
        b"\xef\xbb\xbfWARC/1.1\nwarc-type: Response\nWARC-RECORD-ID:\n\t<urn:x:1>\nwarc-target-uri:  <http://e.example/>  \n"
        b"Content-Length:\n %d\nContent-Type: application/http\n\n%s\n\n" % (len(block), block)
    )
    (record,) = records_of(content, tmp_path)
    assert (record.record_id, record.target_uri) == ("urn:x:1", "http://e.example/")
    assert (record.record_type, record.body, record.state) == ("response", b"<p>Hello</p>", GOOD)


def test_blanks_behind_a_version(tmp_path: Path) -> None:
    content = (page_record(1) + page_record(2)).replace(b"WARC/1.0\r\n", b"WARC/1.0 \r\n")
    assert [(record.state, record.body) for record in records_of(content, tmp_path)] == [(GOOD, html_page(1)), (GOOD, html_page(2))]


def test_a_page_that_quotes_records_is_one_record(tmp_path: Path) -> None:
    body = b"<pre>\r\n\r\n" + page_record(99) + member(page_record(98)) + b"</pre>"
    content = page_record(1, body) + page_record(2)
    assert ids(records_of(content, tmp_path)) == [record_id(1), record_id(2)]
    assert records_of(content, tmp_path)[0].body == body


# --- layout of gzip members, and segments ---------------------------------------------------------


def layouts(records: list[bytes], sizes: list[int]) -> Iterator[tuple[str, bytes]]:
    """The same records plain, a member each, several a member, and in members cut anywhere."""
    content = b"".join(records)
    yield "plain", content
    yield "a member each", b"".join(map(member, records))
    groups = list(accumulate(size % 4 + 1 for size in sizes))
    yield (
        "several a member",
        b"".join(member(b"".join(records[start:end])) for start, end in pairwise([0, *groups]))
        + member(b"".join(records[groups[-1] :] if groups else records)),
    )
    cuts = sorted({0, len(content), *(size * 37 % len(content) for size in sizes)}) if content else [0, 0]
    yield "members cut anywhere", b"".join(member(content[start:end]) for start, end in pairwise(cuts))


bodies_strategy = st.lists(st.binary(max_size=400), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(bodies=bodies_strategy, sizes=st.lists(st.integers(1, 5000), max_size=5))
@example(bodies=[b"\r\n\r\nWARC/1.0\r\n"], sizes=[])
def test_segments_give_exactly_the_records_of_one_pass(tmp_path: Path, bodies: list[bytes], sizes: list[int]) -> None:
    """However the file is laid out and wherever it is split: no record twice, none lost, every field equal."""
    records = [page_record(number, body) for number, body in enumerate(bodies)]
    for name, content in layouts(records, sizes):
        path = write(tmp_path / "layout.warc", content)
        whole = list(read_records(path))
        assert [(record.record_id, record.body) for record in whole] == [(record_id(at), body) for at, body in enumerate(bodies)], name
        assert {record.state for record in whole} == {GOOD}, name
        assert split_everywhere(path) == [whole] * (len(split_points(path)) + 1), name


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 7, 3_000_000, 5_000_001])
def test_records_behind_a_large_member_come_once(tmp_path: Path, size: int) -> None:
    """A member of several blocks must leave the reader exactly at its end."""
    large = page_record(1, b"<p>" + b"large " * (size // 6))
    content = b"".join(map(member, [page_record(0), large, page_record(2), page_record(3)]))
    records = records_of(content, tmp_path)
    assert [(record.record_id, record.state) for record in records] == [(record_id(number), GOOD) for number in range(4)]
    assert records[1].raw == large[:-4]


def split_points(path: str) -> list[tuple[int, int]]:
    """Every place where a segment may begin: file offset, and offset in the decompressed file."""
    return [(frame.file_offset, frame.position) for frame in read_frames(path, 0, None, 0, LIMITS) if frame.file_offset]


def split_everywhere(path: str) -> list[list[Record]]:
    """The file in two segments, for each split point; and in as many segments as possible."""
    points = split_points(path)
    in_two = [[*read_records(path, 0, offset, 0), *read_records(path, offset, None, position)] for offset, position in points]
    edges = [(0, 0), *points, (None, 0)]
    in_many = [record for (start, position), (end, _) in pairwise(edges) for record in read_records(path, start or 0, end, position)]
    return [*in_two, in_many]


@pytest.mark.parametrize("pack", [bytes, member], ids=["plain", "gzip"])
def test_segments_of_a_damaged_file_give_the_records_of_one_pass(tmp_path: Path, pack: type[bytes]) -> None:
    records = [page_record(number) for number in range(14)]
    records[2] = warc_record(HTML_HEAD + html_page(2), page_headers(2), 500_000)  # far too long
    records[4] = warc_record(HTML_HEAD + html_page(4), page_headers(4), 100)  # too short
    records[6] = warc_record(HTML_HEAD + html_page(6), page_headers(6), len(HTML_HEAD + html_page(6)) + 300)  # into the next
    records[8] = records[8][:700]  # cut
    records[10] = b"junk\r\n" * 40
    records[12] = warc_record(b"\r\n\r\n", page_headers(12), 5)
    path = write(tmp_path / "damaged.warc", b"".join(map(pack, records)))
    whole = list(read_records(path))
    assert {record.record_id for record in whole if record.state == GOOD} == {record_id(number) for number in (0, 1, 3, 5, 7, 9, 11, 13)}
    assert len(split_points(path)) > 7
    assert all(records == whole for records in split_everywhere(path))


# --- damage ---------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(data=st.data(), layout=st.integers(0, 3))
def test_a_file_cut_anywhere_never_gives_a_cut_record_as_good(tmp_path: Path, data: st.DataObject, layout: int) -> None:
    records = [page_record(number) for number in range(4)]
    content = list(layouts(records, [1, 700, 900]))[layout][1]
    cut = data.draw(st.integers(1, len(content) - 1))
    path = write(tmp_path / "cut.warc", content[:cut])
    try:
        read = list(read_records(path))
    except InputError:
        assert cut < len(content) // 4  # not even a header is left
        return
    good = [record for record in read if record.state == GOOD]
    assert [(record.record_id, record.body) for record in good] == [(record_id(number), html_page(number)) for number in range(len(good))]
    if layout < 2:  # a border is the end of a record, or lies within the empty line behind it
        ends = list(accumulate(map(len, records if layout == 0 else map(member, records))))
        on_border = any(end - 4 <= cut <= end for end in ends) if layout == 0 else cut in ends
        assert on_border != any(record.problem in TRUNCATIONS for record in read)
        assert len(good) == sum(1 for end in ends if (end - 4 if layout == 0 else end) <= cut)


def test_a_damaged_member_that_holds_nothing_is_reported_too(tmp_path: Path) -> None:
    lost = b"\x1f\x8b\x08\xff" + bytes(30)
    records = records_of(member(page_record(1)) + lost + lost + member(page_record(2)), tmp_path)
    assert [(record.record_type, record.state) for record in records] == [("response", GOOD), ("junk", DAMAGED), ("response", GOOD)]


@pytest.mark.parametrize(
    ("difference", "state"),
    [(-1, REPAIRED), (-30, REPAIRED), (1, REPAIRED), (2, REPAIRED), (4, REPAIRED), (5, DAMAGED), (300, DAMAGED), (10**9, DAMAGED)],
)
@pytest.mark.parametrize("pack", [bytes, member], ids=["plain", "gzip"])
def test_a_wrong_length_costs_no_other_record(tmp_path: Path, difference: int, state: str, pack: type[bytes]) -> None:
    block = HTML_HEAD + html_page(2).rstrip()
    odd = warc_record(block, page_headers(2), len(block) + difference)
    records = records_of(b"".join(map(pack, [page_record(1), odd, page_record(3)])), tmp_path)
    assert [(record.record_id, record.state) for record in records] == [(record_id(1), GOOD), (record_id(2), state), (record_id(3), GOOD)]
    if state != DAMAGED:
        assert records[1].body.rstrip() == html_page(2).rstrip()
    else:
        assert records[1].problem == SHORT_RECORD or "more than the limit" in str(records[1].problem)


def test_a_record_that_ends_in_a_line_within_its_page_is_not_good(tmp_path: Path) -> None:
    """The length ends where a line of the page ends: one line end follows, but not the empty line that must."""
    block = HTML_HEAD + b"<p>One.</p>\r\n<p>Two.</p>"
    content = warc_record(block, page_headers(1), block.index(b"\r\n<p>Two")) + page_record(2)
    assert [(record.state, record.body) for record in records_of(content, tmp_path)] == [
        (REPAIRED, b"<p>One.</p>\r\n<p>Two.</p>"),
        (GOOD, html_page(2)),
    ]


def test_a_writer_killed_within_a_header_costs_one_record(tmp_path: Path) -> None:
    """At any byte; another writer went on in the same uncompressed file. In ARC from behind the address on: before it, all is URL."""
    killed, arc = page_record(2), arc_record(2)
    cases = [(killed[:size], page_record, b"") for size in range(1, killed.index(b"\r\n\r\n") + 4)]
    cases += [(arc[:size], arc_record, arc_file_header()) for size in range(arc.index(b"192.0.2.7 ") + 10, arc.index(b"\n"))]
    for left, write_record, beginning in cases:
        records = records_of(beginning + write_record(1) + left + write_record(3), tmp_path)
        good = [(record.target_uri, record.body) for record in records if record.state == GOOD and record.record_type == "response"]
        assert good == [(f"http://site{number}.example/page", html_page(number)) for number in (1, 3)], left
        assert DAMAGED in [record.state for record in records], left


def test_a_length_that_ends_by_chance_at_a_line_of_the_next_record(tmp_path: Path) -> None:
    killed, following = arc_record(2, length=len(HTML_HEAD) * 2 + 200)[:150], arc_record(3)
    length = len(killed) - killed.index(b"\n") - 1 + following.index(b"</p>\n") + 4
    content = (
        arc_file_header()
        + arc_record(1)
        + killed.replace(b" text/html %d" % (len(HTML_HEAD) * 2 + 200), b" text/html %d" % length)
        + following
    )
    records = records_of(content, tmp_path)
    assert [(record.target_uri, record.state) for record in records[1:]] == [
        ("http://site1.example/page", GOOD),
        ("http://site2.example/page", DAMAGED),
        ("http://site3.example/page", GOOD),
    ]
    assert records[3].body == html_page(3)


def test_an_empty_record_does_not_swallow_the_next_member(tmp_path: Path) -> None:
    """Its Content-Length promises five bytes, its member holds none."""
    empty = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:x:1>\r\nContent-Length: 5\r\n\r\n"
    records = records_of(member(empty) + member(page_record(2)), tmp_path)
    assert [(record.record_id, record.state) for record in records] == [("urn:x:1", DAMAGED), (record_id(2), GOOD)]


@pytest.mark.parametrize("value", ["-5", "x", "", "0x10", "1e3", "9" * 30])
@pytest.mark.parametrize("pack", [bytes, member], ids=["plain", "gzip"])
def test_an_unusable_length_costs_no_other_record(tmp_path: Path, value: str, pack: type[bytes]) -> None:
    odd = page_record(2).replace(b"Content-Length: %d" % len(HTML_HEAD + html_page(2)), f"Content-Length: {value}".encode())
    records = records_of(b"".join(map(pack, [page_record(1), odd, page_record(3)])), tmp_path)
    assert [(record.record_id, record.state) for record in records] == [(record_id(1), GOOD), (record_id(2), DAMAGED), (record_id(3), GOOD)]


def test_junk_is_reported_and_passed_over(tmp_path: Path) -> None:
    records = records_of(page_record(1) + b"no record at all\r\n" * 3 + page_record(2), tmp_path)
    assert [(record.record_type, record.state) for record in records] == [("response", GOOD), ("junk", DAMAGED), ("response", GOOD)]
    assert records[1].problem == "bytes that are no record"
    assert records[1].raw == b"no record at all\r\n" * 3


# --- budgets --------------------------------------------------------------------------------------


def test_a_header_over_the_limit(tmp_path: Path) -> None:
    wide = page_record(2, X_Filler="x" * 10_000_000)
    records = records_of(page_record(1) + wide + page_record(3), tmp_path)
    assert [(record.record_id, record.state) for record in records] == [(record_id(1), GOOD), (record_id(2), DAMAGED), (record_id(3), GOOD)]
    assert records[1].problem == "the header is longer than 65536 bytes"
    assert len(records[1].headers["x-filler"]) < 65536


def test_a_header_as_long_as_the_limit_is_fine(tmp_path: Path) -> None:
    record = page_record(1, X_Filler="x" * 100)
    header_bytes = record.index(b"\r\n\r\n") + 4
    assert records_of(record, tmp_path, header_bytes=header_bytes)[0].state == GOOD
    assert records_of(record, tmp_path, header_bytes=header_bytes - 1)[0].state == DAMAGED


@pytest.mark.parametrize("pack", [bytes, member], ids=["plain", "gzip"])
@pytest.mark.parametrize("tail", [b"\r\n\r\n", b" " * 40 + b"\r\n\r\n"])
def test_a_record_over_the_limit_is_passed_over(tmp_path: Path, pack: type[bytes], tail: bytes) -> None:
    large = page_record(2, b"x" * 3_000_000)[:-4] + tail
    records = records_of(b"".join(map(pack, [page_record(1), large, page_record(3)])), tmp_path, decompressed_bytes=1 << 20)
    assert [(record.record_id, record.state) for record in records if record.record_type != "junk"] == [
        (record_id(1), GOOD),
        (record_id(2), DAMAGED),
        (record_id(3), GOOD),
    ]
    assert "more than the limit of 1048576" in str(records[1].problem)
    assert len(records[1].raw) < 1000


MEMORY_PROGRAM = """
import sys
from pathlib import Path
from curation.sources.warc import read_records
states = [record.state for record in read_records(sys.argv[1])]
print(states.count("good"), Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def zeros_member(head: bytes, mebibytes: int) -> bytes:
    """A gzip member of ``head`` and zeros; one flushed deflate block (RFC 1951) of a MiB is repeated."""
    compressor = zlib.compressobj(wbits=-15)
    beginning = compressor.compress(head) + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(head)
    for _ in range(mebibytes):
        checksum = zlib.crc32(bytes(1 << 20), checksum)
    trailer = struct.pack("<II", checksum, (len(head) + (mebibytes << 20)) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + beginning + block * mebibytes + compressor.flush() + trailer


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process's memory is read from /proc")
def test_memory_stays_bounded_on_bombs_and_on_a_huge_length(tmp_path: Path) -> None:
    """A GiB of zeros in a member, with and without a record, and a claim of 10^17 bytes cost less than 256 MiB, interpreter included."""
    bomb = zeros_member(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 1073741824\r\n\r\n", 1024)
    assert zlib.decompressobj(wbits=31).decompress(zeros_member(b"head", 2)) == b"head" + bytes(2 << 20)
    huge = member(warc_record(HTML_HEAD, page_headers(1), 10**17))
    junk = zeros_member(b"junk", 300)
    path = write(tmp_path / "bomb.warc.gz", member(page_record(2)) + bomb + huge + junk + member(page_record(3)))
    assert peak_kilobytes(path, 2) < 256 * 1024


def peak_kilobytes(path: str, expected_good: int) -> int:
    """Peak memory of a process that reads all records of a file."""
    result = subprocess.run([sys.executable, "-c", MEMORY_PROGRAM, path], capture_output=True, text=True, check=True)
    good, kilobytes = map(int, result.stdout.split())
    assert good == expected_good
    return kilobytes


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process's memory is read from /proc")
@pytest.mark.parametrize("layout", ["member", "one member", "plain", "zstd", "lz4", "bzip2"])
def test_memory_does_not_grow_with_the_number_of_records(tmp_path: Path, layout: str) -> None:
    peaks = {}
    for count in (1_000, 100_000):
        records = (page_record(number, b"<p>page %d</p>" % number) for number in range(count))
        path = tmp_path / f"{count}.warc"
        with gzip.open(path, "wb", 1) if layout == "one member" else open(path, "wb") as stream:
            for record in records:
                stream.write(COMPRESSIONS.get(layout, member if layout == "member" else bytes)(record))
        peaks[count] = peak_kilobytes(str(path), count)
    assert peaks[100_000] - peaks[1_000] < 64 * 1024  # a quarter of the 256 MiB that are allowed


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process's memory is read from /proc")
@pytest.mark.parametrize("layout", ["member", "one member"])
def test_memory_does_not_grow_with_the_size_of_a_file(tmp_path: Path, layout: str) -> None:
    """Five gigabytes of records, some ten megabytes on the disk."""
    record = page_record(1, html_page(1) * 400)
    count = 5_000_000_000 // len(record)
    path = tmp_path / "large.warc.gz"
    with gzip.open(path, "wb", 1) if layout == "one member" else open(path, "wb") as stream:
        packed = record if layout == "one member" else member(record)
        for _ in range(count):
            stream.write(packed)
    small = write(tmp_path / "small.warc.gz", b"".join(member(page_record(number)) for number in range(1_000)))
    assert peak_kilobytes(str(path), count) - peak_kilobytes(small, 1_000) < 64 * 1024


NOISE = [b"WARC/1.0\r\n", b"\r\n", b"\r\n\r\n", b"Content-Length: 3\r\n", b"abc", b"\0", b"WARC", b"\x1f\x8b\x08"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.lists(st.sampled_from(NOISE), max_size=30))
@pytest.mark.parametrize("pack", [bytes, member], ids=["plain", "gzip"])
def test_no_noise_breaks_the_reader(tmp_path: Path, noise: list[bytes], pack: type[bytes]) -> None:
    """Whatever stands before it, a sound record behind an empty line is found."""
    path = write(tmp_path / "noise.warc", pack(b"\r\n" + b"".join(noise) + b"\r\n\r\n" + page_record(7)))
    records = list(read_records(path))
    assert records[-1].body.endswith(html_page(7))
    assert TRUNCATED_RECORD not in [record.problem for record in records]
