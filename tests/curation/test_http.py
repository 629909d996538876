"""Archived HTTP responses: heads as servers send them, chunks, content codings, and what is stored under a wrong header."""

from __future__ import annotations

import gzip
import random
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.http import HttpResponse, declared_charset, media_type, parse_headers, parse_response

LIMIT = 1 << 20
TEXT = "".join(f"<p>Line {number} of a page – with a dash.</p>\n" for number in range(200)).encode()
NOISE = random.Random(1).randbytes(5000)


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(content) + compressor.flush()


CODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def response(body: bytes, *fields: str, status: str = "HTTP/1.1 200 OK", limit: int = LIMIT) -> HttpResponse:
    return parse_response("\r\n".join([status, *fields, "", ""]).encode() + body, limit)


def chunked(body: bytes, sizes: list[int], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """RFC 9112, section 7.1."""
    out, place, turn = b"", 0, 0
    while place < len(body):
        part = body[place : place + sizes[turn % len(sizes)]]
        out += b"%x%s\r\n%s\r\n" % (len(part), extension, part)
        place, turn = place + len(part), turn + 1
    return out + b"0\r\n" + trailer + b"\r\n"


# --- the head -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.0 404 Not Found", 404),
        ("HTTP/2 200", 200),
        ("HTTP/2.0 301 ", 301),
        ("http/1.1 200 ok", 200),
        ("HTTP 200 OK", 200),
        ("ICY 200 OK", 200),
        ("HTTP/1.1 OK 200", 200),
        ("\r\nHTTP/1.1 200 OK", 200),
        ("HTTP/1.1 0 ", None),
        ("HTTP/1.1 2000 OK", None),
        ("HTTP/1.1 OK", None),
    ],
)
def test_status_lines(line: str, status: int | None) -> None:
    parsed = response(TEXT, "Content-Type: text/html", status=line)
    assert (parsed.status, parsed.body, parsed.problem) == (status, TEXT, None)
    assert parsed.header("content-type") == "text/html"


def test_a_block_without_status_line_is_a_body_with_a_problem() -> None:
    assert parse_response(TEXT, LIMIT) == HttpResponse(None, [], TEXT, "no HTTP status line")
    assert parse_response(TEXT, 10) == HttpResponse(None, [], TEXT[:10], "no HTTP status line", truncated=True)
    assert parse_response(b"", LIMIT).problem == "no HTTP status line"


@pytest.mark.parametrize("head", [b"", b"\r\nContent-Type: text/html\r\n", b"\r\n" + b"X: y\r\n" * 99_999 + b"\r\nbody"])
def test_a_head_without_end(head: bytes) -> None:
    parsed = parse_response(b"HTTP/1.1 200 OK" + head, LIMIT)
    assert (parsed.status, parsed.body, parsed.problem) == (200, b"", "the HTTP header does not end")


def test_interim_responses_stand_before_the_final_one() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    assert parse_response(interim + final + TEXT, LIMIT) == parse_response(final + TEXT, LIMIT)
    assert parse_response(interim + TEXT, LIMIT) == HttpResponse(103, [("Link", "</a>")], TEXT)


def test_headers_keep_order_case_and_repetition() -> None:
    raw = (
        b"Content-Type:text/html\r\nX-Odd :  two  spaces \r\nno colon here\r\n: no name\r\n"
        b"X-Long: one\r\n\ttwo\r\n three\nX-Odd: again\r\nX-Bytes: \xff"
    )
    assert parse_headers(raw) == [
        ("Content-Type", "text/html"),
        ("X-Odd", "two  spaces"),
        ("X-Long", "one two three"),
        ("X-Odd", "again"),
        ("X-Bytes", "\N{REPLACEMENT CHARACTER}"),
    ]
    assert parse_headers(b"") == []
    assert parse_headers(b" folded into nothing") == []


@pytest.mark.parametrize(
    ("value", "media", "charset"),
    [
        ("text/html", "text/html", None),
        ("Text/HTML; Charset=UTF-8", "text/html", "UTF-8"),
        (' text/html ;charset="windows-1251"', "text/html", "windows-1251"),
        ("text/html; charset='koi8-r'; q=1", "text/html", "koi8-r"),
        ("application/xhtml+xml;profile=x;charset = utf-8", "application/xhtml+xml", "utf-8"),
        ("charset=utf-8", None, "utf-8"),
        ("text/html; charset=", "text/html", None),
        ("%60Y%", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_content_types(value: str | None, media: str | None, charset: str | None) -> None:
    assert media_type(value) == media
    assert declared_charset(value) == charset


# --- transfer coding ------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=2000), st.lists(st.integers(1, 500), min_size=1, max_size=4))
def test_chunks_are_joined(body: bytes, sizes: list[int]) -> None:
    parsed = response(chunked(body, sizes), "Transfer-Encoding: chunked")
    assert (parsed.body, parsed.problem) == (body, None)


def test_chunk_extensions_trailers_and_line_feeds() -> None:
    assert response(chunked(TEXT, [100], b';name="v"', b"X-Checked: yes\r\n"), "transfer-encoding: Chunked").body == TEXT
    assert response(b"3\nabc\n2\nde\n0\n\n", "Transfer-Encoding: chunked").body == b"abcde"
    assert response(b"0\r\n\r\n", "Transfer-Encoding: chunked") == HttpResponse(200, [("Transfer-Encoding", "chunked")], b"")


def test_what_follows_the_last_chunk_is_never_lost_in_silence() -> None:
    for wire, body in ((b"0\r\n" + TEXT, b"0\r\n" + TEXT), (chunked(TEXT, [50]) + b"5\r\nabcde\r\n0\r\n\r\n", TEXT)):
        parsed = response(wire, "Transfer-Encoding: chunked")
        assert (parsed.body, parsed.problem) == (body, "bytes follow the last chunk")


def test_a_page_that_was_stored_decoded_is_as_it_is() -> None:
    assert response(TEXT, "Transfer-Encoding: chunked").body == TEXT


@pytest.mark.parametrize(
    ("wire", "body", "problem"),
    [
        (b"5\r\nabcde\r\n", b"abcde", "the chunked body ends without its last chunk"),
        (b"5\r\nabc", b"abc", "the chunked body ends in the middle of a chunk"),
        (b"3\r\nabc\r\nxyz\r\n0\r\n\r\n", b"abc", "broken chunk size"),
        (b"fffffffffffffff\r\nabc", b"abc", "the chunked body ends in the middle of a chunk"),
    ],
)
def test_broken_chunks_are_a_problem(wire: bytes, body: bytes, problem: str) -> None:
    parsed = response(wire, "Transfer-Encoding: chunked")
    assert (parsed.body, parsed.problem) == (body, problem)


# --- content coding -------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("body", [TEXT, NOISE, b"x"], ids=["text", "noise", "one byte"])
def test_content_codings_are_undone(coding: str, body: bytes) -> None:
    parsed = response(CODERS[coding](body), f"Content-Encoding: {coding}")
    assert (parsed.body, parsed.problem, parsed.truncated) == (body, None, False)


def test_several_codings_are_undone_from_the_last_to_the_first() -> None:
    coded = gzip.compress(brotli.compress(TEXT))
    assert response(coded, "Content-Encoding: br, GZIP").body == TEXT
    assert response(chunked(coded, [300, 50]), "Content-Encoding: br, gzip", "Transfer-Encoding: chunked").body == TEXT


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members_and_frames_in_a_row_are_one_body(coding: str) -> None:
    coded = CODERS[coding](TEXT) + CODERS[coding](b"more")
    assert response(coded, f"Content-Encoding: {coding}").body == TEXT + b"more"


@pytest.mark.parametrize("coding", [*CODERS, "identity", "none", "utf-8", "aws-chunked"])
@pytest.mark.parametrize("body", [TEXT, b"plain text", "<html><p>Привет, мир".encode("cp1251")], ids=["utf-8", "short", "windows-1251"])
def test_text_that_was_stored_decoded_is_as_it_is(coding: str, body: bytes) -> None:
    parsed = response(body, f"Content-Encoding: {coding}")
    assert (parsed.body, parsed.problem) == (body, None)


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
def test_a_coded_body_cut_short_is_a_problem(coding: str, share: float) -> None:
    coded = CODERS[coding](TEXT + NOISE)
    parsed = response(coded[: int(len(coded) * share)], f"Content-Encoding: {coding}")
    assert parsed.problem
    assert (TEXT + NOISE).startswith(parsed.body)


@pytest.mark.parametrize("coding", CODERS)
@given(st.data())
def test_a_damaged_coded_body_is_never_plainly_good(coding: str, data: st.DataObject) -> None:
    """Damage that a checksum would show is reported; brotli and raw deflate have none, so there only noise can be."""
    coded = bytearray(CODERS[coding](NOISE))
    place = data.draw(st.integers(4, len(coded) - 1))
    coded[place] ^= data.draw(st.integers(1, 255))
    parsed = response(bytes(coded), f"Content-Encoding: {coding}")
    if coding in ("x-gzip", "gzip", "deflate") and place >= 10:
        assert parsed.problem
    assert parsed.body != bytes(coded) or parsed.problem


@pytest.mark.parametrize("coding", CODERS)
def test_noise_under_a_coding_is_a_problem(coding: str) -> None:
    assert response(NOISE, f"Content-Encoding: {coding}").problem


@pytest.mark.parametrize("coding", CODERS)
def test_bodies_stop_at_the_limit(coding: str) -> None:
    for size, truncated in ((999, False), (1000, False), (1001, True), (5_000_000, True)):
        parsed = response(CODERS[coding](b"a" * size), f"Content-Encoding: {coding}", limit=1000)
        assert (len(parsed.body), parsed.truncated, parsed.problem) == (min(size, 1000), truncated, None)


def test_a_body_without_coding_stops_at_the_limit() -> None:
    assert response(b"abcdef", limit=6) == HttpResponse(200, [], b"abcdef")
    assert response(b"abcdef", limit=5) == HttpResponse(200, [], b"abcde", truncated=True)


# --- lies about codings ---------------------------------------------------------------------------


def test_a_coding_that_magic_bytes_contradict_is_the_one_they_name() -> None:
    for name in ("gzip", "deflate", "br", "zstd", "x-gzip"):
        assert response(gzip.compress(TEXT), f"Content-Encoding: {name}").body == TEXT
        assert response(zstandard.compress(TEXT), f"Content-Encoding: {name}").body == TEXT


@pytest.mark.parametrize("encoding", ["koi8-r", "shift_jis", "utf-16"])
def test_text_of_any_encoding_is_told_from_coded_bytes(encoding: str) -> None:
    page = ("Привет, мир. " * 40).encode(encoding)
    for name in ("gzip", "deflate", "br", "zstd"):
        parsed = response(page, f"Content-Encoding: {name}")
        assert (parsed.body, parsed.problem) == (page, None)


@pytest.mark.parametrize("name", ["UTF-8", "binary", "8bit", "text/html", "none"])
def test_a_name_of_no_coding_is_a_mistake(name: str) -> None:
    assert response(NOISE, f"Content-Encoding: {name}") == HttpResponse(200, [("Content-Encoding", name)], NOISE)


def test_a_quoted_coding() -> None:
    assert response(gzip.compress(TEXT), 'Content-Encoding: "gzip"').body == TEXT


def test_several_codings_in_one_header_or_in_several() -> None:
    coded = zstandard.compress(gzip.compress(TEXT))
    assert response(coded, "Content-Encoding: gzip, zstd").body == TEXT
    assert response(coded, "Content-Encoding: gzip", "Content-Encoding: zstd").body == TEXT
    assert response(chunked(gzip.compress(TEXT), [50]), "Transfer-Encoding: gzip, chunked").body == TEXT
    assert response(gzip.compress(TEXT), "Content-Encoding: gzip", "Content-Encoding: gzip").body == TEXT  # a proxy named it twice


@pytest.mark.parametrize("name", ["gzip", "compress", "br", "zstd", "exi"])
def test_bytes_that_no_coding_explains_are_no_body(name: str) -> None:
    noise = b"\x00\x01\x02" + bytes(range(128, 256)) * 4
    answer = response(noise, f"Content-Encoding: {name}")
    assert answer.problem and TEXT not in answer.body and noise not in answer.body


def test_thousands_of_empty_members_are_passed_over_at_once() -> None:
    """100,000 gzip members without content, which a decoder that copies what is left of the body would take minutes for."""
    answer = response(gzip.compress(b"", mtime=0) * 100_000 + gzip.compress(TEXT), "Content-Encoding: gzip")
    assert (answer.body, answer.problem) == (TEXT, None)


def test_lines_that_end_in_two_carriage_returns() -> None:
    block = b"HTTP/1.1 200 OK\r\r\nContent-Type: text/html\r\r\n\r\r\n" + TEXT
    answer = parse_response(block, LIMIT)
    assert (answer.body, answer.header("content-type")) == (TEXT, "text/html")
