"""Fetch the pages of a web server on this machine into a WARC file, over plain HTTP.

Comes in: http addresses. Goes out: a WARC/1.1 file with a warcinfo record and, for every answer,
a response record that holds the bytes as the server sent them and the request that asked for it.
robots.txt is not consulted, and therefore nothing but loopback addresses is ever connected to.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import ipaddress
import os
import re
import socket
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from curation.errors import PipelineError, UsageError

SOFTWARE = "crawl2gpt"
WARC_VERSION = "WARC/1.1"  # ISO 28500:2017
READ_BLOCK = 1 << 16
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4

Servers = Mapping[str, tuple[list[str], int]]  # URL: addresses and port to connect to


@dataclass
class Fetched:
    """How a crawl went: ``counts`` of answers by status code and of ``errors``; ``errors`` maps an address to what failed."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, byte for byte as they crossed the wire."""

    request: bytes
    response: bytes
    status: int
    location: str | None  # of a redirect
    address: str
    truncated: bool


def fetch_to_warc(
    urls: Iterable[str],
    warc_path: str | Path,
    *,
    connect_to: tuple[str, int] | None = None,
    deterministic_ids: bool = False,
    timeout_seconds: float = 30.0,
    max_body_bytes: int = 64 << 20,
) -> Fetched:
    """Fetch every address once, in order, and write the WARC file; compressed by record if its name ends in ``.gz``.

    Redirects are recorded, and followed where they stay on the same host and port. An address that
    gives no complete answer is counted and named in the result; the others go on. The file is
    called ``<name>.open`` until it is complete. ``connect_to``: (host, port) that every connection
    goes to, whatever the address says. ``timeout_seconds``: longest silence of the server.
    ``deterministic_ids``: record ids are uuid5 of the address, so that pages keep them from crawl to crawl.

    Raises:
        UsageError: an address is not plain http, or its server is not on this machine; no file is made.
        PipelineError: the file cannot be written.
    """
    from warcio.warcwriter import WARCWriter

    servers = {url: _server(url, connect_to) for url in (url.partition("#")[0] for url in urls)}
    target = Path(warc_path)
    opened = target.with_name(target.name + ".open")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(opened, "wb") as stream:
            writer = WARCWriter(stream, gzip=target.suffix == ".gz", warc_version=WARC_VERSION)
            _write_warcinfo(writer, target.name, deterministic_ids)
            fetched = Fetched()
            for url, exchange in _exchanges(servers, fetched, timeout_seconds, max_body_bytes):
                _write_exchange(writer, url, exchange, deterministic_ids)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(opened, target)
    except OSError as error:
        raise PipelineError(f"cannot write {warc_path}: {error.strerror or error}; free space or choose another folder") from error
    return fetched


def _exchanges(servers: Servers, fetched: Fetched, timeout_seconds: float, max_body_bytes: int) -> Iterator[tuple[str, Exchange]]:
    """The exchange of every address that answers, redirects followed; counts go to ``fetched``."""
    queue = deque(servers)
    known = dict(servers)
    while queue:
        url = queue.popleft()
        try:
            exchange = _fetch(url, *known[url], timeout_seconds, max_body_bytes)
        except (OSError, http.client.HTTPException) as error:
            fetched.counts["errors"] += 1
            fetched.errors[url] = f"{type(error).__name__}: {error}"
            continue
        fetched.counts[str(exchange.status)] += 1
        yield url, exchange
        target = _redirect_target(url, exchange.location)
        if target and target not in known:
            known[target] = known[url]
            queue.appendleft(target)


def _server(url: str, connect_to: tuple[str, int] | None) -> tuple[list[str], int]:
    """The loopback addresses and the port to connect to for a URL."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or not re.fullmatch(r"[!-~]+", url):
            raise ValueError("it is not a plain http address")
        host, port = connect_to or (parts.hostname, parts.port or 80)
        addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
            raise ValueError(f"{host} is not this machine")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot fetch {url}: {error}; name http servers on loopback addresses only") from error
    return addresses, port


def _redirect_target(url: str, location: str | None) -> str | None:
    """The address that a redirect leads to, if it lies on the same host and port."""
    try:
        target = urldefrag(urljoin(url, location or "")).url
        same_server = urlsplit(target)[:2] == urlsplit(url)[:2]
    except ValueError:  # a Location that is no address
        return None
    return target if same_server and re.fullmatch(r"[!-~]+", target) else None


def _fetch(url: str, addresses: list[str], port: int, timeout_seconds: float, max_body_bytes: int) -> Exchange:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {"Host": parts.netloc, "User-Agent": SOFTWARE, "Accept-Encoding": "identity", "Connection": "close"}
    request = f"GET {path} HTTP/1.1\r\n{_lines(fields)}\r\n".encode("ascii")
    with _connect(addresses, port, timeout_seconds) as connection:
        connection.sendall(request)
        recorder = _Recorder(connection)
        with http.client.HTTPResponse(recorder, method="GET") as response:  # type: ignore[arg-type]
            response.begin()
            body_bytes = 0
            while body_bytes <= max_body_bytes and (block := response.read(READ_BLOCK)):
                body_bytes += len(block)
            truncated = body_bytes > max_body_bytes
            if response.length and not truncated:  # the server promised more
                raise http.client.IncompleteRead(b"", response.length)
            location = response.getheader("Location") if response.status in REDIRECTS else None
            return Exchange(request, bytes(recorder.received), response.status, location, connection.getpeername()[0], truncated)


def _connect(addresses: list[str], port: int, timeout_seconds: float) -> socket.socket:
    """A connection to the first address that answers; ``localhost`` may mean ::1 or 127.0.0.1."""
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout_seconds)
        except ConnectionRefusedError:
            continue
    return socket.create_connection((addresses[-1], port), timeout_seconds)


class _Recorder(io.RawIOBase):
    """Stands for the socket that ``http.client`` reads from, and keeps every byte."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.connection.recv_into(buffer)
        self.received += memoryview(buffer)[:count]
        return count


def _write_warcinfo(writer: Any, filename: str, deterministic_ids: bool) -> None:
    fields = {"software": SOFTWARE, "format": "WARC File Format 1.1", "robots": "ignore"}
    headers = [("WARC-Filename", filename), ("Content-Type", "application/warc-fields")]
    _write_record(writer, "warcinfo", _record_id("warcinfo", filename, deterministic_ids), _now(), headers, _lines(fields).encode())


def _write_exchange(writer: Any, url: str, exchange: Exchange, deterministic_ids: bool) -> None:
    """Write the response record and then its request, as they came: warcio would write the HTTP headers anew."""
    date = _now()
    response_id = _record_id("response", url, deterministic_ids)
    blank_line = re.search(rb"\r?\n\r?\n", exchange.response)
    body = exchange.response[blank_line.end() :] if blank_line else b""
    headers = [
        ("WARC-Target-URI", url),
        ("WARC-IP-Address", exchange.address),
        ("Content-Type", "application/http; msgtype=response"),
        ("WARC-Payload-Digest", "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()),
        *([("WARC-Truncated", "length")] if exchange.truncated else []),
    ]
    _write_record(writer, "response", response_id, date, headers, exchange.response)
    headers = [
        ("WARC-Target-URI", url),
        ("WARC-Concurrent-To", response_id),
        ("Content-Type", "application/http; msgtype=request"),
        ("WARC-Payload-Digest", "sha1:" + base64.b32encode(hashlib.sha1(b"").digest()).decode()),
    ]
    _write_record(writer, "request", _record_id("request", url, deterministic_ids), date, headers, exchange.request)


def _write_record(writer: Any, kind: str, record_id: str, date: str, headers: list[tuple[str, str]], block: bytes) -> None:
    from warcio.recordloader import ArcWarcRecord
    from warcio.statusandheaders import StatusAndHeaders

    names = [("WARC-Type", kind), ("WARC-Record-ID", record_id), ("WARC-Date", date), *headers]
    content_type = dict(headers)["Content-Type"]
    record_headers = StatusAndHeaders("", names, protocol=WARC_VERSION)
    record = ArcWarcRecord("warc", kind, record_headers, io.BytesIO(block), None, content_type, len(block))
    writer.write_record(record)  # adds the block digest and Content-Length


def _record_id(kind: str, name: str, deterministic: bool) -> str:
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, name if kind == "response" else f"{kind} {name}") if deterministic else uuid.uuid4()
    return f"<urn:uuid:{identifier}>"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lines(fields: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())
