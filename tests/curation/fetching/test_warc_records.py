"""Records of any answer, read back by warcio: the block is what crossed the wire, and both digests hold."""

from __future__ import annotations

import io
import time
import zlib

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from warcio.archiveiterator import ArchiveIterator
from yarl import URL

from curation.fetching.client import Exchange
from curation.fetching.warc_records import Original, answer_record, request_record, to_answer

DATE = "2026-11-01T00:00:00.000Z"
HEADER_LINES = st.lists(
    st.sampled_from([b"X: y", b"Set-Cookie: a=\xe4", b"Content-Length: 7", b"Odd", b": empty", b"X:", b"\tfolded"]), max_size=6
)


def exchange_of(received: bytes) -> Exchange:
    request = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
    return Exchange(URL("http://a.example/x"), 1 << 20, ("127.0.0.1",), DATE, "127.0.0.1", request, bytearray(received), 200, CIMultiDict())


def read_back(records: list[bytes]) -> list[tuple[str, dict[str, str], bytes]]:
    """Type, fields and block of records, each in a gzip member; digests are checked."""
    found = []
    content = b"".join(zlib.compress(record, wbits=31) for record in records)
    for record in ArchiveIterator(io.BytesIO(content), check_digests="raise"):
        record.content_stream().read()
    for record in ArchiveIterator(io.BytesIO(content), no_record_parse=True):
        found.append((record.rec_type, dict(record.rec_headers.headers), record.content_stream().read()))
    return found


@given(HEADER_LINES, st.binary(max_size=300), st.sampled_from([b"\r\n", b"\n"]))
def test_the_block_is_what_came(lines: list[bytes], body: bytes, line_end: bytes) -> None:
    received = line_end.join([b"HTTP/1.1 200 OK", *lines, b"", b""]) + body
    answer = to_answer(exchange_of(received))
    (kind, fields, block), (_, asked, request) = read_back([answer_record(answer, None), request_record(answer)])
    assert (kind, block, answer.body) == ("response", received, body)
    assert asked["WARC-Concurrent-To"] == fields["WARC-Record-ID"] and request == answer.exchange.request


@given(st.binary(min_size=1, max_size=300), st.integers(0, 3))
def test_interim_answers_are_left_out(body: bytes, interim: int) -> None:
    final = b"HTTP/1.1 200 OK\r\n\r\n" + body
    exchange = exchange_of(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * interim + final)
    assert exchange.message() == final


def test_a_flood_of_interim_answers_is_passed_over_in_time() -> None:
    exchange = exchange_of(b"HTTP/1.1 100 \r\n\r\n" * 400_000 + b"HTTP/1.1 200 OK\r\n\r\nx")
    began = time.process_time()
    assert exchange.message() == b"HTTP/1.1 200 OK\r\n\r\nx"
    assert time.process_time() - began < 5  # cutting them off one by one took more than a minute


def test_a_switch_of_protocols_is_an_answer() -> None:
    assert exchange_of(b"HTTP/1.1 101 Switching\r\n\r\nx").message().startswith(b"HTTP/1.1 101")


@given(st.binary(min_size=1, max_size=300))
def test_a_revisit_has_the_header_alone(body: bytes) -> None:
    answer = to_answer(exchange_of(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n" + body))
    [(kind, fields, block)] = read_back([answer_record(answer, Original("<urn:uuid:1>", "http://b.example/", DATE))])
    assert (kind, block) == ("revisit", b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
    assert fields["WARC-Payload-Digest"] == answer.payload_digest and fields["WARC-Refers-To-Target-URI"] == "http://b.example/"
