"""Fetching from a real loopback server: what the WARC file holds, byte for byte, and what is refused."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from curation.errors import PipelineError, UsageError
from curation.sources.fetch import fetch_to_warc

PAGE = b"<html><p>Caf\xc3\xa9</p></html>"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type:text/html\r\nX-Odd :  two  spaces \r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<html\r\n2\r\n>x\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\nContent-Type: text/html\n\n" + PAGE
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
LARGE = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500_000


def redirect(location: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"


ANSWERS = {
    "/plain": PLAIN,
    "/chunked": CHUNKED,
    "/until-close": UNTIL_CLOSE,
    "/missing": MISSING,
    "/large": LARGE,
    "/moved": redirect(b"plain#part"),
    "/loop": redirect(b"/loop"),
    "/away": redirect(b"http://example.com/"),
    "/odd": redirect(b"http://[x"),
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
    "/cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nonly this",
    "/no-http": b"220 ftp.example.com ready\r\n",
    "/empty": b"",
}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """A server that sends the bytes of ``ANSWERS`` as they stand; it never answers /silent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        held = []
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            path = connection.recv(65536).split(b" ")[1].decode()
            if path == "/silent":
                held.append(connection)
                continue
            connection.sendall(ANSWERS[path])
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def read_warc(path: Path) -> list[dict[str, Any]]:
    """Every record as warcio reads it back: headers, and the block as it was stored."""
    records = []
    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream, no_record_parse=True):
            records.append({**dict(record.rec_headers.headers), "block": record.raw_stream.read(), "version": record.rec_headers.protocol})
    return records


def test_the_answer_is_stored_byte_for_byte(server: tuple[str, int], tmp_path: Path) -> None:
    paths = ["/plain", "/chunked", "/until-close", "/missing"]
    warc = tmp_path / "site.warc.gz"
    fetched = fetch_to_warc([f"http://site.localhost{path}" for path in paths], warc, connect_to=server)
    assert (dict(fetched.counts), fetched.errors) == ({"200": 3, "404": 1}, {})
    info, *records = read_warc(warc)
    assert (info["WARC-Type"], info["WARC-Filename"], info["version"]) == ("warcinfo", "site.warc.gz", "WARC/1.1")
    assert [record["WARC-Type"] for record in records] == ["response", "request"] * 4
    for path, response, request in zip(paths, records[::2], records[1::2], strict=True):
        assert response["block"] == ANSWERS[path]
        assert response["WARC-Target-URI"] == request["WARC-Target-URI"] == f"http://site.localhost{path}"
        assert response["WARC-IP-Address"] == "127.0.0.1"
        assert request["WARC-Concurrent-To"] == response["WARC-Record-ID"]
        assert request["WARC-Date"] == response["WARC-Date"]
        assert request["block"].startswith(f"GET {path} HTTP/1.1\r\nHost: site.localhost\r\n".encode())


def test_another_reader_finds_the_pages(server: tuple[str, int], tmp_path: Path) -> None:
    """warcio parses the HTTP part by itself, undoes the chunks, and checks block and payload digests."""
    warc = tmp_path / "site.warc"
    fetch_to_warc([f"http://site.localhost{path}" for path in ("/plain", "/chunked", "/until-close")], warc, connect_to=server)
    pages = []
    with open(warc, "rb") as stream:
        for record in ArchiveIterator(stream, check_digests="raise"):
            content = record.content_stream().read()
            if record.rec_type == "response":
                pages.append(content)
    assert pages == [PAGE, b"<html>x", PAGE]


def test_each_address_once_and_no_fragments(server: tuple[str, int], tmp_path: Path) -> None:
    urls = ["http://site.localhost/plain", "http://site.localhost/plain#part", "http://site.localhost/plain"]
    assert fetch_to_warc(urls, tmp_path / "site.warc.gz", connect_to=server).counts == {"200": 1}


def test_redirects_are_recorded_and_followed_on_the_same_server_only(server: tuple[str, int], tmp_path: Path) -> None:
    warc = tmp_path / "site.warc.gz"
    urls = [f"http://site.localhost{path}" for path in ("/moved", "/loop", "/away", "/odd")]
    assert fetch_to_warc(urls, warc, connect_to=server).counts == {"302": 4, "200": 1}
    targets = [record["WARC-Target-URI"] for record in read_warc(warc) if record["WARC-Type"] == "response"]
    assert targets == [urls[0], "http://site.localhost/plain", *urls[1:]]


def test_incomplete_answers_are_errors_and_the_others_go_on(server: tuple[str, int], tmp_path: Path) -> None:
    warc = tmp_path / "site.warc.gz"
    paths = ["/cut", "/cut-chunk", "/no-http", "/empty", "/silent", "/plain"]
    fetched = fetch_to_warc([f"http://site.localhost{path}" for path in paths], warc, connect_to=server, timeout_seconds=1.0)
    assert fetched.counts == {"errors": 5, "200": 1}
    assert list(fetched.errors) == [f"http://site.localhost{path}" for path in paths[:-1]]
    assert "IncompleteRead" in fetched.errors["http://site.localhost/cut"]
    assert "timed out" in fetched.errors["http://site.localhost/silent"]
    assert len(read_warc(warc)) == 3


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert fetch_to_warc([f"http://127.0.0.1:{port}/"], tmp_path / "site.warc.gz").counts == {"errors": 1}


def test_a_body_over_the_limit_is_flagged(server: tuple[str, int], tmp_path: Path) -> None:
    warc = tmp_path / "site.warc.gz"
    fetch_to_warc(["http://site.localhost/large"], warc, connect_to=server, max_body_bytes=70_000)
    _, response, _ = read_warc(warc)
    assert response["WARC-Truncated"] == "length"
    assert 70_000 < len(response["block"]) < 300_000


def test_ids_can_be_a_function_of_the_address(server: tuple[str, int], tmp_path: Path) -> None:
    url = "http://site.localhost/plain"
    ids = []
    for name, deterministic in (("a", True), ("b", True), ("c", False)):
        warc = tmp_path / name / "site.warc.gz"
        fetch_to_warc([url], warc, connect_to=server, deterministic_ids=deterministic)
        ids.append([record["WARC-Record-ID"] for record in read_warc(warc)])
    assert ids[0] == ids[1] != ids[2]
    assert ids[0][1] == f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>"
    assert len(set(ids[0])) == 3


def test_localhost_is_reached_by_name(server: tuple[str, int], tmp_path: Path) -> None:
    assert fetch_to_warc([f"http://localhost:{server[1]}/plain"], tmp_path / "site.warc").counts == {"200": 1}


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://192.0.2.1/",
            "https://127.0.0.1/",
            "ftp://127.0.0.1/",
            "127.0.0.1",
            "",
            "http://[::1",
            "http://[::1#a",
            "http://127.0.0.1:99999/",
        ),
        *("http://127.0.0.1/a b", "http://127.0.0.1/a\r\nX: y", "http://127.0.0.1/é"),
    ],
)
def test_anything_but_http_on_this_machine_is_refused_before_a_file_is_made(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loopback"):
        fetch_to_warc(["http://127.0.0.1/", url], tmp_path / "site.warc.gz")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="not this machine"):
        fetch_to_warc(["http://127.0.0.1/"], tmp_path / "site.warc.gz", connect_to=("192.0.2.1", 80))


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match=r"cannot write .*site\.warc"):
        fetch_to_warc(["http://127.0.0.1/"], tmp_path / "file" / "site.warc")
