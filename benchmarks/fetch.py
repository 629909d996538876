"""Pages a second and memory of `fetch`, beside wget and a bare aiohttp loop, from 200 hosts on loopback.

    python benchmarks/fetch.py [--json FILE]

The server is a thread of the benchmark, on the same cores. Every page is 12 KiB of text and differs from the others. Ours keeps a
pause of 0.2 s between two requests to a host, reads robots.txt and tdmrep.json of each, and writes WARC files. wget writes WARC files
too, one page after the other and without pauses; the loop of aiohttp asks for 128 pages at a time and drops them. Memory is
compared between a crawl and one of five times as many pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks import measure, peers  # noqa: E402
from benchmarks.table import Row, higher_is_better, lower_is_better, parser, report  # noqa: E402

HOSTS = 200
PAGES = 4000
MORE = 5  # times as many pages in the second measurement of memory
PAGE_BYTES = 12 << 10
DELAY_SECONDS = 0.2
GOAL_PAGES_PER_SECOND = 300.0
GOAL_MEMORY_GROWTH = 1.25  # our reading of "flat"


class _Server(asyncio.Protocol):
    """Answers each request with a page that is made from its path, and closes."""

    filler = b"<p>" + b"The quick brown fox jumps over the lazy dog. " * (PAGE_BYTES // 45) + b"</p>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """A request, which fits one packet."""
        assert isinstance(self.transport, asyncio.Transport)
        path = data.split(b" ", 2)[1]
        body, status = (self.filler + path, b"200 OK") if path.startswith(b"/page") else (b"", b"404 Not Found")
        head = b"HTTP/1.1 %b\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body))
        self.transport.write(head + body)
        self.transport.close()


@contextlib.contextmanager
def _served() -> Iterator[int]:
    """The port of a running server, in a thread: this process does nothing else, and waits for all of its child processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = loop.create_server(_Server, "0.0.0.0", 0, backlog=1024)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _write_links(path: Path, port: int, pages: int) -> Path:
    path.write_text("".join(f"http://127.0.{1 + page % HOSTS}.1:{port}/page/{page}\n" for page in range(pages)))
    return path


def _ours(links: Path, output: Path) -> measure.Run:
    shutil.rmtree(output, ignore_errors=True)
    options = ["--contact", "benchmark@example.org", "--allow-private-hosts", "--quiet", "--set", f"fetch.delay_seconds={DELAY_SECONDS}"]
    return measure.run([sys.executable, str(REPOSITORY / "cli.py"), "fetch", str(links), "--output", str(output), *options])


def _wget(links: Path, output: Path) -> measure.Run:
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    options = ["--quiet", "--no-config", "--execute", "robots=off", "--output-document", "/dev/null", "--no-warc-keep-log"]
    return measure.run(["wget", *options, f"--warc-file={output / 'pages'}", f"--warc-tempdir={output}", "--input-file", str(links)])


def measure_all(repeats: int | None) -> list[Row]:
    """Rows of rate and memory."""
    with tempfile.TemporaryDirectory() as name, _served() as port:
        folder = Path(name)
        links = _write_links(folder / "links.txt", port, PAGES)
        candidates = {"ours": lambda: _ours(links, folder / "ours")}
        candidates["aiohttp"] = lambda: measure.run(peers.command("aiohttp", "fetch_pages.py", links))
        if shutil.which("wget"):
            candidates["wget --warc-file"] = lambda: _wget(links, folder / "wget")
        runs = measure.in_turns(candidates, repeats)
        more = _ours(_write_links(folder / "more.txt", port, MORE * PAGES), folder / "ours")
    rates = {peer: PAGES / measure.median(found, lambda run: run.seconds) for peer, found in runs.items()}
    seconds = {peer: 1000 * measure.median(found, lambda run: run.cpu_seconds) / PAGES for peer, found in runs.items()}
    memory = measure.median(runs["ours"], lambda run: run.peak_bytes) / (1 << 20)
    rows = [higher_is_better("pages fetched and stored", "pages/s", rates["ours"], "goal", GOAL_PAGES_PER_SECOND, goal=1.0)]
    for peer in [peer for peer in runs if peer != "ours"]:
        rows.append(higher_is_better("pages fetched", "pages/s", rates["ours"], peer, rates[peer]))
        rows.append(lower_is_better("processor time", "ms/page", seconds["ours"], peer, seconds[peer]))
    grown = f"{PAGES:,} pages × {GOAL_MEMORY_GROWTH}"
    rows.append(
        lower_is_better(f"memory, {MORE * PAGES:,} pages", "MiB", more.peak_bytes / (1 << 20), grown, memory * GOAL_MEMORY_GROWTH, goal=1.0)
    )
    return rows


def main() -> None:
    """Measure and report."""
    arguments = parser(__doc__).parse_args()
    report(measure_all(arguments.repeats), arguments.json)


if __name__ == "__main__":
    main()
