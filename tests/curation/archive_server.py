"""A web server on this machine that serves archives and can be told to misbehave, once or always, and that counts what it does."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Mood:
    """How one request is answered. ``status``: instead of the file. ``break_after``: bytes of the body, then the connection closes.

    ``stall_after``: bytes of the body, then silence. ``ranges`` False: ranges are ignored. ``claim``: another Content-Length
    than the true one, ``omit_length``: none. ``shift``: a range begins that many bytes later than asked for. ``pause``: seconds
    between blocks of the body.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    break_after: int | None = None
    stall_after: int | None = None
    ranges: bool = True
    claim: int | None = None
    omit_length: bool = False
    shift: int = 0
    pause: float = 0.0
    block: int = 1 << 16


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    range: str | None
    user_agent: str
    time: float


GOOD = Mood()


class ArchiveServer:
    """``files``: content by path, without the leading slash. ``moods``: for the next requests of a path; ``always``: for all others."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moods: dict[str, list[Mood]] = defaultdict(list)
        self.always: dict[str, Mood] = {}
        self.requests: list[Request] = []
        self.body_bytes: Counter[str] = Counter()
        self.most_at_once = 0
        self.validators = True
        self.before: Callable[[str], None] = lambda path: None  # called before a GET is answered
        self._at_once = 0
        self._lock = threading.Lock()
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                server._answer(self, "HEAD")

            def do_GET(self) -> None:
                server._answer(self, "GET")

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/"

    def etag(self, path: str) -> str:
        """As object stores make it: of the content."""
        return f'"{hashlib.md5(self.files[path]).hexdigest()}"'

    def gets(self, path: str) -> list[Request]:
        """The GET requests for a path, in their order."""
        return [request for request in self.requests if (request.method, request.path) == ("GET", path)]

    def _answer(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        path = handler.path.lstrip("/")
        with self._lock:
            asked = handler.headers.get("Range")
            self.requests.append(Request(method, path, asked, handler.headers.get("User-Agent", ""), time.monotonic()))
            self._at_once += method == "GET"
            self.most_at_once = max(self.most_at_once, self._at_once)
            mood = self.moods[path].pop(0) if self.moods[path] and method == "GET" else self.always.get(path, GOOD)
        try:
            if method == "GET":
                self.before(path)
            with contextlib.suppress(ConnectionError):
                self._send(handler, method, path, mood)
        finally:
            with self._lock:
                self._at_once -= method == "GET"

    def _send(self, handler: BaseHTTPRequestHandler, method: str, path: str, mood: Mood) -> None:
        content = self.files.get(path)
        status = mood.status if content is not None else 404
        if status not in (200, 206) or content is None:
            handler.send_response(status)
            for name, value in mood.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start, end = 0, len(content)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", handler.headers.get("Range", "")) if mood.ranges else None
        if wanted and handler.headers.get("If-Range", self.etag(path)) == self.etag(path):
            first, last = wanted.groups()
            start = int(first) + mood.shift if first else max(0, end - int(last))
            end = min(end, int(last) + 1 + mood.shift) if first and last else end
            if start >= len(content):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(content)}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        else:
            handler.send_response(200)
        body = content[start:end]
        if self.validators:
            handler.send_header("ETag", self.etag(path))
        if not mood.omit_length:
            handler.send_header("Content-Length", str(len(body) if mood.claim is None else mood.claim))
        for name, value in mood.headers.items():
            handler.send_header(name, value)
        if mood.break_after is not None or mood.stall_after is not None or mood.claim is not None or mood.omit_length:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        if method == "HEAD":
            return
        self._send_body(handler, path, body if mood.claim is None else body[: mood.claim], mood)

    def _send_body(self, handler: BaseHTTPRequestHandler, path: str, body: bytes, mood: Mood) -> None:
        end = min(len(body), *(limit for limit in (mood.break_after, mood.stall_after, len(body)) if limit is not None))
        for start in range(0, end, mood.block):
            block = body[start : min(start + mood.block, end)]
            handler.wfile.write(block)
            with self._lock:
                self.body_bytes[path] += len(block)
            time.sleep(mood.pause)
        handler.wfile.flush()
        if mood.stall_after is not None:
            self.released.wait(60)

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End, also what stalls."""
        self.released.set()
        self._http.shutdown()
        self._http.server_close()


@contextlib.contextmanager
def archive_server() -> Iterator[ArchiveServer]:
    """A running server."""
    server = ArchiveServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
