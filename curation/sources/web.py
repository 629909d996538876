"""Bytes of files on web servers and object stores, from any offset on, asked for with patience.

Comes in: an http(s) address or the fsspec URL of an object. Goes out: an ``Answer``, whose blocks follow
the offset that was asked for, or begin anew where the server cannot go on, or has another file by now.
``Client.patiently`` tries again what may pass; ``transfer`` makes whole files of it.
"""

from __future__ import annotations

import contextlib
import email.utils
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from curation.draws import draw_uniform
from curation.errors import InputError
from curation.recipe import RemoteSettings

USER_AGENT = "crawl2gpt"
BLOCK_BYTES = 1 << 20  # most bytes that a connection hands on at once
STORE_BLOCK_BYTES = 8 << 20  # a request to an object store; fewer would wait for answers most of the time
MIN_BYTES_PER_SECOND = 1024  # our choice: what is slower than this for as long as the time limit has stalled
MAX_REDIRECTS = 5
MAX_RETRY_AFTER_RATIO = 10  # a Retry-After is obeyed up to this many times max_retry_seconds
MAX_DOCUMENT_BYTES = 256 << 20  # of a list of paths; the longest of Common Crawl has 100,000 lines
# Common Crawl answers 403 and 503 (SlowDown) to everybody while it is overloaded (status.commoncrawl.org).
CROWDED = frozenset({403, 429, 503})
PASSING = CROWDED | {408, 425, 500, 502, 504}

T = TypeVar("T")


class TransferError(Exception):
    """A failure that may pass.

    ``pause_seconds``: what the server asks for. ``crowded``: it wants fewer requests. ``restart``: what was received is of no more use.
    """

    def __init__(self, message: str, pause_seconds: float = 0.0, crowded: bool = False, restart: bool = False) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds
        self.crowded = crowded
        self.restart = restart


class NotThere(InputError):
    """The server knows no file of that name."""


class Stopped(Exception):
    """The client was told to stop; nobody waits for the answer any more."""


@dataclass(frozen=True)
class Identity:
    """What a server says of a file: ``bytes`` (None if it does not) and a ``validator``: ETag or date of the last change."""

    bytes: int | None
    validator: str | None


@dataclass(frozen=True)
class Answer:
    """Bytes of a file from ``offset`` to its end."""

    identity: Identity
    offset: int
    blocks: Iterator[bytes]


class Patience:
    """How long one transfer may go on failing; what it received is the measure of progress."""

    def __init__(self, url: str, settings: RemoteSettings) -> None:
        self._url = url
        self._settings = settings
        self._failures = 0
        self._received = 0

    def pause_after(self, error: TransferError, received: int = 0) -> float:
        """Seconds to wait before the next try. ``received``: bytes at hand; more than ever before by a block count as progress.

        Raises:
            InputError: it has failed too often.
        """
        if received >= self._received + BLOCK_BYTES:
            self._failures, self._received = 0, received
        self._failures += 1
        settings = self._settings
        if self._failures > settings.retries:
            raise InputError(f"cannot fetch {self._url}: {error} ({self._failures} times in a row); run again later, what is here is kept")
        doubled = settings.retry_seconds * 2.0 ** min(self._failures - 1, 60)
        # Up to half of the pause is drawn, so that many clients that failed together do not come back together.
        pause = min(doubled, settings.max_retry_seconds) * (1 - 0.5 * draw_uniform(0, "retry", f"{self._url} {self._failures}"))
        return max(pause, min(error.pause_seconds, MAX_RETRY_AFTER_RATIO * settings.max_retry_seconds))


class Client:
    """Fetches for all threads of a process. A server that wants fewer requests is left alone by all of them for a while."""

    def __init__(self, settings: RemoteSettings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self._not_before: dict[str, float] = {}  # by host, in time.monotonic
        self._open: set[Any] = set()  # responses that a thread may be waiting for

    def close(self) -> None:
        """Stop: whoever waits for a server gets ``Stopped``, at once where that is possible."""
        self.stop.set()
        for response in list(self._open):
            with contextlib.suppress(OSError, ValueError, RuntimeError):  # it may just have ended by itself
                response.shutdown()

    def wait(self, seconds: float) -> None:
        """Sleep.

        Raises:
            Stopped: the client was stopped before or meanwhile.
        """
        if self.stop.wait(seconds):
            raise Stopped

    def patiently(self, url: str, attempt: Callable[[], T]) -> T:
        """The result of ``attempt``, tried until it is no passing failure any more.

        Raises:
            InputError: it has failed too often, or for good.
        """
        patience = Patience(url, self.settings)
        while True:
            try:
                return attempt()
            except TransferError as error:
                self.back_off(url, error, patience.pause_after(error))

    def back_off(self, url: str, error: TransferError, seconds: float) -> None:
        """Wait after a failure; if the server is crowded, all other requests to it wait, too."""
        if error.crowded:
            host = urlsplit(url).netloc
            self._not_before[host] = max(self._not_before.get(host, 0.0), time.monotonic() + seconds)
        self.wait(seconds)

    def identify(self, url: str) -> Identity:
        """Size and validator of a file, without its content.

        Raises:
            InputError: there is no such file, or the server cannot be reached.
        """
        return self.patiently(url, lambda: self._identify(url))

    def _identify(self, url: str) -> Identity:
        if not is_web(url):
            with _store_errors(url):
                return _Store(url, self.settings.anonymous).identity()
        with self._request("HEAD", url, {}) as response:
            return _identity(response, response.headers.get("Content-Length"))

    def read_all(self, url: str) -> bytes:
        """The whole content of a small file.

        Raises:
            InputError: there is no such file, it is too large to be a list, or the server cannot be reached.
        """
        return self.patiently(url, lambda: self._read_all(url))

    def _read_all(self, url: str) -> bytes:
        content = bytearray()
        with self.open(url) as answer:
            for block in answer.blocks:
                content += block
                if len(content) > MAX_DOCUMENT_BYTES:
                    raise InputError(f"{url} is larger than {MAX_DOCUMENT_BYTES >> 20} MiB, so it is no list; check the URL")
        return bytes(content)

    def read_range(self, url: str, offset: int, length: int) -> bytes:
        """The bytes of a file from ``offset`` on, ``length`` of them, or fewer where it ends.

        Raises:
            TransferError: as ``open``.
            InputError: there is no such file, or its server gives no ranges.
        """
        if not is_web(url):
            with _store_errors(url):
                return _Store(url, self.settings.anonymous).read(offset, offset + length)
        with self._request("GET", url, {"Range": f"bytes={offset}-{offset + length - 1}"}) as response:
            if response.status != 206:
                raise InputError(f"cannot read a part of {url}: its server gives whole files only; name the file as an input of the crawl")
            span = response.headers.get("Content-Range", "").partition(" ")[2]
            if span.partition("-")[0] != str(offset):
                raise TransferError(f"the server sent another range than bytes {offset}- ({span})")
            return b"".join(self._web_blocks(response))

    @contextlib.contextmanager
    def open(self, url: str, offset: int = 0, validator: str | None = None) -> Iterator[Answer]:
        """The content from ``offset`` on, if the file is still the one of ``validator``, else from its beginning.

        Raises:
            TransferError: a failure that may pass, now or while the blocks are read.
            InputError: there is no such file, or it may not be read.
            Stopped: the client was stopped.
        """
        if is_web(url):
            with self._open_web(url, offset, validator) as answer:
                yield answer
            return
        with _store_errors(url):
            store = _Store(url, self.settings.anonymous)
            identity = store.identity()
        unchanged = validator is not None and identity.validator == validator
        yield Answer(identity, offset if unchanged else 0, self._store_blocks(store, identity, offset if unchanged else 0))

    # --- object stores ------------------------------------------------------------------------------

    def _store_blocks(self, store: _Store, identity: Identity, offset: int) -> Iterator[bytes]:
        with _store_errors(store.url):
            assert identity.bytes is not None
            for start in range(offset, identity.bytes, STORE_BLOCK_BYTES):
                self.wait(0)
                yield store.read(start, min(start + STORE_BLOCK_BYTES, identity.bytes))
            if store.identity() != identity:
                raise TransferError("the object changed while it was fetched", restart=True)

    # --- web servers --------------------------------------------------------------------------------

    @cached_property
    def _pool(self) -> Any:
        import ssl

        import certifi
        import urllib3

        trust = ssl.create_default_context()
        trust.load_verify_locations(certifi.where())  # beside the system's own roots, which a bare container may lack
        seconds = self.settings.timeout_seconds
        options: dict[str, Any] = {
            "maxsize": self.settings.connections,
            "ssl_context": trust,
            "timeout": urllib3.Timeout(connect=seconds, read=seconds),
            # What fails is tried again by ``patiently``, which knows of the other threads; here only redirects are followed.
            "retries": urllib3.Retry(total=None, connect=0, read=0, other=0, status=0, redirect=MAX_REDIRECTS),
        }
        if self.settings.proxy is not None:
            return urllib3.ProxyManager(self.settings.proxy, **options)
        return urllib3.PoolManager(**options)

    @contextlib.contextmanager
    def _request(self, method: str, url: str, headers: dict[str, str]) -> Iterator[Any]:
        """The response of a server with status 200 or 206, its body unread."""
        import urllib3

        self.wait(max(0.0, self._not_before.get(urlsplit(url).netloc, 0.0) - time.monotonic()))
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        try:
            response = self._pool.request(method, url, headers=headers, preload_content=False, decode_content=False)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise _request_error(url, error) from error
        self._open.add(response)
        try:
            if url.startswith("https:") and (response.geturl() or url).startswith("http:"):
                raise InputError(f"cannot fetch {url}: it leads to an address without encryption, {response.geturl()}; name that one")
            _check_status(url, response)
            yield response
        except urllib3.exceptions.HTTPError as error:
            self.wait(0)
            raise TransferError(f"the transfer broke ({_reason(error)})") from error
        finally:
            self._open.discard(response)
            response.close()  # a body that was not read to its end leaves a connection that nobody can use again

    @contextlib.contextmanager
    def _open_web(self, url: str, offset: int, validator: str | None) -> Iterator[Answer]:
        resume = offset > 0 and validator is not None
        headers = {"Range": f"bytes={offset}-", "If-Range": str(validator)} if resume else {}
        with self._request("GET", url, headers) as response:
            if response.status != 206:
                yield Answer(_identity(response, response.headers.get("Content-Length")), 0, self._web_blocks(response))
                return
            unit, _, place = response.headers.get("Content-Range", "").partition(" ")
            span, _, size = place.partition("/")
            identity = _identity(response, size)
            if not resume or unit != "bytes" or span.partition("-")[0] != str(offset) or identity.validator != validator:
                said = f"the server sent another range than bytes {offset}- ({response.headers.get('Content-Range')})"
                raise TransferError(said, restart=True)
            yield Answer(identity, offset, self._web_blocks(response))

    def _web_blocks(self, response: Any) -> Iterator[bytes]:
        since, received = time.monotonic(), 0
        while block := response.read1(BLOCK_BYTES):
            yield block
            self.wait(0)
            received += len(block)
            seconds = time.monotonic() - since
            if seconds >= self.settings.timeout_seconds:
                if received < seconds * MIN_BYTES_PER_SECOND:
                    raise TransferError(f"the transfer stalled: {received} bytes in {seconds:.0f} s")
                since, received = time.monotonic(), 0


def is_web(url: str) -> bool:
    """Whether a URL is of a web server; other remote ones are of object stores."""
    return url.lower().startswith(("http://", "https://"))


def _identity(response: Any, size: str | None) -> Identity:
    """A weak ETag promises no equal bytes, so the date of the last change stands in for it (RFC 9110, section 13.1.5)."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified")
    return Identity(int(size) if size and size.isdecimal() else None, validator)


def _check_status(url: str, response: Any) -> None:
    status = response.status
    if status in (200, 206):
        return
    said = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in PASSING:
        raise TransferError(said, retry_after(response.headers.get("Retry-After")), status in CROWDED)
    if status == 416:  # the file is shorter now than what is here
        raise TransferError(said, restart=True)
    if status in (404, 410):
        raise NotThere(f"cannot fetch {url}: {said}; check the path")
    raise InputError(f"cannot fetch {url}: {said}; see whether it can be read without signing in")


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for: a number of them, or a date."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    date = email.utils.parsedate_tz(value)
    try:
        return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else 0.0
    except (ValueError, OverflowError):  # a date that no calendar has
        return 0.0


def _request_error(url: str, error: Exception) -> Exception:
    """A passing failure, or an InputError where another try would fail in the same way."""
    import ssl

    import urllib3

    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    hopeless = (urllib3.exceptions.LocationValueError, urllib3.exceptions.ResponseError, ValueError)  # no address; a loop of redirects
    if isinstance(reason, hopeless) or any(isinstance(cause, ssl.SSLCertVerificationError) for cause in (reason, *reason.args)):
        return InputError(f"cannot fetch {url}: {_reason(reason)}; check the URL")
    return TransferError(f"no connection ({_reason(reason)})")


def _reason(error: BaseException) -> str:
    """The message of a library's error, in one line, without the object that it begins with."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(">: ")[2] or text


# --- object stores: through fsspec ----------------------------------------------------------------------


class _Store:
    """One object of a store."""

    def __init__(self, url: str, anonymous: bool) -> None:
        import fsspec

        self.url = url
        options = {"anon": True} if anonymous and url.startswith(("s3://", "s3a://")) else {}
        self._filesystem, self._name = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)

    def identity(self) -> Identity:
        """Size, and ETag or a hash of what else the store tells."""
        self._filesystem.invalidate_cache()
        info = self._filesystem.info(self._name)
        if info["type"] != "file":
            raise InputError(f"{self.url} is no file; name a file, or a glob such as {self.url.rstrip('/')}/*.warc.gz")
        return Identity(int(info["size"]), str(info.get("ETag") or self._filesystem.ukey(self._name)))

    def read(self, start: int, end: int) -> bytes:
        """Bytes from start to end."""
        content: bytes = self._filesystem.cat_file(self._name, start=start, end=end)
        return content


@contextlib.contextmanager
def _store_errors(url: str) -> Iterator[None]:
    """Each store's library has errors of its own; they become ours here, and only here."""
    try:
        yield
    except (InputError, TransferError, Stopped, GeneratorExit):
        raise
    except FileNotFoundError as error:
        raise NotThere(f"no such file: {url}; check the path") from error
    except (PermissionError, ImportError, ValueError) as error:
        hint = "give credentials, or set crawl.remote.anonymous" if isinstance(error, PermissionError) else "install the project's s3 extra"
        raise InputError(f"cannot read {url}: {_reason(error)}; {hint}") from error
    except Exception as error:
        hopeless = type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")  # botocore's
        if hopeless:
            raise InputError(f"cannot read {url}: {_reason(error)}; give credentials, or set crawl.remote.anonymous") from error
        raise TransferError(f"{type(error).__name__}: {_reason(error)}") from error
