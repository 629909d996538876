"""Names to addresses that may be connected to, and the pin that keeps a connection to exactly those.

A name is looked up once for a request, every address is held against the deny table, and the client connects to what passed:
a second look-up, whose answer may differ, never happens between the check and the connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult

from curation.fetching.addresses import why_denied
from curation.fetching.outcomes import FetchProblem, FetchReason

if TYPE_CHECKING:
    from yarl import URL

LOOKUP_THREADS = 64  # our choice; each waits for a name server most of the time
KEEP_SECONDS = 300.0  # our choice: a checked answer serves the requests of a visit; the system gives no time to live
KEPT_HOSTS = 10_000

Lookup = Callable[[str], Awaitable[list[str]]]

# The addresses that the connection of the running request may be made to.
PINNED: ContextVar[tuple[str, ...]] = ContextVar("pinned")


class SystemLookup:
    """Addresses of a name, as the system's resolver gives them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")

    async def __call__(self, host: str) -> list[str]:
        """All addresses, IPv4 and IPv6, in the system's order.

        Raises:
            OSError: there is none.
        """
        entries = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)
        return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _look_up(host: str) -> list[tuple[object, object, object, object, tuple[object, ...]]]:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))


class CheckedResolver:
    """Looks names up, and gives only addresses that may be connected to."""

    def __init__(self, lookup: Lookup | None = None, allow_private: bool = False) -> None:
        self._lookup = lookup or SystemLookup()
        self._allow_private = allow_private
        self._kept: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    async def addresses(self, target: URL) -> tuple[str, ...]:
        """The addresses of an address's host that may be connected to; one at least.

        Raises:
            FetchProblem: the name has no address, or none that may be connected to.
        """
        host = target.raw_host or ""
        until, addresses = self._kept.get(host, (0.0, ()))
        if time.monotonic() < until:
            return addresses
        found = [host] if _is_literal(host) else await self._found(host)
        denials = {address: why_denied(address, self._allow_private) for address in found}
        passed = tuple(str(ipaddress.ip_address(address)) for address, denial in denials.items() if denial is None)
        if not passed:
            said = ", ".join(f"{address}: {denial}" for address, denial in denials.items())
            raise FetchProblem(FetchReason.ADDRESS_DENIED, f"{host} is {said}")
        self._kept[host] = (time.monotonic() + KEEP_SECONDS, passed)
        self._kept.move_to_end(host)
        if len(self._kept) > KEPT_HOSTS:
            self._kept.popitem(last=False)
        return passed

    async def _found(self, host: str) -> list[str]:
        try:
            found = await self._lookup(host)
        except (OSError, UnicodeError) as error:
            raise FetchProblem(FetchReason.NAME_NOT_FOUND, f"{host}: {error}", passing=_may_pass(error)) from error
        if not found:
            raise FetchProblem(FetchReason.NAME_NOT_FOUND, host)
        return found


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _may_pass(error: Exception) -> bool:
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN


class PinnedResolver(AbstractResolver):
    """What the HTTP client asks: it gets the pinned addresses and nothing else."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The pinned addresses of the running request."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in PINNED.get()
        ]

    async def close(self) -> None:
        """Nothing is open."""
