"""Web sites on this machine for the fetcher's tests: any number of host names on one port, which do what a test wants, byte by byte."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]
Page = bytes | Handler | Callable[[int], "bytes | Handler"]


def answer(body: bytes = b"", status: str = "200 OK", *headers: str, media_type: str = "text/html") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def redirect(place: str, status: str = "301 Moved") -> bytes:
    """A redirect."""
    return answer(b"", status, f"Location: {place}")


NOT_FOUND = answer(b"", "404 Not Found")


@dataclass
class Request:
    """What a server saw: when it began and ended (time.monotonic), and the bytes."""

    host: str
    path: str
    began: float
    ended: float
    content: bytes


class Sites:
    """The server, in a thread of its own; use as a context manager. ``pages`` maps ``host/path`` to what is sent."""

    def __init__(
        self, pages: dict[str, Page] | None = None, delay_seconds: float = 0.0, tls: ssl.SSLContext | None = None, bind: str = "0.0.0.0"
    ) -> None:
        self._tls = tls
        self._bind = bind
        self.pages: dict[str, Page] = dict(pages or {})
        self.requests: list[Request] = []
        self.most_at_once: Counter[str] = Counter()
        self.delay_seconds = delay_seconds
        self._now: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Sites:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, self._bind, 0, ssl=self._tls), self._loop
        ).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def url(self, place: str) -> str:
        """The address of ``host/path``."""
        host, slash, path = place.partition("/")
        return f"http://{host}:{self.port}{slash}{path}"

    def asked(self) -> Counter[str]:
        """How often each ``host/path`` was asked for, files about the site left out."""
        places = (request.host + request.path for request in self.requests)
        return Counter(place for place in places if not place.endswith(("/robots.txt", "/tdmrep.json")))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.monotonic()
        try:
            content = await reader.readuntil(b"\r\n\r\n")
            path = content.split(b" ")[1].decode()
            host = content.lower().partition(b"\r\nhost: ")[2].partition(b"\r\n")[0].decode().partition(":")[0]
            self._now[host] += 1
            self.most_at_once[host] = max(self.most_at_once[host], self._now[host])
            try:
                await asyncio.sleep(self.delay_seconds)
                await self._send(writer, host + path)
                await writer.drain()
            finally:
                self._now[host] -= 1
                self.requests.append(Request(host, path, began, time.monotonic(), content))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, place: str) -> None:
        page = self.pages.get(place, NOT_FOUND)
        if callable(page) and not asyncio.iscoroutinefunction(page):
            page = page(sum(request.host + request.path == place for request in self.requests))  # type: ignore[call-arg, arg-type, assignment]
        if isinstance(page, bytes):
            writer.write(page)
        else:
            await page(writer)  # type: ignore[call-arg, arg-type, misc]
