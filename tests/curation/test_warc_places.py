"""Files that are no WARC files, and WARC files in other places than the local disk."""

from __future__ import annotations

import http.server
import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from curation.errors import InputError
from curation.recipe import CrawlLimits
from curation.sources.frames import read_frames
from curation.sources.warc import read_records
from tests.curation.warc_samples import (
    ids,
    member,
    page_record,
    record_id,
    records_of,
)

LIMITS = CrawlLimits()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\r\n\r\n", "is empty|is no WARC file"),
        (b"<?xml version='1.0'?><Error>SlowDown</Error>", r"is no WARC file: it begins with \"<\?xml version"),
        (member(b"text"), "is no WARC file: it begins with 'text'"),
        (b"\x1f\x8b\x08garbage", "no readable compressed member"),
        (b"BZh91AY&SY", "no readable compressed member"),
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
        if with_body and self.path == "/broken.warc.gz":
            self.send_error(500)
            return
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


def test_a_web_server_that_fails_while_a_file_is_read(server: str) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http addresses through aiohttp")
    with pytest.raises(InputError, match=r"cannot read .*broken\.warc\.gz: 500"):
        list(read_records(f"{server}/broken.warc.gz"))
