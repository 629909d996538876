"""Crawls of a snapshot from a real web server that misbehaves: the same bytes as from local files, nothing fetched twice."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from curation.sources.web import BLOCK_BYTES
from tests.curation.archive_server import ArchiveServer, Mood, archive_server
from tests.curation.runs import ROOT, command_line, outputs, pages_of, run_here, run_program, table, write_pages
from tests.shared_data import shared

SNAPSHOT = "CC-MAIN-2024-22"
LIST = f"crawl-data/{SNAPSHOT}/warc.paths.gz"


def path_of(number: int) -> str:
    return f"crawl-data/{SNAPSHOT}/segments/1/warc/file-{number:05d}.warc.gz"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder with a snapshot of four files, the second of which holds a record of the first again."""
    folder = tmp_path / "mirror"
    for number in range(4):
        target = folder / path_of(number)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_pages(target, pages_of(3 + number, f"site{number}.example"), first=2 if number == 1 else 100 * number)
    (folder / LIST).write_bytes(gzip.compress("".join(f"{path_of(number)}\n" for number in range(4)).encode()))
    return folder


@pytest.fixture
def server(mirror: Path) -> Iterator[ArchiveServer]:
    with archive_server() as running:
        for path in mirror.rglob("*.gz"):
            running.files[str(path.relative_to(mirror))] = path.read_bytes()
        yield running


def remote(base_url: object, **values: object) -> list[str]:
    """Options for a server that is asked without long pauses."""
    settings = {"base_url": base_url, "retry_seconds": 0.01, "max_retry_seconds": 0.05, "timeout_seconds": 2.0, **values}
    return [word for name, value in settings.items() for word in ("--set", f"crawl.remote.{name}={value}")]


def crawl(run: Path, base_url: object, *arguments: object, expected: int = 0, **values: object) -> dict[str, bytes]:
    """Crawl the snapshot; returns what must be equal in equal runs. Records of inputs tell of servers, so they may differ."""
    assert run_here("crawl", "--snapshot", SNAPSHOT, "--run", run, "--quiet", *remote(base_url, **values), *arguments) == expected
    assert not (run / "crawl" / "arrived").exists() or expected
    return {name: content for name, content in outputs(run).items() if not name.startswith(("crawl/inputs/", "crawl/arrived/"))}


def fetched(server: ArchiveServer) -> dict[int, int]:
    """Bytes of each file that went over the wire."""
    return {number: server.body_bytes[path_of(number)] for number in range(4)}


def sizes(server: ArchiveServer) -> dict[int, int]:
    return {number: len(server.files[path_of(number)]) for number in range(4)}


def test_a_server_gives_the_bytes_of_a_folder(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    from_folder = crawl(tmp_path / "folder", mirror)
    assert crawl(tmp_path / "server", server.url) == from_folder
    assert crawl(tmp_path / "workers", server.url, "--workers", 3, look_ahead_files=0, connections=1) == from_folder
    documents = table(tmp_path / "server", "crawl", "documents")
    assert documents.height == 3 + 4 + 5 + 6
    assert set(documents["dump"]) == {SNAPSHOT}
    assert documents["file_path"].unique(maintain_order=True).to_list() == [path_of(number) for number in range(4)]
    assert documents["id"].n_unique() == documents.height
    assert (documents["id"][2], len(documents["id"][3])) == ("00000002", 64)  # the first file that has an id keeps it
    manifest = json.loads((tmp_path / "server/crawl/manifests/part-02000.json").read_text())
    assert manifest["inputs"][0]["path"] == path_of(2)
    assert manifest["inputs"][0]["bytes"] == sizes(server)[2]


def test_a_server_that_breaks_throttles_and_stalls(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    server.moods[LIST] = [Mood(status=503), Mood(break_after=20)]
    server.moods[path_of(0)] = [Mood(status=403)] * 3 + [Mood(break_after=500)]
    server.moods[path_of(1)] = [Mood(status=429, headers={"Retry-After": "0"}), Mood(break_after=0), Mood(break_after=100)]
    server.moods[path_of(2)] = [Mood(stall_after=300)]
    server.moods[path_of(3)] = [Mood(break_after=400), Mood(ranges=False)]
    assert crawl(tmp_path / "server", server.url, timeout_seconds=0.5) == crawl(tmp_path / "folder", mirror)
    assert fetched(server) == {**sizes(server), 3: sizes(server)[3] + 400}
    assert {request.user_agent for request in server.requests} == {"crawl2gpt"}


def test_a_file_that_cannot_be_had_fails_alone_and_costs_the_others_nothing_later(
    server: ArchiveServer, mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = server.files.pop(path_of(1))
    server.always[path_of(2)] = Mood(break_after=300)
    crawl(tmp_path / "run", server.url, expected=1, retries=2)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert f"{path_of(1)}: the server answered 404" in said[0]
    assert f"{path_of(2)}: the transfer broke" in said[1]
    failures = json.loads((tmp_path / "run/summary.json").read_text())["stages"]["crawl"]["failures"]
    assert [failure["input"] for failure in failures] == [path_of(1), path_of(2)]
    # Both come back: the two that were crawled stay, and the broken one goes on where it broke.
    server.files[path_of(1)] = content
    del server.always[path_of(2)]
    assert crawl(tmp_path / "run", server.url) == crawl(tmp_path / "folder", mirror)
    assert fetched(server) == sizes(server)


def test_a_second_run_asks_but_fetches_nothing(server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = crawl(tmp_path / "run", server.url)
    capsys.readouterr()
    assert crawl(tmp_path / "run", server.url) == first
    assert "4 of 4 parts reused" in capsys.readouterr().out
    assert fetched(server) == sizes(server)
    # More files are only those that are new; a changed one is fetched again, and nothing else.
    server.files[path_of(3)] = server.files[path_of(0)]
    crawl(tmp_path / "run", server.url)
    assert "3 of 4 parts reused" in capsys.readouterr().out
    assert table(tmp_path / "run", "crawl", "documents").height == 3 + 4 + 5 + 3


def test_a_finished_run_outlives_its_server(server: ArchiveServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = crawl(tmp_path / "run", server.url)
    for number in range(4):
        server.always[path_of(number)] = Mood(status=503)
    arguments = ["crawl", "--snapshot", SNAPSHOT, "--run", tmp_path / "run", *remote(server.url, retries=1)]
    assert run_here(*arguments) == 0
    assert "going on with what an earlier run made of it" in capfd.readouterr().err
    assert {name: content for name, content in outputs(tmp_path / "run").items() if "/inputs/" not in name} == first


def test_a_damaged_part_is_made_again_from_its_file(server: ArchiveServer, tmp_path: Path) -> None:
    first = crawl(tmp_path / "run", server.url)
    (tmp_path / "run/crawl/documents/part-01000.parquet").write_bytes(b"damage")
    assert crawl(tmp_path / "run", server.url) == first
    assert fetched(server) == {**sizes(server), 1: 2 * sizes(server)[1]}


def test_selection_extends(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    crawl(tmp_path / "run", server.url, "--files", "0:2")
    assert fetched(server) == {**sizes(server), 2: 0, 3: 0}
    assert crawl(tmp_path / "run", server.url, "--files", "0:4") == crawl(tmp_path / "folder", mirror)
    assert fetched(server) == sizes(server)


def test_a_cache_is_filled_once_checked_and_shared(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    cache = ["--set", f"crawl.cache={tmp_path / 'cache'}"]
    first = crawl(tmp_path / "one", server.url, *cache)
    assert (tmp_path / "cache" / path_of(0)).read_bytes() == server.files[path_of(0)]
    assert crawl(tmp_path / "two", server.url, *cache) == first
    assert fetched(server) == sizes(server)
    damaged = tmp_path / "cache" / path_of(2)
    damaged.write_bytes(bytes(damaged.stat().st_size))
    assert crawl(tmp_path / "three", server.url, *cache) == first
    assert fetched(server) == {**sizes(server), 2: 2 * sizes(server)[2]}
    # It has the layout of the server, so it is a mirror.
    (tmp_path / "cache" / LIST).write_bytes(server.files[LIST])
    assert crawl(tmp_path / "four", tmp_path / "cache") == first


def test_explain_reads_the_copy_in_the_cache_or_in_a_local_mirror(
    server: ArchiveServer, mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(run: str) -> str:
        assert run_here("explain", "http://site0.example/0", "--run", tmp_path / run) == 0
        return capsys.readouterr().out

    crawl(tmp_path / "kept", server.url, "--set", f"crawl.cache={tmp_path / 'cache'}")
    assert "blocks kept, expected F1" in told("kept")
    (tmp_path / "cache" / path_of(0)).unlink()
    assert f"is not here; fetch it to {tmp_path / 'cache' / path_of(0)}" in told("kept")
    crawl(tmp_path / "deleted", server.url)
    assert "is not here; fetch it to that path" in told("deleted")
    crawl(tmp_path / "mirrored", mirror)
    assert "blocks kept, expected F1" in told("mirrored")


def test_a_limit_reads_no_more_files_than_it_needs(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    assert crawl(tmp_path / "run", server.url, "--limit", 4) == crawl(tmp_path / "folder", mirror, "--limit", 4)
    assert table(tmp_path / "run", "crawl", "documents").height == 4
    assert not server.gets(path_of(2))


def test_connections_and_disk_are_bounded(server: ArchiveServer, tmp_path: Path) -> None:
    arrived = tmp_path / "run/crawl/arrived"
    most = 0

    def look(_path: str) -> None:
        nonlocal most
        most = max(most, sum(path.name.endswith((".warc.gz", ".part")) for path in arrived.rglob("*")))

    server.before = look
    for number in range(4):
        server.always[path_of(number)] = Mood(pause=0.05, block=200)
    crawl(tmp_path / "run", server.url, "--workers", 2, connections=2, look_ahead_files=0)
    assert (server.most_at_once, most <= 2) == (2, True)


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_file_cut_short_at_the_server_is_a_damaged_input(
    server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: float
) -> None:
    server.files[path_of(1)] = server.files[path_of(1)][: int(cut * sizes(server)[1])]
    crawl(tmp_path / "run", server.url, "--set", "crawl.max_quarantine_share=1", expected=1)
    assert f"error: crawl: {path_of(1)}: the file ends in the middle of a" in capsys.readouterr().err


def test_what_is_no_archive_is_named_and_the_others_go_on(
    server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files[path_of(1)] = b"<html>We are moving to another place</html>"
    crawl(tmp_path / "run", server.url, expected=1)
    said = capsys.readouterr().err
    assert (path_of(1) in said, str(tmp_path) in said, said.count("\n")) == (True, False, 1)
    assert table(tmp_path / "run", "crawl", "documents").height == 3 + 5 + 6


def test_single_urls_take_the_same_road(server: ArchiveServer, tmp_path: Path) -> None:
    server.files["x y/site.warc.gz"] = server.files[path_of(0)]
    url = server.url + "x%20y/site.warc.gz"
    server.files["x%20y/site.warc.gz"] = server.files[path_of(0)]
    server.moods["x%20y/site.warc.gz"] = [Mood(status=503), Mood(break_after=100)]
    assert run_here("crawl", url, "--run", tmp_path / "run", "--quiet", *remote("https://data.commoncrawl.org/")) == 0
    documents = table(tmp_path / "run", "crawl", "documents")
    assert (documents.height, set(documents["file_path"])) == (3, {url})
    assert server.body_bytes["x%20y/site.warc.gz"] == sizes(server)[0]


def test_lists_remote_and_local(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"s3://commoncrawl/{path_of(2)}\n{mirror / path_of(0)}\n", encoding="utf-8")
    lists = ["--paths", listed, server.url + LIST]
    assert run_here("crawl", *lists, "--files=-2:", "--run", tmp_path / "a", "--quiet", *remote(server.url)) == 0
    assert table(tmp_path / "a", "crawl", "documents")["file_path"].unique(maintain_order=True).to_list() == [path_of(2), path_of(3)]
    assert run_here("crawl", "--paths", listed, "--run", tmp_path / "b", "--quiet", *remote(server.url)) == 0
    names = table(tmp_path / "b", "crawl", "documents")["file_path"].unique(maintain_order=True).to_list()
    assert names == [path_of(2), str(mirror / path_of(0))]


def test_wet_files(server: ArchiveServer, tmp_path: Path) -> None:
    wet = "crawl-data/CC-MAIN-2024-22/segments/1/wet/whirlwind.warc.wet.gz"
    server.files[wet] = shared("data", "warc", "commoncrawl", "whirlwind.warc.wet.gz").read_bytes()
    server.files[f"crawl-data/{SNAPSHOT}/wet.paths.gz"] = gzip.compress(wet.encode())
    crawl(tmp_path / "run", server.url, "--kind", "wet")
    documents = table(tmp_path / "run", "crawl", "documents")
    assert (documents.height, documents["file_path"][0], documents["dump"][0]) == (1, wet, SNAPSHOT)


def test_dry_run_and_the_list_of_snapshots(server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crawl_options = ["--snapshot", SNAPSHOT, "--files", "1:3", "--run", tmp_path / "run", "--dry-run", *remote(server.url)]
    assert run_here("crawl", *crawl_options) == 0
    total = sizes(server)[1] + sizes(server)[2]
    assert f"# crawl would read 2 files, {total:,} bytes" in capsys.readouterr().out
    assert not any(fetched(server).values())
    assert not (tmp_path / "run").exists()
    server.files["collinfo.json"] = json.dumps(
        [{"id": SNAPSHOT, "name": "May 2024", "from": "2024-05-18T01", "to": "2024-05-31T01"}]
    ).encode()
    assert run_here("crawl", "--list-snapshots", "--set", f"crawl.remote.snapshots_url={server.url}collinfo.json") == 0
    assert capsys.readouterr().out == f"{SNAPSHOT}  May 2024  2024-05-18  2024-05-31\n"


def test_the_command_line_replaces_the_inputs_of_the_recipe(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    crawl(tmp_path / "run", server.url, "--files", "0:1")
    assert run_here("crawl", mirror / path_of(3), "--run", tmp_path / "run", "--quiet", "--set", "crawl.files=null") == 0
    assert set(table(tmp_path / "run", "crawl", "documents")["file_path"]) == {str(mirror / path_of(3))}
    assert sorted(path.name for path in (tmp_path / "run/crawl/inputs").iterdir()) == []
    assert run_here("crawl", mirror / path_of(3), "--files", "0:1", "--run", tmp_path / "other", "--quiet") == 2


# --- faults -------------------------------------------------------------------------------------------


def large_warc(path: Path) -> None:
    """A file of some blocks that do not compress, one page among them."""
    write_pages(path, pages_of(1))
    noise = os.urandom(4 * BLOCK_BYTES)
    header = f"WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: {len(noise)}\r\n\r\n".encode()
    with path.open("ab") as stream:
        stream.write(gzip.compress(header + noise + b"\r\n\r\n"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_goes_on_in_the_middle_of_a_file(server: ArchiveServer, mirror: Path, tmp_path: Path, number: signal.Signals) -> None:
    large_warc(mirror / path_of(0))
    content = server.files[path_of(0)] = (mirror / path_of(0)).read_bytes()
    server.always[path_of(0)] = Mood(pause=0.02)
    command = command_line("crawl", "--snapshot", SNAPSHOT, "--run", tmp_path / "run", "--workers", 1, "--quiet", *remote(server.url))
    process = subprocess.Popen(command, cwd=ROOT)
    while server.body_bytes[path_of(0)] < 2 * BLOCK_BYTES:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(20) == (-9 if number == signal.SIGKILL else 143)
    time.sleep(0.2)
    sent = server.body_bytes[path_of(0)]
    server.always.clear()
    assert crawl(tmp_path / "run", server.url) == crawl(tmp_path / "folder", mirror)
    resumed = server.gets(path_of(0))[-1].range
    assert resumed is not None
    kept = int(resumed.removeprefix("bytes=").removesuffix("-"))
    assert sent - kept <= BLOCK_BYTES
    assert server.body_bytes[path_of(0)] - sent == len(content) - kept


def test_an_interrupted_run_ends_soon_while_a_server_is_silent(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[path_of(0)] = Mood(stall_after=100)
    options = remote(server.url, timeout_seconds=60.0)
    process = subprocess.Popen(command_line("crawl", "--snapshot", SNAPSHOT, "--run", tmp_path / "run", "--quiet", *options), cwd=ROOT)
    while server.body_bytes[path_of(0)] < 100:
        time.sleep(0.01)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert time.monotonic() - started < 10


def test_memory_does_not_grow_with_a_file(server: ArchiveServer, mirror: Path, tmp_path: Path) -> None:
    """A file of 96 MiB of records that are no pages adds less than 48 MiB to the program that fetches it."""
    noise = os.urandom(1 << 20)
    member = gzip.compress(f"WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: {len(noise)}\r\n\r\n".encode() + noise + b"\r\n\r\n", 1)
    server.files[path_of(0)] += member * 96
    program = (
        "import resource, sys; from cli import main; code = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    peaks = []
    for files in ("1", "0"):
        words = ["crawl", "--snapshot", SNAPSHOT, "--files", files, "--run", str(tmp_path / files), "--workers", "1", "--quiet"]
        command = [*command_line()[:1], "-c", program, *words, *remote(server.url, timeout_seconds=60)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=True)
        peaks.append(int(done.stderr.split()[-1]) * 1024)
    assert peaks[1] - peaks[0] < 48 << 20


def test_two_runs_share_a_cache_at_the_same_time(server: ArchiveServer, tmp_path: Path) -> None:
    for number in range(4):
        server.always[path_of(number)] = Mood(pause=0.1, block=300)
    done = []

    def run(name: str) -> None:
        words = ["crawl", "--snapshot", SNAPSHOT, "--run", tmp_path / name, "--workers", 1, "--set", f"crawl.cache={tmp_path / 'cache'}"]
        done.append(run_program(*words, *remote(server.url)))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.returncode for process in done] == [0, 0], done
    assert fetched(server) == sizes(server)
    assert pl.DataFrame.equals(*(table(tmp_path / name, "crawl", "documents") for name in ("a", "b")))
