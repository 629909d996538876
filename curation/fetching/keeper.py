"""What is done with an answer: followed, refused, or stored. First the WARC file, then the frontier, so that none is ever lost.

All methods belong to one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from curation.errors import PipelineError
from curation.fetching.client import Exchange
from curation.fetching.frontier import Frontier, Link, Stored
from curation.fetching.opt_outs import META_BYTES, header_wish, meta_wish
from curation.fetching.outcomes import FetchProblem, FetchReason
from curation.fetching.site_files import REDIRECTS
from curation.fetching.targets import parse_target
from curation.fetching.warc_files import Place, WarcFiles
from curation.fetching.warc_records import Answer, Original, answer_record, request_record, to_answer
from curation.recipe_fetch import FetchSettings
from curation.sources.http import media_type, parse_response

SYNC_SECONDS = 5.0  # our choice: what a power failure may cost; a killed process costs nothing
BUSY = frozenset({429, 503})
MARKUP = frozenset({None, "text/html", "application/xhtml+xml", "application/xml", "text/xml"})


class Keeper:
    """Settles answers. ``finished``: called with the reason of every link that is done."""

    def __init__(self, frontier: Frontier, files: WarcFiles, settings: FetchSettings, finished: Callable[[FetchReason], None]) -> None:
        self._frontier = frontier
        self._files = files
        self._settings = settings
        self._finished = finished
        self._synced = time.monotonic()

    def refuse(self, link: Link, problem: FetchProblem, status: int | None = None) -> None:
        """The link is done without an answer."""
        self._frontier.refuse(link.number, problem, status)
        self._finished(problem.reason)

    def give_up(self, host: int) -> None:
        """The links of a host that wait are done."""
        for _ in range(self._frontier.give_up(host, FetchReason.HOST_GIVEN_UP)):
            self._finished(FetchReason.HOST_GIVEN_UP)

    def settle(self, link: Link, exchange: Exchange) -> None:
        """Store an answer, unless its site does not want it; follow it, if it is a redirect.

        Raises:
            PipelineError: the WARC file cannot be written.
        """
        try:
            self._settle(link, exchange)
        except FetchProblem as problem:
            self.refuse(link, problem, exchange.status)
        except OSError as error:
            said = error.strerror or str(error)
            raise PipelineError(f"cannot write a WARC file: {said}; free space, then run the same command again to go on") from error

    def _settle(self, link: Link, exchange: Exchange) -> None:
        if exchange.status in BUSY:
            raise FetchProblem(FetchReason.STILL_BUSY)
        self._check_wishes(exchange)
        answer = to_answer(exchange)
        location = exchange.headers.get("Location")
        if exchange.status in REDIRECTS and location:
            self._write(answer, None)
            self._follow(link, location)
            return
        original = self._frontier.original_of(answer.payload_digest) if _is_original(answer) else None
        place = self._write(answer, original)
        reason = FetchReason.SAME_PAYLOAD if original else FetchReason(f"cut_{exchange.truncated}" if exchange.truncated else "whole")
        stored = Stored(reason, exchange.status, len(exchange.received), place, exchange.date)
        payload = (answer.payload_digest, Original(answer.record_id, str(exchange.target), exchange.date))
        self._frontier.store(link.number, stored, payload if _is_original(answer) and original is None else None)
        self._finished(reason)
        self._sync_sometimes()

    def _check_wishes(self, exchange: Exchange) -> None:
        respect, robot = self._settings.respect, self._settings.robot
        wish = header_wish(exchange.header_values("X-Robots-Tag"), exchange.header_values("tdm-reservation"), robot, respect)
        if wish is None and (respect.robots_tags or respect.tdm_reservation) and media_type(exchange.headers.get("Content-Type")) in MARKUP:
            wish = meta_wish(parse_response(exchange.message(), META_BYTES).body, robot, respect)
        if wish is not None:
            raise FetchProblem(wish)

    def _follow(self, link: Link, location: str) -> None:
        target = parse_target(location, link.target, self._settings.allow_private_hosts)
        if link.redirects >= self._settings.max_redirects or target == link.target:
            raise FetchProblem(FetchReason.TOO_MANY_REDIRECTS, location)
        if not self._frontier.redirect(link.number, target):
            self._finished(FetchReason.REDIRECT_TO_KNOWN)

    def _write(self, answer: Answer, original: Original | None) -> Place:
        return self._files.write([answer_record(answer, original), request_record(answer)])

    def _sync_sometimes(self) -> None:
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            place = self._files.sync()
            if place is not None:
                self._frontier.write_synced(place)
            self._synced = time.monotonic()


def _is_original(answer: Answer) -> bool:
    """Whether a revisit may point to an answer: a whole page with a body."""
    return answer.exchange.status == 200 and bool(answer.body) and answer.exchange.truncated is None
