"""Links of Reddit's dumps: rows a second and core beside a plain loop of json, and memory when the links are many.

    python benchmarks/links.py --json links.json
    python benchmarks/links.py RS_v2_2005-07.xz RS_top2013_1in48.ndjson.xz

Rates are of decompressed bytes: each dump is unpacked and repeated to ``--megabytes`` first. Without dumps, rows are made up with
the 58 fields of 2005's. ``cpu`` counts everything, the start of the program included.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import Run, in_turns, median, run
from benchmarks.table import Row, higher_is_better, lower_is_better, parser, report
from curation.sources.compressed import open_decompressed

REPOSITORY = Path(__file__).resolve().parents[1]
ASKED_FOR = 60.0  # MB/s/core of decompressed rows
FIELDS = 58  # of a row of 2005
PAGES_OF_A_SITE = 40
LOOK_SECONDS = 0.5
MOST_GROWTH = 256 << 20  # bytes more for five times the links


def main() -> None:
    """Print the table, and write the rows if asked to."""
    options = parser(__doc__)
    options.add_argument("dumps", nargs="*", type=Path, help="dumps whose rows are repeated (default: rows made up)")
    options.add_argument("--megabytes", type=int, default=300, help="of rows for each rate (default: 300)")
    options.add_argument("--links", type=int, default=5_000_000, help="different links whose memory is measured (default: 5,000,000)")
    arguments = options.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="links-", dir=".") as name:
        folder = Path(name)
        for dump in arguments.dumps or [None]:
            rows += rate_rows(dump, folder, arguments.megabytes * 1_000_000, arguments.repeats)
        rows += memory_rows(folder, arguments.links)
    report(rows, arguments.json)


def ours(dump: Path, output: Path) -> Run:
    """The command on one dump, with one worker."""
    command = [sys.executable, REPOSITORY / "cli.py", "links", dump, "--output", output, "--workers", "1", "--quiet"]
    return run([str(word) for word in command])


def plain_loop(dump: Path) -> Run:
    """What the public importers do, without their lists: json, three tests, a dictionary."""
    return run([sys.executable, str(REPOSITORY / "benchmarks" / "links_loop.py"), str(dump)])


def rate_rows(dump: Path | None, folder: Path, size: int, repeats: int | None) -> list[Row]:
    """Megabytes a second and core."""
    rows = folder / "RS"
    content = b"".join(made_up_row(number, FIELDS) for number in range(20_000)) if dump is None else unpacked(dump)
    with open(rows, "wb") as stream:
        for _ in range(max(1, size // len(content))):
            stream.write(content)
    megabytes = rows.stat().st_size / 1e6
    label = f"{dump.name if dump else 'made-up rows'}, {len(content) // content.count(10):,} bytes a row"
    found = in_turns({"ours": partial(ours, rows, folder / "links.parquet"), "loop": partial(plain_loop, rows)}, repeats)
    rates = {name: megabytes / median(runs, lambda one: one.cpu_seconds) for name, runs in found.items()}
    rows.unlink()
    return [
        higher_is_better(label, "MB/s/core", rates["ours"], "plain loop of json", rates["loop"]),
        higher_is_better(label, "MB/s/core", rates["ours"], "asked for", ASKED_FOR, goal=1.0),
    ]


def unpacked(dump: Path) -> bytes:
    """The rows of a dump."""
    with open(dump, "rb") as stream, open_decompressed(stream, str(dump)) as content:
        return content.read()


def memory_rows(folder: Path, links: int) -> list[Row]:
    """Time and peak memory for different links of one submission each, and for a fifth of them."""
    (few, _), (many, disk_bytes) = (gather_made_up(folder, count) for count in (links // 5, links))
    growth = many.peak_bytes - few.peak_bytes
    return [
        lower_is_better(f"{links // 5:,} links, peak", "MiB", few.peak_bytes / (1 << 20)),
        lower_is_better(f"{links:,} links, peak", "MiB", many.peak_bytes / (1 << 20)),
        lower_is_better(f"{links:,} links, growth from a fifth", "MiB", growth / (1 << 20), "asked for", MOST_GROWTH / (1 << 20), goal=1.0),
        lower_is_better(f"{links:,} links", "s of processor time", many.cpu_seconds),
        lower_is_better(f"{links:,} links, disk beside the dump", "MiB", disk_bytes / (1 << 20)),
    ]


def gather_made_up(folder: Path, links: int) -> tuple[Run, int]:
    """The command on a dump of so many links, one in four of them shared twice; most bytes on the disk at a time, without the dump.

    Raises:
        RuntimeError: the table has other links than the dump.
    """
    dump = folder / "RS_many"
    with open(dump, "wb") as stream:
        for number in range(links * 5 // 4):
            stream.write(made_up_row(number % links, 0))
    table = folder / "links.parquet"
    try:
        with watched_folder(folder, dump) as most:
            cost = ours(dump, table)
        site, page = (pl.col("url").str.extract(pattern).cast(pl.Int64) for pattern in (r"site(\d+)", r"articles/(\d+)"))
        sums = (
            pl.scan_parquet(table)
            .select(pl.len(), (site * PAGES_OF_A_SITE + page).sum().alias("numbers"), pl.col("submissions").sum())
            .collect(engine="streaming")
        )
        if sums.row(0) != (links, links * (links - 1) // 2, links * 5 // 4):
            raise RuntimeError(f"of {links:,} links came {sums.row(0)}: links, sum of their numbers, submissions")
        return cost, max(most)
    finally:
        dump.unlink()


@contextlib.contextmanager
def watched_folder(folder: Path, dump: Path) -> Iterator[list[int]]:
    """Bytes below a folder without the dump's, looked at from time to time while the block runs."""
    sizes, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError):  # files come and go
                sizes.append(sum(path.stat().st_size for path in folder.rglob("*") if path != dump))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield sizes
    finally:
        done.set()
        watcher.join()


def made_up_row(number: int, fields: int) -> bytes:
    """A submission; with ``fields``, some of the many others that say nothing about its link, and a score that three in ten reach."""
    site, page = divmod(number, PAGES_OF_A_SITE)
    score = random.Random(number).choice([0, 1, 1, 1, 1, 1, 2, 3, 20, 300]) if fields else 5
    row = (
        f'"url":"http://www.site{site}.example/articles/{page}/a-title-of-some-words","score":{score},"created_utc":{1104537600 + number},'
    )
    others = "".join(f'"field_{name}":{json.dumps("x" * (name % 30))},' for name in range(fields))
    return f'{{{others}{row}"subreddit":"s{number % 100}","is_self":false,"over_18":false}}\n'.encode()


if __name__ == "__main__":
    main()
