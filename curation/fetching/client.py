"""One request and its answer, byte for byte as they crossed the wire, within limits of size and time.

aiohttp makes the connection, the encryption and the framing of HTTP/1.1; nothing is decoded, so that no answer can grow here.
Its protocol class is extended to keep the bytes as they come, to stop at the limit, and to check whom it is connected to.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import certifi
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from curation.fetching.outcomes import FetchProblem, FetchReason
from curation.fetching.resolver import PINNED, CheckedResolver, PinnedResolver

MAX_FIELD_BYTES = 64 << 10  # of one header line; Chromium reads 256 KiB of a whole header
MAX_FIELDS = 1000
ACCEPT = "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1"
ACCEPT_CODINGS = "gzip"  # what every reader of WARC files can undo
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n")  # RFC 9110, section 15.2; after 101 nothing follows


@dataclass
class Exchange:
    """What crossed the wire. ``truncated``: why the answer is not whole, in the words of WARC-Truncated; None if it is."""

    target: URL
    max_bytes: int
    addresses: tuple[str, ...] = ()
    date: str = ""
    address: str = ""
    request: bytes = b""
    received: bytearray = field(default_factory=bytearray)
    status: int = 0
    headers: MultiMapping[str] = field(default_factory=CIMultiDict)
    truncated: str | None = None
    peer_closed: bool = False

    def take(self, data: bytes) -> bytes:
        """Keep received bytes up to the limit; returns those that were kept."""
        kept = data[: self.max_bytes - len(self.received)]
        self.received += kept
        if len(kept) < len(data):
            self.truncated = "length"
        return kept

    def message(self) -> bytes:
        """The final answer, header and body, without interim ones before it."""
        begin = 0  # cutting one after the other off would copy the rest each time: minutes for 10 MiB of small ones
        while match := _INTERIM.match(self.received, begin):
            begin = match.end()
        return bytes(memoryview(self.received)[begin:])

    def header_values(self, name: str) -> list[str]:
        """The values of all headers of a name, in their order."""
        return list(self.headers.getall(name, []))


_RUNNING: ContextVar[Exchange] = ContextVar("running")


class _RecordingProtocol(ResponseHandler):
    """aiohttp's side of a connection; made within the request that it serves, which is its only one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._exchange = _RUNNING.get()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Check that the peer is one of the checked addresses, whatever led here."""
        exchange = self._exchange
        exchange.address = str((transport.get_extra_info("peername") or ("",))[0])
        super().connection_made(transport)
        if exchange.address not in exchange.addresses:
            self._end()

    def data_received(self, data: bytes) -> None:
        """Keep the bytes, and let aiohttp read them; end the connection when there are too many."""
        kept = self._exchange.take(data)
        if kept or not data:
            super().data_received(kept)
        if len(kept) < len(data):
            self._end()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell whoever reads a broken body, which aiohttp leaves waiting where a chunk has no size."""
        payload = self._payload
        super().connection_lost(exc)
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError("the body is broken"))

    def _end(self) -> None:
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()  # not our own: that would leave whoever reads waiting

    def eof_received(self) -> None:
        """The server will send no more."""
        self._exchange.peer_closed = True
        super().eof_received()


class _RecordingConnector(aiohttp.TCPConnector):
    """Connects to pinned addresses, anew for every request."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        super().__init__(resolver=PinnedResolver(), use_dns_cache=False, limit=0, force_close=True, ssl=trust)
        self._factory = functools.partial(_RecordingProtocol, asyncio.get_running_loop())  # type: ignore[assignment]


class PageClient:
    """Asks for pages, one exchange a connection. Use as an asynchronous context manager."""

    def __init__(self, resolver: CheckedResolver, user_agent: str, timeout_seconds: float) -> None:
        self._resolver = resolver
        self._timeout_seconds = timeout_seconds
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> PageClient:
        trust = ssl.create_default_context()
        trust.load_verify_locations(certifi.where())  # beside the system's own roots, which a bare container may lack
        self._session = aiohttp.ClientSession(
            connector=_RecordingConnector(trust),
            headers={"User-Agent": self._user_agent, "Accept": ACCEPT, "Accept-Encoding": ACCEPT_CODINGS, "Connection": "close"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_seconds),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_FIELD_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
        )
        self._session._retry_connection = False  # a second request would come without a pause, and into the same recording
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session
        await self._session.close()

    async def ask(self, target: URL, max_bytes: int) -> Exchange:
        """The answer to a GET, at most ``max_bytes`` of it; redirects are answers like others.

        Raises:
            FetchProblem: there is no answer with a whole header.
        """
        exchange = Exchange(target, max_bytes)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                exchange.addresses = await self._resolver.addresses(target)
                exchange.date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                await self._exchange(exchange)
        except TimeoutError as error:
            exchange.truncated = "time"
            if not exchange.status:
                raise FetchProblem(FetchReason.TIMED_OUT, f"{self._timeout_seconds:g} s") from error
        except aiohttp.ClientPayloadError:
            exchange.truncated = exchange.truncated or ("disconnect" if exchange.peer_closed else "unspecified")
        except (aiohttp.ClientError, ValueError, OSError) as error:
            if not exchange.status:
                raise _problem(error, exchange) from error
            exchange.truncated = exchange.truncated or "disconnect"
        return exchange

    async def _exchange(self, exchange: Exchange) -> None:
        assert self._session
        pinned, running = PINNED.set(exchange.addresses), _RUNNING.set(exchange)
        try:
            async with self._session.get(exchange.target, allow_redirects=False) as response:
                exchange.request = _request_bytes(response)
                exchange.status, exchange.headers = response.status, response.headers
                async for _ in response.content.iter_any():  # the protocol keeps them
                    pass
        finally:
            PINNED.reset(pinned)
            _RUNNING.reset(running)


def _request_bytes(response: aiohttp.ClientResponse) -> bytes:
    asked = response.request_info
    lines = [f"{asked.method} {asked.url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1", "replace")


def _problem(error: Exception, exchange: Exchange) -> FetchProblem:
    detail = (str(error).splitlines() or [""])[0] or type(error).__name__
    kinds: list[tuple[Any, FetchReason, bool]] = [
        ((aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError), FetchReason.INSECURE, False),
        (aiohttp.ClientConnectorError, FetchReason.NOT_CONNECTED, True),
        ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError), FetchReason.DISCONNECTED, True),
        (aiohttp.InvalidURL, FetchReason.ODD_ADDRESS, False),
        (OSError, FetchReason.NOT_CONNECTED, True),
    ]
    if exchange.truncated == "length":  # the header alone is over the limit
        return FetchProblem(FetchReason.BAD_ANSWER, f"the header is longer than {exchange.max_bytes} bytes")
    for classes, reason, passing in kinds:
        if isinstance(error, classes):
            return FetchProblem(reason, detail, passing)
    return FetchProblem(FetchReason.BAD_ANSWER, detail)
