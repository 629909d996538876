"""From a list of links to a folder of WARC files, with the outcome of every link; goes on where an earlier run ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curation import storage
from curation.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, InterruptedRun, PipelineError, UsageError
from curation.fetching.crawler import Crawler
from curation.fetching.frontier import Frontier
from curation.fetching.link_lists import identity, read_karma, read_links
from curation.fetching.outcomes import FetchReason, Outcome
from curation.fetching.recovery import recover
from curation.fetching.resolver import Lookup
from curation.fetching.results import summarise, write_outcomes, write_summary
from curation.fetching.warc_files import WarcFiles
from curation.fetching.warc_records import warcinfo_record
from curation.lock import run_lock
from curation.progress import Progress
from curation.recipe_fetch import FetchSettings

SOFTWARE = "crawl2gpt"
FRONTIER = "frontier.sqlite"
PROGRESS_SECONDS = 1.0
UNREACHED = frozenset({FetchReason.NAME_NOT_FOUND, FetchReason.NOT_CONNECTED, FetchReason.TIMED_OUT, FetchReason.HOST_GIVEN_UP})
CODES = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}


def fetch_links(
    settings: FetchSettings, list_path: str, output: str, progress: Progress, limit: int | None = None, lookup: Lookup | None = None
) -> dict[str, Any]:
    """Fetch what waits of a list into a folder; returns the summary, which is also committed there, as are the outcomes.

    ``limit``: only the first links of the list. ``lookup``: names to addresses, if not by the system.

    Raises:
        UsageError: no contact is given, or the folder is no local one; nothing is written.
        InputError: the list cannot be read, or the folder belongs to another.
        PipelineError: something cannot be written, or not one server could be reached.
        InterruptedRun: SIGINT or SIGTERM came; what was stored is kept and told of.
    """
    if settings.contact is None:
        raise UsageError("no contact is given: sites must be able to reach whoever crawls them; --contact ADDRESS, or fetch.contact")
    if storage.is_remote(output):
        raise UsageError(f"{output} is no local folder; fetch into one, and copy the closed files from there")
    source = identity(list_path, limit)
    with run_lock(output):
        folder = storage.local_path(output)
        storage.remove_temporary_files(output)
        frontier = Frontier(folder / FRONTIER, settings.allow_private_hosts)
        try:
            resumed = frontier.fill(read_links(list_path, limit), source)
            found = recover(folder, frontier)
            if resumed:
                progress.say(f"fetch: going on, {frontier.waiting():,} links wait" + (f"; {found} found in a torn file" if found else ""))
            stopped = asyncio.run(_crawl(settings, frontier, folder, resumed, progress, lookup))
            write_outcomes(frontier, folder, read_karma(list_path, limit))
            summary = summarise(frontier, folder)
            write_summary(folder, summary)
        except sqlite3.Error as error:
            raise PipelineError(f"cannot use {folder / FRONTIER}: {error}; free space, then run the same command again to go on") from error
        finally:
            frontier.close()
    if stopped is not None:
        raise InterruptedRun("stopped; what is stored stays, run the same command again to go on", CODES[stopped])
    _check_success(summary)
    return summary


async def _crawl(
    settings: FetchSettings, frontier: Frontier, folder: Path, resumed: bool, progress: Progress, lookup: Lookup | None
) -> signal.Signals | None:
    """Work through the frontier; returns the signal that ended it early."""
    agent = user_agent(settings)
    files = WarcFiles(folder, settings.file_bytes, lambda name: warcinfo_record(name, _now(), _warcinfo(settings, agent)))
    try:
        with _stop_signals() as (stop, received):
            total = frontier.waiting()
            crawler = Crawler(frontier, files, settings, agent, resumed, lookup)
            telling = asyncio.create_task(_tell(crawler, total, progress))
            try:
                await crawler.run(stop)
            finally:
                telling.cancel()
            return received[0] if received else None
    finally:
        files.close()


@contextlib.contextmanager
def _stop_signals() -> Iterator[tuple[asyncio.Event, list[signal.Signals]]]:
    """An event that SIGINT and SIGTERM set, and the list of those that came."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    received: list[signal.Signals] = []

    def take(number: signal.Signals) -> None:
        received.append(number)
        stop.set()

    earlier = {number: signal.getsignal(number) for number in CODES}
    try:
        for number in CODES:
            loop.add_signal_handler(number, take, number)
    except (RuntimeError, ValueError):  # in another thread than the main one there are no signals
        yield stop, received
        return
    try:
        yield stop, received
    finally:
        for number, handler in earlier.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def _tell(crawler: Crawler, total: int, progress: Progress) -> None:
    started = time.monotonic()
    with progress.bar("fetch", max(total, 1)) as update:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            done = crawler.counts.total()
            fetched = sum(count for reason, count in crawler.counts.items() if reason.outcome is Outcome.FETCHED)
            update(done, f"{fetched:,} pages of {done:,} links, {done / (time.monotonic() - started):.1f} links/s")


def user_agent(settings: FetchSettings) -> str:
    """What servers are told of us: the robot's name, the program and whom to turn to."""
    return f"{settings.robot}/1.0 ({SOFTWARE}; +{settings.contact})"


def _warcinfo(settings: FetchSettings, agent: str) -> dict[str, str]:
    return {
        "software": SOFTWARE,
        "format": "WARC File Format 1.1",
        "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "operator": str(settings.contact),
        "http-header-user-agent": agent,
        "robots": "classic" if settings.respect.robots else "ignore",
        "description": f"respected: {settings.respect.model_dump_json()}",
    }


def _check_success(summary: dict[str, Any]) -> None:
    """Not one server could be reached: that is no fault of theirs."""
    outcomes = summary["outcomes"]
    failed = set(outcomes.get(Outcome.FAILED, ()))
    if Outcome.FETCHED not in outcomes and failed and failed <= UNREACHED:
        said = ", ".join(sorted(failed))
        raise PipelineError(f"not one server could be reached ({said}); see that the network is there, then begin in a new folder")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
