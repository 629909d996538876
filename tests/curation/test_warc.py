"""Records: fields, states, digests and bodies; against warcio and the hostile files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from curation.errors import InputError
from curation.sources.warc import DAMAGED, GOOD, REPAIRED, read_records
from tests.curation.warc_samples import (
    HTML_HEAD,
    html_page,
    member,
    page_headers,
    page_record,
    record_id,
    records_of,
    warc_record,
)
from tests.shared_data import shared

HOSTILE_SEEDS = range(1, 5)


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


def test_a_record_without_page_has_its_block_as_body(tmp_path: Path) -> None:
    content = warc_record(b"text of a page", page_headers(1, "conversion")) + warc_record(b"", page_headers(2, "metadata"))
    assert [(record.record_type, record.body) for record in records_of(content, tmp_path)] == [
        ("conversion", b"text of a page"),
        ("metadata", b""),
    ]


def test_one_damaged_member_costs_one_record(tmp_path: Path) -> None:
    members = [bytearray(member(page_record(number))) for number in range(5)]
    members[2][-6] ^= 1
    records = records_of(b"".join(members), tmp_path)
    assert [(record.record_id, record.state) for record in records] == [
        (record_id(number), DAMAGED if number == 2 else GOOD) for number in range(5)
    ]
    assert records[2].problem == "damaged gzip member (incorrect data check)"
    assert records[2].raw == page_record(2)[:-4]


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


@pytest.mark.parametrize("matches", [True, False])
@pytest.mark.parametrize("form", ["stored", "without chunks", "decoded", "block"])
def test_payload_digests_of_every_form(tmp_path: Path, form: str, matches: bool) -> None:
    """A gzip body in two chunks; which of its forms the digest is of is the writer's choice."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    coded = member(html_page(1))
    stored = b"64\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (coded[:100], len(coded) - 100, coded[100:])
    forms = {"stored": stored, "without chunks": coded, "decoded": html_page(1), "block": head + stored}
    digest = hashlib.sha1(forms[form] + (b"" if matches else b"x")).hexdigest()
    (record,) = records_of(page_record(1, stored, head, WARC_Payload_Digest=f"sha1:{digest}"), tmp_path)
    assert (record.body, record.state) == (html_page(1), GOOD if matches else DAMAGED)


def test_a_payload_digest_that_does_not_match_where_the_block_digest_does(tmp_path: Path) -> None:
    block = HTML_HEAD + html_page(1)
    digests = {"WARC-Block-Digest": f"md5:{hashlib.md5(block).hexdigest()}", "WARC-Payload-Digest": f"md5:{'0' * 32}"}
    (record,) = records_of(warc_record(block, {**page_headers(1), **digests}), tmp_path)
    assert (record.state, record.body) == (REPAIRED, html_page(1))
    assert "though the block matches its own" in str(record.problem)


def test_the_payload_digest_of_a_revisit_is_that_of_another_record(tmp_path: Path) -> None:
    headers = {**page_headers(1, "revisit"), "WARC-Payload-Digest": f"md5:{'0' * 32}", "WARC-Truncated": "length"}
    assert records_of(warc_record(b"HTTP/1.1 200 OK\r\n\r\n", headers), tmp_path)[0].state == GOOD


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("WARC_Truncated", "length", "cut the record short"),
        ("WARC_Segment_Number", "1", "one of several segments"),
        ("WARC_Type", "", "no WARC-Type"),
    ],
)
def test_what_says_itself_that_it_is_not_whole_is_not_good(tmp_path: Path, field: str, value: str, problem: str) -> None:
    (record,) = records_of(page_record(1, **{field: value}), tmp_path)
    assert record.state == REPAIRED and problem in str(record.problem)


@pytest.mark.parametrize(
    ("fields", "body", "state"),
    [
        (b"Content-Length: 900\r\n", b"<html><p>Cut sho", REPAIRED),  # as Common Crawl's of 2008, cut at 128 KiB
        (b"Content-Length: 900\r\n", b"<html><p>Whole.</p></html>\n", GOOD),
        (b"Content-Length: 900\r\n", b"", GOOD),
        (b"Content-Length: 900\r\nContent-Encoding: gzip\r\n", b"<html><p>Stored deco", GOOD),
        (b"Content-Length: 5\r\n", b"<html><p>More than said", GOOD),
    ],
)
def test_a_body_shorter_than_its_own_content_length(tmp_path: Path, fields: bytes, body: bytes, state: str) -> None:
    (record,) = records_of(page_record(1, body, b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"), tmp_path)
    assert (record.body, record.state) == (body, state)


def test_two_lengths_that_differ(tmp_path: Path) -> None:
    """The block that really is there tells which one is true; none of it is plainly good."""
    block = HTML_HEAD + html_page(1)
    content = warc_record(block, {**page_headers(1), "content-length": str(len(block) + 7)}) + page_record(2)
    assert [(record.state, record.body) for record in records_of(content, tmp_path)] == [(REPAIRED, html_page(1)), (GOOD, html_page(2))]


def test_a_body_over_the_limit_is_cut_and_flagged(tmp_path: Path) -> None:
    (record,) = records_of(page_record(1, b"0123456789"), tmp_path, body_bytes=4)
    assert (record.body, record.state, record.body_truncated) == (b"0123", REPAIRED, True)
    (record,) = records_of(page_record(1, b"0123456789"), tmp_path, body_bytes=10)
    assert (record.body, record.state, record.body_truncated) == (b"0123456789", GOOD, False)


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


# Files that warcio cannot read, or not to their end, or reads wrongly: records and damaged ones, counted by hand with an editor
# and the format's own decompressor, as the table that comes with the files has them.
ODD_FILES = {
    "commoncrawl/cc-2008-1213893279526_0.arc": (146, 0),
    "commoncrawl/cc-main-2020-34.warc.lz4": (50, 0),
    "commoncrawl/wet/filter_test_1.wet.gz": (26, 0),
    "commoncrawl/wet/appended_zip_fragment_unexpected_eof.wet.gz": (17, 1),
    "odd/gzip/corrupted-mid-record.warc.gz.open": (12, 0),
    "odd/gzip/corrupted-trailing-bytes.warc.gz.open": (30, 0),
    "odd/gzip/good.warc.gz.open": (50, 0),
    "odd/gzip/one-member.warc.gz": (10, 0),
    "odd/gzip/one-stream.warc.bz2": (10, 0),
    "odd/size/block-sized-records.warc.lz4": (3, 0),
    "odd/gzip/truncated-last-member.warc.gz": (3, 1),
    "odd/arc/negative_content_length.arc.gz": (4, 1),
    "other/blackbook.arc.gz": (300, 0),
    "other/blackbook.warc.gz": (822, 0),
    "other/jwat-svc.arc": (102, 0),
}


@pytest.mark.parametrize("name", ODD_FILES)
def test_how_many_records_odd_files_hold(name: str) -> None:
    records = [record for record in read_records(str(shared("data", "warc", *name.split("/")))) if record.record_type != "junk"]
    assert (len(records), sum(record.state == DAMAGED for record in records)) == ODD_FILES[name]


@pytest.mark.parametrize("name", ["other/blackbook.arc.gz", "other/jwat-svc.arc", "other/pywb-example.arc.gz", "other/jwat-small-bnf.arc"])
def test_arc_files_as_warcio_reads_them(name: str) -> None:
    """Addresses, dates and bodies as stored."""
    path = shared("data", "warc", *name.split("/"))
    ours = [record for record in read_records(str(path)) if record.record_type == "response"]
    with open(path, "rb") as stream:
        theirs = [
            (record.rec_headers.get_header("uri"), record.rec_headers.get_header("archive-date"), record.raw_stream.read())
            for record in ArchiveIterator(stream, no_record_parse=True)
            if record.rec_headers.get_header("uri").startswith("http")
        ]
    digits = [re.sub(r"\D", "", record.date or "") for record in ours]
    assert [(record.target_uri, date, record.block) for record, date in zip(ours, digits, strict=True)] == theirs


CC_ARC = "commoncrawl/cc-2008-1213893279526_0.arc"


def test_old_common_crawl_arc_files_whose_headers_lie() -> None:
    """Their headers claim gzip and chunks, their bodies have neither: every HTML body but one empty page reads as markup."""
    pages = [record for record in read_records(str(shared("data", "warc", *CC_ARC.split("/")))) if record.record_type == "response"]
    claims = [record for record in pages if any("chunked" in value or "gzip" in value for _, value in record.http_headers)]
    html = [record for record in claims if ("Content-Type", "text/html") in [(name, value[:9]) for name, value in record.http_headers]]
    assert len(pages) == 145 and len(html) > 40
    assert {record.state for record in html} == {GOOD}
    assert sum(b"<" not in record.body for record in html) == 1


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Truth lines of the hostile files, each with the records that came back."""
    program, lines = shared("tools", "hostile_warcs.py"), []
    for seed in HOSTILE_SEEDS:
        folder = tmp_path_factory.mktemp("hostile")
        subprocess.run([sys.executable, str(program), str(folder), "--seed", str(seed)], check=True, capture_output=True)
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
    for truth in hostile:
        good = came_back_good(truth)
        assert [name for name, digest in truth["sha256"].items() if digest not in good.get(name, [])] == [], truth["file"]


def test_no_hostile_file_is_passed_over_in_silence(hostile: list[dict[str, Any]]) -> None:
    for truth in hostile:
        flagged = any(record.state != GOOD for record in truth["records"])
        assert truth["error"] or flagged or not truth["must_report"], truth["file"]
