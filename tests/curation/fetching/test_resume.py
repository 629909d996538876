"""A crawl that was stopped or killed goes on: no page lost, none fetched twice, hosts still in peace."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from multidict import CIMultiDict
from yarl import URL

from curation.errors import EXIT_TERMINATED, InputError, InterruptedRun, LockedError, PipelineError
from curation.fetching.client import Exchange
from curation.fetching.frontier import Frontier
from curation.fetching.keeper import Keeper
from curation.fetching.recovery import recover
from curation.fetching.warc_files import Place, WarcFiles
from curation.fetching.warc_records import answer_record, request_record, to_answer, warcinfo_record
from curation.lock import run_lock
from tests.curation.fetching.crawls import CONTACT, crawl, records, rows, settings
from tests.curation.fetching.sites import Sites, answer

REPOSITORY = Path(__file__).resolve().parents[3]
URLS = [f"http://a.example/{number}" for number in range(3)]
DATE = "2026-11-01T00:00:00.000Z"


def exchange_with(url: str) -> Exchange:
    body = f"page {url}".encode()
    exchange = Exchange(URL(url), 1000, ("127.0.0.1",), DATE, "127.0.0.1", b"GET / HTTP/1.1\r\n\r\n", bytearray(answer(body)), 200)
    exchange.headers = CIMultiDict({"Content-Type": "text/html"})
    return exchange


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, int, int]:
    """A crawl killed while it stored: of three links the frontier knows one, the file holds two and the beginning of the third.

    Returns the folder, the end of the second link's records, and the end of the third's.
    """
    folder = tmp_path / "killed"
    folder.mkdir()
    frontier = Frontier(folder / "frontier.sqlite")
    frontier.fill(URLS, "list")
    files = WarcFiles(folder, 1 << 30, lambda name: warcinfo_record(name, DATE, {"software": "test"}))
    host = frontier.next_hosts(-1, 10)[0]
    keeper = Keeper(frontier, files, settings(), lambda reason: None)
    keeper.settle(frontier.next_links(host, 1)[0], exchange_with(URLS[0]))
    ends = []
    for url in URLS[1:]:
        stored = to_answer(exchange_with(url))
        files.write([answer_record(stored, None), request_record(stored)])
        place = files.sync()
        assert place
        ends.append(place.offset)
    frontier.close()
    return folder, ends[0], ends[1]


def recovered(folder: Path) -> tuple[int, list[str | None]]:
    """Links found stored, and the outcome of each link, after a recovery; what is stored is read back."""
    frontier = Frontier(folder / "frontier.sqlite")
    found = recover(folder, frontier)
    outcomes = {row[0]: row[1] for row in frontier.rows()}
    known = [(row[6], row[7]) for row in frontier.rows() if row[6]]
    frontier.close()
    assert not list(folder.glob("*.open"))
    stored = [uri for kind, uri, *_ in records(folder) if kind == "response"]
    assert stored == [url for url in URLS if outcomes[url]] and len(known) == len(stored)
    return found, [outcomes[url] for url in URLS]


def test_whole_answers_are_kept_and_torn_ones_cut_off(killed: tuple[Path, int, int], tmp_path: Path) -> None:
    folder, second_end, third_end = killed
    [path] = folder.glob("*.open")
    for size in [*range(second_end, third_end, 37), third_end - 1]:
        shutil.copytree(folder, copy := tmp_path / str(size))
        os.truncate(copy / path.name, size)
        assert recovered(copy) == (1, ["fetched", "fetched", None])
    assert recovered(folder) == (2, ["fetched", "fetched", "fetched"])


def test_what_a_power_failure_took_is_fetched_again(killed: tuple[Path, int, int], tmp_path: Path) -> None:
    folder, second_end, _ = killed
    [path] = folder.glob("*.open")
    for size, found, outcomes in [(100, 0, [None] * 3), (0, 0, [None] * 3), (second_end - 10, 0, ["fetched", None, None])]:
        shutil.copytree(folder, copy := tmp_path / str(size))
        os.truncate(copy / path.name, size)
        assert recovered(copy) == (found, outcomes)
    content = bytearray(path.read_bytes())
    content[second_end - 100 : second_end - 60] = bytes(40)  # a block that never reached the disk
    path.write_bytes(content)
    assert recovered(folder)[1] == ["fetched", None, None]


def test_a_file_shorter_than_what_was_synced_is_read_from_its_beginning(killed: tuple[Path, int, int]) -> None:
    folder, second_end, third_end = killed
    [path] = folder.glob("*.open")
    frontier = Frontier(folder / "frontier.sqlite")
    frontier.write_synced(Place(path.name.removesuffix(".open"), third_end))
    frontier.close()
    os.truncate(path, second_end + 10)
    assert recovered(folder) == (1, ["fetched", "fetched", None])


def test_a_full_disk_ends_the_crawl_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [f"a.example/{number}" for number in range(6)]
    writes = 0

    def write(descriptor: int, content: bytes) -> int:
        nonlocal writes
        writes += 1
        if writes == 4:
            os.pwrite(descriptor, b"half of a record", os.lseek(descriptor, 0, os.SEEK_CUR))
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, content)

    with Sites({place: answer(place.encode()) for place in places}) as sites:
        urls = [sites.url(place) for place in places]
        real_write = os.write
        with monkeypatch.context() as patch:
            patch.setattr("curation.fetching.warc_files.os.write", write)
            with pytest.raises(PipelineError, match="cannot write a WARC file: No space left on device; free space"):
                crawl(tmp_path, urls)
        assert {row["outcome"] for row in crawl(tmp_path, urls).values()} == {"fetched"}
        assert Counter(uri for kind, uri, *_ in records(tmp_path / "warc") if kind == "response") == Counter(urls)


def test_a_foreign_file_in_the_frontiers_place(tmp_path: Path) -> None:
    (tmp_path / "warc").mkdir()
    (tmp_path / "warc/frontier.sqlite").write_bytes(b"something else " * 100)
    with pytest.raises(InputError, match=r"frontier\.sqlite"):
        crawl(tmp_path, ["http://a.example/"])


def test_a_finished_crawl_asks_for_nothing_again(tmp_path: Path) -> None:
    with Sites({"a.example/": answer(b"page")}) as sites:
        first = crawl(tmp_path, [sites.url("a.example/")])
        asked = len(sites.requests)
        assert crawl(tmp_path, [sites.url("a.example/")]) == first and len(sites.requests) == asked
        with pytest.raises(InputError, match="another list"):
            crawl(tmp_path, [sites.url("a.example/"), sites.url("a.example/2")])


def test_a_folder_is_worked_on_by_one_process(tmp_path: Path) -> None:
    with run_lock(str(tmp_path / "warc")), pytest.raises(LockedError):
        crawl(tmp_path, ["http://a.example/"])


def test_a_stop_is_clean_and_hosts_keep_their_peace(tmp_path: Path) -> None:
    places = [f"h{host}.example/{page}" for page in range(4) for host in range(4)]
    stop_at = 18  # requests; the first eight are for files about the sites
    with Sites({place: answer(place.encode()) for place in places}, delay_seconds=0.01) as sites:

        def stop(earlier: int) -> bytes:
            os.kill(os.getpid(), signal.SIGTERM)
            return answer(b"the last one")

        sites.pages["h3.example/1"] = stop
        urls = [sites.url(place) for place in places]
        with pytest.raises(InterruptedRun) as stopped:
            crawl(tmp_path, urls, delay_seconds=0.3)
        assert stopped.value.exit_code == EXIT_TERMINATED
        assert not list((tmp_path / "warc").glob("*.open"))
        before = rows(tmp_path / "warc")
        kept = {url for url, row in before.items() if row["outcome"] == "fetched"}
        assert 0 < len(kept) < len(places)
        requests = len(sites.requests)
        sites.pages["h3.example/1"] = answer(b"after all")
        found = crawl(tmp_path, urls, delay_seconds=0.3)
        assert {row["reason"] for row in found.values()} == {"whole"} and requests < stop_at + 8
        assert not kept & {sites.url(request.host + request.path) for request in sites.requests[requests:]}
        for host in range(4):
            times = sorted((request.began, request.ended) for request in sites.requests if request.host == f"h{host}.example")
            assert min(later[0] - earlier[1] for earlier, later in itertools.pairwise(times)) >= 0.3 - 0.005
        assert Counter(uri for kind, uri, *_ in records(tmp_path / "warc") if kind == "response") == Counter(urls)


def kill_and_go_on(tmp_path: Path, hosts: int, pages: int, kills: int) -> None:
    """Crawl by the command line, kill the process in the middle a few times, let it end, and compare what is there."""
    places = [f"127.0.0.{host}/{page}" for page in range(pages) for host in range(2, hosts + 2)]
    with Sites({place: answer(place.encode() * 500) for place in places}, delay_seconds=0.01) as sites:
        links = tmp_path / "links.txt"
        links.write_text("".join(f"{sites.url(place)}\n" for place in places))
        output = tmp_path / "warc"
        options = ["--contact", CONTACT, "--allow-private-hosts", "--quiet", "--set", "fetch.delay_seconds=0.02"]
        command = [sys.executable, str(REPOSITORY / "cli.py"), "fetch", str(links), "--output", str(output), *options]
        sure: set[str] = set()  # what earlier processes stored
        for kill in range(kills):
            seen = len(sites.requests)
            process = subprocess.Popen(command, cwd=REPOSITORY)
            while sum(sites.asked().values()) < len(places) * (kill + 1) // (kills + 1):
                assert process.poll() is None
                time.sleep(0.002)
            process.kill()
            process.wait()
            assert not sure & {sites.url(request.host + request.path) for request in sites.requests[seen:]}
            frontier = Frontier(output / "frontier.sqlite")
            sure = {row[0] for row in frontier.rows() if row[1]}
            frontier.close()
            assert sure
        seen = len(sites.requests)
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        assert not sure & {sites.url(request.host + request.path) for request in sites.requests[seen:]}
        urls = [sites.url(place) for place in places]
        assert {url: row["outcome"] for url, row in rows(output).items()} == dict.fromkeys(urls, "fetched")
        assert Counter(uri for kind, uri, *_ in records(output) if kind in ("response", "revisit")) == Counter(urls)
        assert set(sites.most_at_once.values()) == {1}
        twice = sum(sites.asked().values()) - len(places)
        assert twice <= kills * hosts  # only what was under way when the process died


def test_kill_and_go_on(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, hosts=8, pages=12, kills=1)


@pytest.mark.slow
def test_kill_again_and_again(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, hosts=20, pages=60, kills=8)
