"""One request at a time and a pause after each, for every host; longer pauses where the server asks for them."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from email.utils import formatdate
from pathlib import Path

from tests.curation.fetching.crawls import crawl
from tests.curation.fetching.sites import Sites, answer, redirect

SLACK_SECONDS = 0.005  # of two clocks


def pauses(sites: Sites) -> dict[str, list[float]]:
    """Seconds between the end of a request and the beginning of the next one, by host."""
    by_host = defaultdict(list)
    for request in sites.requests:
        by_host[request.host].append((request.began, request.ended))
    return {host: [later[0] - earlier[1] for earlier, later in itertools.pairwise(sorted(times))] for host, times in by_host.items()}


def test_hosts_are_asked_one_request_at_a_time_with_pauses(tmp_path: Path) -> None:
    places = [f"h{host}.example/{page}" for page in range(3) for host in range(5)]
    with Sites({place: answer(place.encode()) for place in places}, delay_seconds=0.05) as sites:
        # Redirects of pages and of robots.txt lead into the turns of other hosts.
        sites.pages["h0.example/0"] = redirect(sites.url("h1.example/new"))
        sites.pages["h2.example/robots.txt"] = redirect(sites.url("h1.example/robots.txt"))
        began = time.monotonic()
        crawl(tmp_path, [sites.url(place) for place in places], delay_seconds=0.1)
        assert set(sites.most_at_once.values()) == {1}
        assert min(min(values) for values in pauses(sites).values()) >= 0.1 - SLACK_SECONDS
        assert time.monotonic() - began < sum(0.15 for _ in sites.requests) * 0.9  # the hosts were asked side by side


def test_the_number_of_requests_under_way_is_limited(tmp_path: Path) -> None:
    places = [f"h{host}.example/" for host in range(12)]
    with Sites({place: answer(place.encode()) for place in places}, delay_seconds=0.02) as sites:
        crawl(tmp_path, [sites.url(place) for place in places], connections=3)
        moments = sorted([(request.began, 1) for request in sites.requests] + [(request.ended, -1) for request in sites.requests])
        assert 2 <= max(itertools.accumulate(change for _, change in moments)) <= 3


def test_crawl_delay_is_kept(tmp_path: Path) -> None:
    places = ["a.example/1", "a.example/2", "a.example/3"]
    with Sites({place: answer(place.encode()) for place in places}) as sites:
        sites.pages["a.example/robots.txt"] = answer(b"user-agent: *\ncrawl-delay: 0.2\n")
        crawl(tmp_path, [sites.url(place) for place in places])
        assert len(pauses(sites)["a.example"]) == 4 and min(pauses(sites)["a.example"]) >= 0.2 - SLACK_SECONDS


def test_retry_after_is_kept_by_the_whole_host(tmp_path: Path) -> None:
    busy = answer(b"", "429 Too Many Requests", "Retry-After: 1")
    with Sites({"a.example/2": answer(b"two")}) as sites:
        sites.pages["a.example/1"] = lambda earlier: busy if earlier == 0 else answer(b"one")
        found = crawl(tmp_path, [sites.url("a.example/1"), sites.url("a.example/2")])
        assert {row["reason"] for row in found.values()} == {"whole"}
        paths = [request.path for request in sites.requests][2:]
        assert paths == ["/1", "/1", "/2"]
        assert pauses(sites)["a.example"][2] >= 1 - SLACK_SECONDS


def test_retry_after_may_be_a_date_and_is_capped(tmp_path: Path) -> None:
    busy = answer(b"", "503 Busy", f"Retry-After: {formatdate(time.time() + 3600, usegmt=True)}")
    with Sites() as sites:
        sites.pages["a.example/"] = lambda earlier: busy if earlier == 0 else answer(b"one")
        began = time.monotonic()
        found = crawl(tmp_path, [sites.url("a.example/")], max_retry_after_seconds=0.3)
        assert found[sites.url("a.example/")]["reason"] == "whole"
        assert 0.3 <= time.monotonic() - began < 3
        assert pauses(sites)["a.example"][-1] >= 0.3 - SLACK_SECONDS


def test_a_server_that_stays_busy_is_left_alone(tmp_path: Path) -> None:
    with Sites({"a.example/": answer(b"", "503 Busy")}) as sites:
        row = crawl(tmp_path, [sites.url("a.example/")], retries=2)[sites.url("a.example/")]
        assert (row["outcome"], row["reason"], row["status"]) == ("failed", "still_busy", 503)
        assert sites.asked()["a.example/"] == 3


def test_a_host_that_only_fails_is_given_up(tmp_path: Path) -> None:
    places = [f"a.example/{number}" for number in range(20)]
    with Sites(dict.fromkeys(places, b"")) as sites:
        found = crawl(tmp_path, [sites.url(place) for place in places], max_host_failures=4, retries=0)
        reasons = [row["reason"] for row in found.values()]
        assert reasons.count("disconnected") == 4 and reasons.count("host_given_up") == 16
        assert sum(sites.asked().values()) == 4
