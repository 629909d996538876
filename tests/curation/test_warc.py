"""Records: framing, damage, truncation, budgets, remote files; against hand-made bytes and warcio."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import struct
import subprocess
import sys
import threading
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.warc import (
    DAMAGED,
    GOOD,
    REPAIRED,
    SHORT_RECORD,
    TRUNCATED_RECORD,
    TRUNCATIONS,
    Record,
    read_frames,
    read_records,
)
from tests.curation.warc_samples import (
    HTML_HEAD,
    html_page,
    member,
    page_headers,
    page_record,
    record_id,
    warc_record,
    write,
)
from tests.shared_data import shared

LIMITS = CrawlLimits()
# The least share of the undamaged records of the hostile files that must come back; ARC files are no WARC files.
LEAST_UNDAMAGED = 473


def records_of(content: bytes, folder: Path, **options: int) -> list[Record]:
    return list(read_records(write(folder / "records.warc", content), limits=CrawlLimits(**options)))


def ids(records: list[Record]) -> list[str | None]:
    return [record.record_id for record in records]


# --- sound files ----------------------------------------------------------------------------------


def test_every_field_of_a_record(tmp_path: Path) -> None:
    body = html_page(1)
    (record,) = records_of(page_record(1, body), tmp_path)
    assert record.record_id == record_id(1)
    assert record.target_uri == "http://site1.example/page"
    assert record.record_type == "response"
    assert record.date == "2024-05-18T01:02:03Z"
    assert (record.offset, record.length) == (0, len(page_record(1, body)) - len(b"\r\n\r\n"))
    assert record.http_status == 200
    assert record.http_headers == [("Content-Type", "text/html; charset=utf-8")]
    assert record.body == body
    assert (record.state, record.problem, record.body_truncated, record.own_member) == (GOOD, None, False, False)
    assert record.raw == page_record(1, body)[:-4]


def test_what_warcio_writes_is_read_back(tmp_path: Path) -> None:
    """Bodies, headers, ids and dates of twelve records of four types, and where warcio put them."""
    path, written, places = tmp_path / "warcio.warc.gz", [], [0]
    with open(path, "wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for number in range(12):
            kind = ("response", "resource", "metadata", "conversion")[number % 4]
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html"), ("X-Number", str(number))], protocol="HTTP/1.1")
            payload = html_page(number)
            record = writer.create_warc_record(
                f"http://site.example/{number}", kind, payload=BytesIO(payload), http_headers=http if kind == "response" else None
            )
            writer.write_record(record)
            written.append((kind, record.rec_headers.get_header("WARC-Record-ID"), payload))
            places.append(stream.tell())
    read = list(read_records(str(path)))
    assert [(record.record_type, f"<{record.record_id}>", record.body) for record in read] == written
    assert [(record.offset, record.offset + record.length) for record in read] == list(pairwise(places))
    assert all(record.state == GOOD and record.own_member for record in read)
    assert read[0].http_headers == [("Content-Type", "text/html"), ("X-Number", "0")]


def test_offset_and_length_cut_the_record_out_of_its_file(tmp_path: Path) -> None:
    plain = b"".join(page_record(number) for number in range(3))
    for record in records_of(plain, tmp_path):
        assert plain[record.offset : record.offset + record.length] == record.raw
    packed = b"".join(member(page_record(number)) for number in range(3))
    for number, record in enumerate(records_of(packed, tmp_path)):
        assert packed[record.offset : record.offset + record.length] == member(page_record(number))


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


def test_a_page_that_quotes_records_is_one_record(tmp_path: Path) -> None:
    body = b"<pre>\r\n\r\n" + page_record(99) + member(page_record(98)) + b"</pre>"
    content = page_record(1, body) + page_record(2)
    assert ids(records_of(content, tmp_path)) == [record_id(1), record_id(2)]
    assert records_of(content, tmp_path)[0].body == body


def test_a_record_without_page_has_its_block_as_body(tmp_path: Path) -> None:
    content = warc_record(b"text of a page", page_headers(1, "conversion")) + warc_record(b"", page_headers(2, "metadata"))
    assert [(record.record_type, record.body) for record in records_of(content, tmp_path)] == [
        ("conversion", b"text of a page"),
        ("metadata", b""),
    ]


# --- layout of gzip members, and segments ---------------------------------------------------------


def layouts(records: list[bytes], sizes: list[int]) -> Iterator[tuple[str, bytes]]:
    """The same records plain, a member each, several a member, and in members cut anywhere."""
    content = b"".join(records)
    yield "plain", content
    yield "a member each", b"".join(map(member, records))
    groups = list(accumulate(size % 4 + 1 for size in sizes))
    yield "several a member", b"".join(member(b"".join(records[start:end])) for start, end in pairwise([0, *groups])) + member(
        b"".join(records[groups[-1] :] if groups else records)
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


def test_one_damaged_member_costs_one_record(tmp_path: Path) -> None:
    members = [bytearray(member(page_record(number))) for number in range(5)]
    members[2][-6] ^= 1
    records = records_of(b"".join(members), tmp_path)
    assert [(record.record_id, record.state) for record in records] == [
        (record_id(number), DAMAGED if number == 2 else GOOD) for number in range(5)
    ]
    assert records[2].problem == "damaged gzip member (incorrect data check)"
    assert records[2].raw == page_record(2)[:-4]


def test_a_damaged_member_that_holds_nothing_is_reported_too(tmp_path: Path) -> None:
    lost = b"\x1f\x8b\x08\xff" + bytes(30)
    records = records_of(member(page_record(1)) + lost + lost + member(page_record(2)), tmp_path)
    assert [(record.record_type, record.state) for record in records] == [("response", GOOD), ("junk", DAMAGED), ("response", GOOD)]


def test_no_record_of_a_large_damaged_member_is_good(tmp_path: Path) -> None:
    """Only the checksum at the end of the member tells; the record before must not slip through."""
    raw = bytearray(member(page_record(1) + page_record(2, b"x" + html_page(2) * 8000)))
    raw[-6] ^= 1
    assert {record.state for record in records_of(bytes(raw), tmp_path)} == {DAMAGED}


def test_a_block_digest_proves_a_record_of_a_damaged_member(tmp_path: Path) -> None:
    block = HTML_HEAD + html_page(1)
    digest = base64.b32encode(hashlib.sha1(block).digest()).decode()
    raw = bytearray(member(warc_record(block, {**page_headers(1), "WARC-Block-Digest": f"sha1:{digest}"})))
    raw[-6] ^= 1
    (record,) = records_of(bytes(raw), tmp_path)
    assert (record.state, record.body) == (REPAIRED, html_page(1))


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5", "SHA-1"])
@pytest.mark.parametrize("spelling", ["base32", "hex", "base64"])
def test_block_digests_in_the_spellings_of_the_wild(tmp_path: Path, algorithm: str, spelling: str) -> None:
    block = HTML_HEAD + html_page(1)
    digest = hashlib.new(algorithm.lower().replace("-", ""), block).digest()
    text = {"base32": base64.b32encode(digest).decode(), "hex": digest.hex(), "base64": base64.b64encode(digest).decode()}[spelling]
    for lied, state in ((block, GOOD), (block.replace(b"quiet", b"queit"), DAMAGED)):
        (record,) = records_of(warc_record(lied, {**page_headers(1), "WARC-Block-Digest": f"{algorithm}:{text}"}), tmp_path)
        assert record.state == state


def test_digests_of_other_kinds_prove_nothing(tmp_path: Path) -> None:
    for value in ("crc32:00000000", "abcdef", ""):
        assert records_of(page_record(1, WARC_Block_Digest=value), tmp_path)[0].state == GOOD


# A length one too large takes the line end behind the block for a byte of it, and nothing tells.
@pytest.mark.parametrize(
    ("difference", "state"), [(-1, REPAIRED), (-30, REPAIRED), (2, GOOD), (5, DAMAGED), (300, DAMAGED), (10**9, DAMAGED)]
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


def test_a_body_over_the_limit_is_cut_and_flagged(tmp_path: Path) -> None:
    (record,) = records_of(page_record(1, b"0123456789"), tmp_path, body_bytes=4)
    assert (record.body, record.state, record.body_truncated) == (b"0123", REPAIRED, True)
    (record,) = records_of(page_record(1, b"0123456789"), tmp_path, body_bytes=10)
    assert (record.body, record.state, record.body_truncated) == (b"0123456789", GOOD, False)


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
    result = subprocess.run([sys.executable, "-c", MEMORY_PROGRAM, path], capture_output=True, text=True, check=True)
    good, kilobytes = map(int, result.stdout.split())
    assert good == 2
    assert kilobytes < 256 * 1024


# --- files that are none, and files elsewhere ------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\r\n\r\n", "is empty|is no WARC file"),
        (b"<?xml version='1.0'?><Error>SlowDown</Error>", r"is no WARC file: it begins with \"<\?xml version"),
        (member(b"text"), "is no WARC file: it begins with 'text'"),
        (b"\x1f\x8b\x08garbage", "no readable gzip member"),
        (b"BZh91AY&SY", "is no WARC file"),
        (bytes(5000), "is no WARC file"),
    ],
)
def test_files_that_are_no_warc_files(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        records_of(content, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_records(str(tmp_path / "absent.warc.gz")))


CONTENT = b"".join(member(page_record(number)) for number in range(30))


def test_files_in_an_fsspec_filesystem() -> None:
    name = f"memory://{uuid.uuid4()}/pages.warc.gz"
    with fsspec.open(name, "wb") as stream:
        stream.write(CONTENT)
    assert ids(list(read_records(name))) == [record_id(number) for number in range(30)]
    with pytest.raises(InputError, match="no such file"):
        list(read_records("memory://absent.warc.gz"))


class RangeServer(http.server.BaseHTTPRequestHandler):
    """Serves ``CONTENT``, whole or in ranges (RFC 9110, section 14)."""

    ranges = 0

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        if self.path == "/absent.warc.gz":
            self.send_error(404)
            return
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, end = (int(match[1]), int(match[2] or len(CONTENT) - 1) + 1) if match else (0, len(CONTENT))
        part = CONTENT[start:end]
        RangeServer.ranges += bool(match)
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(CONTENT)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if with_body:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeServer)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_files_on_a_web_server(server: str) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http addresses through aiohttp")
    url = f"{server}/pages.warc.gz"
    assert ids(list(read_records(url))) == [record_id(number) for number in range(30)]
    frames = list(read_frames(url, 0, None, 0, LIMITS))
    middle = frames[15]
    assert ids(list(read_records(url, middle.file_offset or 0, None, middle.position))) == [record_id(number) for number in range(15, 30)]
    assert RangeServer.ranges > 0


def test_a_file_that_a_web_server_does_not_have(server: str) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http addresses through aiohttp")
    with pytest.raises(InputError, match="absent"):
        list(read_records(f"{server}/absent.warc.gz"))


# --- against warcio and the hostile files ----------------------------------------------------------

GOOD_FILES = [
    "commoncrawl/cc-main-2020-34.warc",
    "commoncrawl/cc-main-2020-34.warc.gz",
    "commoncrawl/whirlwind.warc.gz",
    "commoncrawl/whirlwind.warc.wet.gz",
    "other/company-sites.warc.gz",
    "other/dolma-sample-0001.warc.gz",
    "other/govuk-2-revisits.warc.gz",
    "other/iipc-hello-world.warc.gz",
    "other/ipwb-baconIpsum_chunked.warc",
    "other/pywb-example-wpull.warc.gz",
    "odd/http/transfer_brotli.warc.gz",
    "odd/http/transfer_gzip.warc",
]


@pytest.mark.parametrize("name", GOOD_FILES)
def test_the_same_records_as_warcio(name: str) -> None:
    """Types, ids, blocks of all records, and decoded bodies of the HTML responses."""
    path = shared("data", "warc", *name.split("/"))
    ours = list(read_records(str(path)))
    with open(path, "rb") as stream:
        theirs = [
            (record.rec_type, (record.rec_headers.get_header("WARC-Record-ID") or "").strip("<>"), record.raw_stream.read())
            for record in ArchiveIterator(stream, no_record_parse=True)
        ]
    assert [(record.record_type, record.record_id or "", record.raw.partition(b"\r\n\r\n")[2]) for record in ours] == theirs
    bodies = {record.record_id: record.body for record in ours if record.record_type == "response"}
    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream):
            if record.rec_type == "response" and record.http_headers and "html" in (record.http_headers.get_header("Content-Type") or ""):
                if (record.http_headers.get_header("Content-Encoding") or "") == "br":
                    continue  # warcio cannot decode it with today's brotli
                name = record.rec_headers.get_header("WARC-Record-ID").strip("<>")
                assert bodies[name] == record.content_stream().read()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Truth lines of the hostile files, each with the records that came back."""
    folder = tmp_path_factory.mktemp("hostile")
    subprocess.run([sys.executable, str(shared("tools", "hostile_warcs.py")), str(folder)], check=True, capture_output=True)
    lines = []
    for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        truth = json.loads(line)
        try:
            records = list(read_records(str(folder / truth["file"])))
            truth.update(records=records, error=None)
        except InputError as error:
            truth.update(records=[], error=str(error))
        lines.append(truth)
    return lines


def came_back_good(truth: dict[str, Any]) -> dict[str, list[str]]:
    """Name to sha256 of each body that came back as good."""
    good: dict[str, list[str]] = {}
    for record in truth["records"]:
        name = record.record_id if truth["key"] == "id" else record.target_uri
        if record.state == GOOD:
            good.setdefault(name, []).append(hashlib.sha256(record.body).hexdigest())
    return good


def test_hostile_files_give_no_damaged_record_as_good(hostile: list[dict[str, Any]]) -> None:
    for truth in hostile:
        good = came_back_good(truth)
        assert not good.keys() & set(truth["damaged"]), truth["file"]
        assert not good.keys() & set(truth["forbidden"]), truth["file"]
        for name, bodies in truth["lenient"].items():
            assert set(good.get(name, [])) <= set(bodies), truth["file"]
        copies = truth["copies"]
        assert all(len(bodies) <= copies.get(name, 1) for name, bodies in good.items()), truth["file"]


def test_hostile_files_give_their_undamaged_records(hostile: list[dict[str, Any]]) -> None:
    right: Counter[str] = Counter()
    for truth in hostile:
        good = came_back_good(truth)
        right[str(truth["file"])] = sum(1 for name, digest in truth["sha256"].items() if digest in good.get(name, []))
    assert right.total() >= LEAST_UNDAMAGED


def test_no_hostile_file_is_passed_over_in_silence(hostile: list[dict[str, Any]]) -> None:
    for truth in hostile:
        flagged = any(record.state != GOOD for record in truth["records"])
        assert truth["error"] or flagged or not truth["must_report"], truth["file"]


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
