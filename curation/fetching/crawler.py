"""The crawl: hosts are visited side by side, the links of one host one after the other.

Each host is a task that mostly waits for its turn. What waits stands in the frontier and only a few links of each visited host
in memory, so that memory depends on the recipe's limits and not on the number of links.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from yarl import URL

from curation.fetching.client import Exchange, PageClient
from curation.fetching.frontier import Frontier, Link
from curation.fetching.keeper import BUSY, Keeper
from curation.fetching.outcomes import FetchProblem, FetchReason, Outcome
from curation.fetching.politeness import Politeness
from curation.fetching.resolver import CheckedResolver, Lookup
from curation.fetching.site_files import SiteFiles
from curation.fetching.warc_files import WarcFiles
from curation.recipe_fetch import FetchSettings
from curation.sources.web import retry_after

LINKS_AT_ONCE = 20  # of one host, taken from the frontier into memory
HOSTS_AT_ONCE = 200  # looked up in the frontier together
ROUND_PAUSE_SECONDS = 0.1  # between two searches of the whole frontier for hosts that nobody visits

Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")


class Crawler:
    """Works through a frontier. ``lookup``: names to addresses, if not by the system."""

    def __init__(
        self, frontier: Frontier, files: WarcFiles, settings: FetchSettings, user_agent: str, resumed: bool, lookup: Lookup | None = None
    ) -> None:
        self.counts: Counter[FetchReason] = Counter()  # of links that this process finished
        self._settings = settings
        # How long pauses that an earlier process owes to hosts can last.
        owed_seconds = max(settings.delay_seconds, settings.max_crawl_delay_seconds, settings.max_retry_after_seconds)
        self._owed_until = time.monotonic() + owed_seconds if resumed else 0.0
        self._asked: set[str] = set()  # hosts that this process has asked, while pauses of an earlier one can last
        self._frontier = frontier
        self._keeper = Keeper(frontier, files, settings, self._count)
        self._politeness = Politeness(settings.connections, settings.delay_seconds)
        self._client = PageClient(CheckedResolver(lookup, settings.allow_private_hosts), user_agent, settings.timeout_seconds)
        self._sites = SiteFiles(self._ask, self, settings)
        self._keeping = ThreadPoolExecutor(1, thread_name_prefix="keeper")

    def _count(self, reason: FetchReason) -> None:
        self.counts[reason] += 1

    async def run(self, stop: asyncio.Event) -> None:
        """Work until nothing waits, or until ``stop``: then requests under way are dropped, and answers being stored are stored.

        Raises:
            PipelineError: something cannot be written.
        """
        visits: dict[asyncio.Task[None], int] = {}
        stopping = asyncio.create_task(stop.wait())
        try:
            async with self._client:
                try:
                    await self._visit_all(visits, stopping)
                finally:
                    for task in (*visits, stopping):
                        task.cancel()
                    await asyncio.gather(*visits, stopping, return_exceptions=True)
        finally:
            self._keeping.shutdown()

    async def _visit_all(self, visits: dict[asyncio.Task[None], int], stopping: asyncio.Task[bool]) -> None:
        """Start a visit of every host that has links waiting, round and round, since redirects lead back to hosts that were done."""
        place, started = -1, 0
        while not stopping.done():
            room = self._settings.hosts - len(visits)
            ready = await self._kept(self._frontier.next_hosts, place, min(HOSTS_AT_ONCE, room)) if room else []
            visited = set(visits.values())
            for host in ready:
                if host not in visited:
                    visits[asyncio.create_task(self._visit(host))] = host
                    started += 1
            if ready:
                place = ready[-1]
                continue
            if room:  # the end of a round
                if not visits and not started:
                    return
                place, started = -1, 0
                await asyncio.sleep(ROUND_PAUSE_SECONDS)
            if visits:
                done, _ = await asyncio.wait([*visits, stopping], return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopping}:
                    del visits[task]  # type: ignore[arg-type]
                    task.result()

    async def _visit(self, host: int) -> None:
        """Work through the links of a host."""
        failures = 0
        while links := await self._kept(self._frontier.next_links, host, LINKS_AT_ONCE):
            for link in links:
                failures = 0 if await self._fetch(link) else failures + 1
                if failures >= self._settings.max_host_failures:
                    await self._kept(self._keeper.give_up, host)
                    return

    async def _fetch(self, link: Link) -> bool:
        """Ask for a link's address, if that is allowed; False if the server was asked and did not answer."""
        asked = False
        try:
            rules = await self._sites.rules(link.target)
            rules.check(link.target, self._settings)
            asked = True
            exchange = await self._ask(link.target, self._settings.max_bytes, rules.robots.delay_seconds)
        except FetchProblem as problem:
            await self._kept(self._keeper.refuse, link, problem)
            return not (asked and problem.reason.outcome is Outcome.FAILED)
        await self._kept(self._keeper.settle, link, exchange)
        return exchange.status not in BUSY

    async def _ask(self, target: URL, max_bytes: int, delay_seconds: float = 0.0) -> Exchange:
        """The answer of a server, which is asked again where that may help, in the host's own turn.

        ``delay_seconds``: the pause that the host asks for after each request, where it is known.

        Raises:
            FetchProblem: there is none.
        """
        host, settings, tries = target.raw_host or "", self._settings, 0
        await self._pay_owed_pause(host, max(delay_seconds, settings.delay_seconds))
        while True:
            pause = settings.retry_seconds * 2.0 ** min(tries, 30)
            async with self._politeness.turn(host, delay_seconds):
                try:
                    exchange = await self._client.ask(target, max_bytes)
                    if exchange.status not in BUSY:
                        return exchange
                    asked = retry_after(exchange.headers.get("Retry-After"))
                    await self._hold(host, min(max(asked, pause), settings.max_retry_after_seconds))
                    if tries >= settings.retries:
                        return exchange
                except FetchProblem as problem:
                    if not problem.passing or tries >= settings.retries:
                        raise
                    await self._hold(host, min(pause, settings.max_retry_after_seconds))
            tries += 1

    async def _hold(self, host: str, seconds: float) -> None:
        self._politeness.hold(host, seconds)
        await self._kept(self._frontier.write_host, host, time.time() + seconds)

    async def _pay_owed_pause(self, host: str, delay_seconds: float) -> None:
        """Before the first request after a resumption: the host may have been asked a moment ago, or have asked for a longer pause."""
        if time.monotonic() >= self._owed_until:
            self._asked.clear()
        elif host not in self._asked:
            self._asked.add(host)
            not_before = await self._kept(self._frontier.read_host, host)
            self._politeness.hold(host, max(not_before - time.time(), delay_seconds))

    # --- the frontier's thread ---------------------------------------------------------------------------

    async def _kept(self, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Do work of the frontier or the keeper, which have a thread of their own."""
        return await asyncio.get_running_loop().run_in_executor(self._keeping, work, *arguments)

    async def read_site_file(self, url: str) -> tuple[float, str, bytes] | None:
        """As ``SiteFileStore`` has it."""
        return await self._kept(self._frontier.read_site_file, url)

    async def write_site_file(self, url: str, fetched: float, state: str, content: bytes) -> None:
        """As ``SiteFileStore`` has it."""
        await self._kept(self._frontier.write_site_file, url, fetched, state, content)
