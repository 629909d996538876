"""Openings of records and the fields of ARC header lines; lines as real files have them, fields read off by hand."""

from __future__ import annotations

import pytest

from curation.sources.grammars import (
    ARC,
    WARC,
    arc_date,
    begins_record,
    cut_header,
    declared_lengths,
    find_record,
    record_headers,
    separator,
)


@pytest.mark.parametrize(
    ("line", "url", "date", "media_type", "lengths"),
    [
        ("http://e.example/ 192.0.2.7 20080601123456 text/html 42", "http://e.example/", "2008-06-01T12:34:56Z", "text/html", {42}),
        (
            "http://e.example/a b  c 192.0.2.7 20080601123456 text/html 42",
            "http://e.example/a b  c",
            "2008-06-01T12:34:56Z",
            "text/html",
            {42},
        ),
        ("http://e.example/a\rb None 2016020900 text/xml 7", "http://e.example/a\rb", "2016-02-09T00:00:00Z", "text/xml", {7}),
        ("http://e.example/ 0.0.0.0 20160211000000jpg no-type 1", "http://e.example/", "2016-02-11T00:00:00Z", "no-type", {1}),
        ("http://e.example/ 192.0.2.7 20110804181142  39", "http://e.example/", "2011-08-04T18:11:42Z", None, {39}),
        (
            "http://e.example/ 192.0.2.7 20000824015105 text/html; Charset=latin1 9",
            "http://e.example/",
            "2000-08-24T01:51:05Z",
            "text/html; Charset=latin1",
            {9},
        ),
        ("http://e.example/ 20031219215023 192.0.2.7 text/plain 285", "http://e.example/", "2003-12-19T21:50:23Z", "text/plain", {285}),
        ("http://e.example/ 192.0.2.7 a0d1fdddf3165d0447b1f7a285c61c1c9 text/html 3", "http://e.example/", None, "text/html", {3}),
        ("http://e.example/ 2001:db8::7 20080601123456 text/html -5", "http://e.example/", "2008-06-01T12:34:56Z", "text/html", set()),
        ("http://e.example/ 192.0.2.7 20080601123456 text/html abc", "http://e.example/", "2008-06-01T12:34:56Z", "text/html", set()),
        (
            "http://e.example/ 127.10.100.2 19961104142103 text/html 200 fac069150613fe55599cc7fa88aa089d - 209 IA-001102.arc 202",
            "http://e.example/",
            "1996-11-04T14:21:03Z",
            "text/html 200 fac069150613fe55599cc7fa88aa089d - 209 IA-001102.arc",
            {202},
        ),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_arc_header_lines(line: str, url: str, date: str | None, media_type: str | None, lengths: set[int], line_end: bytes) -> None:
    header = line.encode() + line_end
    assert ARC.opening.match(header) and begins_record(header)
    headers = record_headers(ARC, header)
    assert (headers["warc-type"], headers["warc-target-uri"], headers.get("warc-date")) == ("response", url, date)
    assert headers.get("warc-identified-payload-type") == media_type
    assert declared_lengths(ARC, header) == lengths
    assert separator(ARC, header) == line_end


@pytest.mark.parametrize(
    ("url", "record_type"),
    [
        ("http://e.example/", "response"),
        ("HTTPS://e.example/", "response"),
        ("dns:e.example", "resource"),
        ("filedesc://a.arc", "warcinfo"),
    ],
)
def test_types_of_arc_records(url: str, record_type: str) -> None:
    assert record_headers(ARC, f"{url} 0.0.0.0 20080601123456 text/plain 3\n".encode())["warc-type"] == record_type


@pytest.mark.parametrize(
    "text",
    [
        "http://e.example/ is a page 42",
        "see http://e.example/ 192.0.2.7 20080601123456 text/html 42",
        "http://e.example/ 192.0.2.7 yesterday text/html 42",
        "WARC/1.0 is a version",
        "WARC/one\r",
    ],
)
def test_what_begins_no_record(text: str) -> None:
    assert not begins_record(text.encode() + b"\n")


def test_the_first_record_is_found_behind_junk() -> None:
    record = b"http://e.example/ 192.0.2.7 20080601123456 text/html 42\n"
    assert find_record(b"\xef\xbb\xbf\r\nWARC/1.1\r\n") == 0
    assert find_record(b"junk\n" + record) == 5
    assert find_record(b"junk " + record) is None
    assert find_record(b"junk\r\nWARC/1.0\r\n") == 6


@pytest.mark.parametrize(
    ("digits", "date"),
    [
        ("20080601123456", "2008-06-01T12:34:56Z"),
        ("200806011234", "2008-06-01T12:34:00Z"),
        ("2008060112", "2008-06-01T12:00:00Z"),
        ("20080601", "2008-06-01T00:00:00Z"),
        ("2008060112345699", "2008-06-01T12:34:56Z"),
        ("200806011234569999", "2008-06-01T12:34:56Z"),
        ("200009180023002953", "2000-09-18T00:23:00Z"),
        ("2000082305410099", "2000-08-23T05:41:00Z"),
        ("20080601126056", "2008-06-01T12:00:00Z"),
        ("201512000000000", "2015-12-01T00:00:00Z"),
        ("20080229235959", "2008-02-29T23:59:59Z"),
        ("20081301000000", None),
        ("", None),
        ("a0d1fdddf3165d04", None),
    ],
)
def test_arc_dates(digits: str, date: str | None) -> None:
    assert arc_date(digits) == date


def test_lengths_of_a_warc_header() -> None:
    def lengths(*lines: str) -> set[int]:
        return declared_lengths(WARC, ("WARC/1.0\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode())

    assert lengths("Content-Length: 5") == lengths("content-length:5", "Content-Length: 5") == lengths("Content-Length:\r\n\t 5 ") == {5}
    assert lengths("Content-Length: 5", "Content-Length: 6") == {5, 6}
    assert lengths() == lengths("Content-Length: -5") == lengths("Content-Length: 0x5") == lengths("X-Content-Length: 5") == set()


@pytest.mark.parametrize(
    ("header", "cut"),
    [
        (b"http://a.example/ 192.0.2.7 2008http://b.example/ 192.0.2.8 20080601123456 text/html 55\n", 32),
        (b"http://a.example/ 192.0.2.7 20080601123456 texhttp://b.example/ 192.0.2.8 20080601123456 text/html 55\n", 46),
        (b"http://a.example/?to=http://b.example/ 192.0.2.8 20080601123456 text/html 55\n", None),
        (b"http://a.example/ 192.0.2.7 20080601123456 text/html 302 - http://b.example/ 209 IA-001102.arc 202\n", None),
    ],
)
def test_where_an_arc_header_was_cut(header: bytes, cut: int | None) -> None:
    assert cut_header(ARC, header) == cut


def test_where_a_warc_header_was_cut() -> None:
    sound = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Filename: a WARC/1.0\r\nContent-Length: 5\r\n\r\n"
    assert cut_header(WARC, sound) is None
    assert cut_header(WARC, sound[:23] + sound) == 23
