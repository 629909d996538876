"""What a site says about all of its pages: robots.txt and tdmrep.json, asked for once a day.

Kept in the frontier, so that a run that goes on does not ask again, and the newest also in memory.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from yarl import URL

from curation.fetching.client import Exchange
from curation.fetching.opt_outs import MAX_TDM_FILE_BYTES, TdmRules
from curation.fetching.outcomes import FetchProblem, FetchReason
from curation.fetching.robots import MAX_BYTES, Robots
from curation.fetching.targets import parse_target
from curation.recipe_fetch import FetchSettings
from curation.sources.http import parse_response

KEEP_SECONDS = 24 * 3600.0  # RFC 9309, section 2.4
MAX_REDIRECTS = 5  # RFC 9309, section 2.3.1.2
KEPT_SITES = 1000
HEADER_BYTES = 256 << 10  # room for the header beside the file
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4

Ask = Callable[[URL, int, float], Awaitable[Exchange]]  # address, most bytes, known pause of the host in seconds


class SiteFileStore(Protocol):
    """Where answers are kept, with the wall-clock time at which they came."""

    async def read_site_file(self, url: str) -> tuple[float, str, bytes] | None:
        """Time, state and content; None if there is none."""

    async def write_site_file(self, url: str, fetched: float, state: str, content: bytes) -> None:
        """Keep an answer."""


@dataclass(frozen=True)
class SiteRules:
    """The rules of a site, ready to be asked. ``ban``: why none of its pages may be asked for."""

    robots: Robots
    reserved: TdmRules
    ban: FetchReason | None = None
    detail: str = ""

    def check(self, target: URL, settings: FetchSettings) -> None:
        """Let an address of the site pass.

        Raises:
            FetchProblem: the site does not want it to be asked for.
        """
        if self.ban:
            raise FetchProblem(self.ban, self.detail)
        if settings.respect.robots and not self.robots.allows(str(target)):
            raise FetchProblem(FetchReason.ROBOTS_DISALLOWED)
        if settings.respect.robots and self.robots.delay_seconds > settings.max_crawl_delay_seconds:
            raise FetchProblem(FetchReason.CRAWL_DELAY_TOO_LONG, f"{self.robots.delay_seconds:g} s")
        if settings.respect.tdm_reservation and self.reserved.reserves(target.raw_path_qs):
            raise FetchProblem(FetchReason.TDM_FILE)


class SiteFiles:
    """The rules of sites, a site being scheme, host and port."""

    def __init__(self, ask: Ask, store: SiteFileStore, settings: FetchSettings) -> None:
        self._ask = ask
        self._store = store
        self._settings = settings
        self._kept: OrderedDict[URL, tuple[float, SiteRules]] = OrderedDict()

    async def rules(self, target: URL) -> SiteRules:
        """The rules of an address's site, asked for where they are not known or older than a day."""
        site = target.origin()
        fetched, rules = self._kept.get(site, (0.0, None))
        if rules is None or time.time() - fetched > KEEP_SECONDS:
            fetched, rules = await self._make(site)
            self._kept[site] = (fetched, rules)
            if len(self._kept) > KEPT_SITES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(site)
        return rules

    async def _make(self, site: URL) -> tuple[float, SiteRules]:
        respect, nothing = self._settings.respect, (time.time(), "", b"")
        fetched, state, content = await self._file(site.with_path("/robots.txt"), MAX_BYTES) if respect.robots else nothing
        robots = Robots(content, self._settings.robot)
        if state:
            reason, _, detail = state.partition(" ")
            return fetched, SiteRules(robots, TdmRules(b""), FetchReason(reason), f"robots.txt: {detail}")
        if not respect.tdm_reservation or robots.delay_seconds > self._settings.max_crawl_delay_seconds:  # then no page is asked for
            return fetched, SiteRules(robots, TdmRules(b""))
        # A file that cannot be had reserves nothing: for robots.txt alone a standard says otherwise.
        later, _, content = await self._file(site.with_path("/.well-known/tdmrep.json"), MAX_TDM_FILE_BYTES, robots.delay_seconds)
        return min(fetched, later), SiteRules(robots, TdmRules(content))

    async def _file(self, url: URL, max_bytes: int, delay_seconds: float = 0.0) -> tuple[float, str, bytes]:
        """When a file was fetched, what bans the site for want of it, and its content."""
        kept = await self._store.read_site_file(str(url))
        if kept is None or time.time() - kept[0] > KEEP_SECONDS:
            try:
                state, content = "", await self._fetch(url, max_bytes, delay_seconds)
            except FetchProblem as problem:
                state, content = f"{problem.reason.value} {problem.detail}", b""
            kept = (time.time(), state, content)
            await self._store.write_site_file(str(url), *kept)
        return kept

    async def _fetch(self, url: URL, max_bytes: int, delay_seconds: float) -> bytes:
        """The content of a file; empty where the site has none (4xx, too many redirects)."""
        target = url
        for _ in range(MAX_REDIRECTS + 1):
            exchange = await self._ask(target, max_bytes + HEADER_BYTES, delay_seconds if target.host == url.host else 0.0)
            location = exchange.headers.get("Location")
            if exchange.status in REDIRECTS and location:
                target = parse_target(location, target, self._settings.allow_private_hosts)
                continue
            if exchange.truncated not in (None, "length"):
                raise FetchProblem(FetchReason.ROBOTS_UNREACHABLE, f"the answer was cut short ({exchange.truncated})")
            if 200 <= exchange.status < 300:
                return parse_response(exchange.message(), max_bytes).body
            if 400 <= exchange.status < 500 and exchange.status != 429:  # too many requests: as Google, a server that is busy
                return b""
            raise FetchProblem(FetchReason.ROBOTS_UNREACHABLE, f"the server answered {exchange.status}")
        return b""
