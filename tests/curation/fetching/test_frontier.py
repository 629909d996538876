"""The frontier: filling it, and that no address is asked for twice whatever leads to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from yarl import URL

from curation.fetching.frontier import Frontier
from curation.fetching.outcomes import FetchProblem, FetchReason
from tests.curation.fetching.crawls import crawl, records
from tests.curation.fetching.sites import Sites, answer, redirect


def test_a_fill_that_was_killed_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.fetching.frontier.LINKS_PER_COMMIT", 2)
    urls = [f"http://a.example/{number}" for number in range(5)]

    def killed() -> Iterator[str]:
        yield from urls[:3]
        raise KeyboardInterrupt

    frontier = Frontier(tmp_path / "frontier.sqlite")
    with pytest.raises(KeyboardInterrupt):
        frontier.fill(killed(), "list")
    assert frontier.waiting() == 2
    assert frontier.fill(urls, "list") is False
    assert frontier.links() == frontier.waiting() == 5
    assert frontier.fill([], "list") is True  # now they are there
    assert [row[0] for row in frontier.rows()] == urls
    frontier.close()


def test_links_wait_by_host_in_the_order_of_the_list(tmp_path: Path) -> None:
    urls = [f"http://h{number % 7}.example/{number}" for number in range(50)]
    frontier = Frontier(tmp_path / "frontier.sqlite")
    frontier.fill(urls, "list")
    hosts = frontier.next_hosts(-1, 100)
    assert hosts == sorted(set(hosts)) and len(hosts) == 7
    assert frontier.next_hosts(-1, 3) + frontier.next_hosts(hosts[2], 3) + frontier.next_hosts(hosts[5], 3) == hosts
    assert frontier.next_hosts(hosts[6], 3) == []
    numbers = [[link.number for link in frontier.next_links(host, 100)] for host in hosts]
    assert sorted(number for part in numbers for number in part) == list(range(1, 51))
    assert all(part == sorted(part) for part in numbers) and len(frontier.next_links(hosts[0], 3)) == 3
    assert not frontier.redirect(numbers[0][0], URL(urls[20]))
    assert frontier.redirect(numbers[1][0], URL("http://new.example/"))
    assert len(frontier.next_hosts(-1, 100)) == 8
    assert frontier.give_up(hosts[2], FetchReason.HOST_GIVEN_UP) == len(numbers[2])
    frontier.refuse(numbers[3][0], FetchProblem(FetchReason.ROBOTS_DISALLOWED, "x\udcff"))
    assert sum(frontier.counts().values()) == 50 and frontier.waiting() == 50 - len(numbers[2]) - 2
    frontier.close()


@pytest.mark.parametrize("seed", range(3))
def test_no_web_of_redirects_makes_an_address_be_asked_for_twice(tmp_path: Path, seed: int) -> None:
    draws = random.Random(seed)
    places = [f"h{draws.randrange(4)}.example/{number}" for number in range(40)]
    with Sites() as sites:
        for place in places:
            sites.pages[place] = redirect(sites.url(draws.choice(places))) if draws.random() < 0.6 else answer(place.encode())
        listed = draws.sample(places, 20)
        found = crawl(tmp_path, [sites.url(place) for place in listed])
        assert max(sites.asked().values()) == 1
        stored = [uri for kind, uri, *_ in records(tmp_path / "warc") if kind == "response"]
        assert sorted(stored) == sorted(sites.url(place) for place in sites.asked())
        for place in listed:  # where a link leads, as a browser would find out
            at, hops = place, 0
            while isinstance(page := sites.pages[at], bytes) and b"Location: " in page and hops <= len(places):
                at, hops = page.split(b"Location: http://")[1].split(b"\r\n")[0].decode().replace(f":{sites.port}", ""), hops + 1
            row = found[sites.url(place)]
            if row["outcome"] == "fetched":
                assert (row["final_url"], row["redirects"]) == (sites.url(at), hops)
            else:
                assert row["reason"] in ("redirect_to_known", "too_many_redirects")
                assert at in sites.asked() or hops > 5
