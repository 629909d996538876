"""The crawl beside the programs that people read and extract web archives with: ``python benchmarks/crawl.py --tools FOLDER``.

Input: a WARC made by FOLDER/make_warc.py from pages whose main text is known, and one made here for memory. Parts, each of
which can be run alone with ``--only``:

- extract: pages a second of processor time and F1 of every extractor, guarded as in a crawl, beside the libraries alone
- stage: the whole crawl (plan, read, extract, normalise, commit) beside datatrove's reader and extractor
- read: records and bytes a second beside warcio and FastWARC
- workers: one file with one worker and with two
- memory: the crawl of 100,000 records, and of a large file, beside one of 1,000 records

"core" is a second of processor time of a program and all its processes, which a busy machine falsifies least; workers are
compared by the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure, peers, table
from benchmarks.crawl_inputs import make_large_file, make_small_records
from benchmarks.table import Row, higher_is_better, lower_is_better
from curation.recipe import CrawlSettings

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"
EXTRACTORS = get_args(CrawlSettings.model_fields["extractor"].annotation)
PARTS = ("extract", "stage", "read", "workers", "memory")
MIB = 1 << 20
GUARD_GOAL = 0.9  # the guard takes at most a tenth of the throughput
BARE_GOAL = 0.7  # a whole crawl against nothing but resiliparse
WORKERS_GOAL = 1.8
MEMORY_LIMIT_BYTES = 256 * MIB
FEW_RECORDS, MANY_RECORDS = 1000, 100_000


@dataclass(frozen=True)
class Inputs:
    """``warc`` holds ``pages`` pages, ``gold`` their main texts; ``scratch`` is for outputs; ``scorer`` computes F1."""

    warc: Path
    gold: Path
    pages: int
    scratch: Path
    scorer: Path


def main() -> None:
    """Make the inputs, run the parts, print the table."""
    arguments = _parse()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        parts: dict[str, Callable[[], list[Row]]] = {}
        if set(arguments.only) - {"memory"}:
            inputs = _make_inputs(arguments, Path(scratch))
            parts["extract"] = lambda: compare_extractors(inputs, arguments.repeats)
            parts["stage"] = lambda: compare_stages(inputs, arguments.repeats)
            parts["read"] = lambda: compare_readers(inputs, arguments.repeats)
            parts["workers"] = lambda: compare_workers(inputs, arguments.repeats)
        parts["memory"] = lambda: compare_memory(Path(scratch), arguments.large_gigabytes)
        rows = [row for name in PARTS if name in arguments.only for row in parts[name]()]
    table.report(rows, arguments.json)


def _parse() -> argparse.Namespace:
    options = table.parser(__doc__)
    options.add_argument("--tools", type=Path, default=SHARED / "tools", help="folder of make_warc.py and score_extraction.py")
    options.add_argument("--wcxb", type=Path, default=SHARED / "data/extraction/wcxb-dev.tar.xz", help="pages with their main text")
    options.add_argument("--pages", type=int, default=400, help="pages of the WARC (default: 400)")
    options.add_argument("--large-gigabytes", type=float, default=5.0, help="size of the large file for memory; 0: none (default: 5)")
    options.add_argument("--scratch", type=Path, help="folder for inputs and outputs, which are deleted again")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    arguments = options.parse_args()
    for path in (arguments.tools / "make_warc.py", arguments.tools / "score_extraction.py", arguments.wcxb):
        if set(arguments.only) - {"memory"} and not path.exists():
            options.error(f"no such file: {path}; name it with --tools or --wcxb, or run --only memory, which needs none")
    return arguments


def _make_inputs(arguments: argparse.Namespace, scratch: Path) -> Inputs:
    warc = scratch / "pages.warc.gz"
    maker = [arguments.tools / "make_warc.py", "--wcxb", arguments.wcxb, "--pages", arguments.pages, "--seed", 1, "--layout", "cc"]
    measure.run([sys.executable, *map(str, maker), "--out", str(warc)])
    return Inputs(warc, scratch / "pages.gold.jsonl", arguments.pages, scratch, arguments.tools / "score_extraction.py")


# --- extractors -------------------------------------------------------------------------------------


def compare_extractors(inputs: Inputs, repeats: int | None) -> list[Row]:
    """Speed in and out of the guard, and F1, of each of our extractors beside the library that it calls."""
    rows = []
    for name in EXTRACTORS:
        runs = measure.in_turns(
            {
                "guarded": lambda name=name: _loop(inputs, name, "guarded"),  # type: ignore[misc]
                "bare": lambda name=name: _loop(inputs, name, "bare"),  # type: ignore[misc]
                "library": lambda name=name: _library(inputs, name),  # type: ignore[misc]
            },
            repeats,
        )
        speed = {which: inputs.pages / measure.median(found, lambda run: run["cpu_seconds"]) for which, found in runs.items()}
        f1 = {which: _f1(inputs, _texts(inputs, name, which)) for which in ("guarded", "library")}
        library = f"{name.partition('-')[0]} alone"
        rows += [
            higher_is_better(f"{name}: extraction", "pages/s/core", speed["guarded"], library, speed["library"]),
            higher_is_better(f"{name}: F1", "of 1", f1["guarded"], library, f1["library"]),
            higher_is_better(f"{name}: in the guard", "pages/s/core", speed["guarded"], "ours, no guard", speed["bare"], GUARD_GOAL),
        ]
    return rows


def _loop(inputs: Inputs, extractor: str, mode: str) -> Any:
    script = REPOSITORY / "benchmarks" / "extract_pages.py"
    arguments = [inputs.warc, extractor, mode, _texts(inputs, extractor, mode)]
    return measure.run([sys.executable, str(script), *map(str, arguments)]).json()


def _library(inputs: Inputs, extractor: str) -> Any:
    return measure.run(peers.command("libraries", "extract_pages.py", inputs.warc, extractor, _texts(inputs, extractor, "library"))).json()


def _texts(inputs: Inputs, extractor: str, which: str) -> Path:
    return inputs.scratch / f"{extractor}.{which}.jsonl"


def _f1(inputs: Inputs, texts: Path) -> float:
    """Mean of the pages' F1 over words, as the scorer computes it; a page without text scores 0."""
    scored = subprocess.run(
        [sys.executable, str(inputs.scorer), str(inputs.gold), str(texts), "--json"], check=True, capture_output=True, text=True
    )
    return float(json.loads(scored.stdout)["by_page_type"]["all"]["f1"])


# --- the whole stage --------------------------------------------------------------------------------


def compare_stages(inputs: Inputs, repeats: int | None) -> list[Row]:
    """Whole crawls with one worker beside datatrove's stage and, for resiliparse, beside a loop that only extracts."""
    candidates: dict[str, Callable[[], measure.Run]] = {
        name: lambda name=name: _crawl(inputs.warc, inputs.scratch, name, workers=1)  # type: ignore[misc]
        for name in EXTRACTORS
    }
    texts = _texts(inputs, "datatrove", "stage")
    candidates["datatrove"] = lambda: measure.run(
        peers.command("datatrove", "crawl_datatrove.py", inputs.warc, _fresh(inputs.scratch / "datatrove"), texts)
    )
    candidates["loop"] = lambda: measure.run(
        peers.command("libraries", "extract_pages.py", inputs.warc, "resiliparse", _texts(inputs, "resiliparse", "library"))
    )
    runs = measure.in_turns(candidates, repeats)
    speed = {name: inputs.pages / measure.median(found, lambda run: run.cpu_seconds) for name, found in runs.items()}
    f1 = _f1(inputs, texts)
    rows = [higher_is_better(f"crawl, {name}", "pages/s/core", speed[name], "datatrove", speed["datatrove"]) for name in EXTRACTORS]
    guarded = _texts(inputs, "trafilatura", "guarded")
    if guarded.exists():
        rows.append(higher_is_better("crawl, trafilatura: F1", "of 1", _f1(inputs, guarded), "datatrove", f1))
    return [
        *rows,
        higher_is_better("crawl, resiliparse", "pages/s/core", speed["resiliparse"], "FastWARC + resiliparse", speed["loop"], BARE_GOAL),
    ]


def _crawl(warc: Path, scratch: Path, extractor: str, workers: int) -> measure.Run:
    command = [sys.executable, str(REPOSITORY / "cli.py"), "crawl", str(warc), "--run", str(_fresh(scratch / "run")), "--quiet"]
    return measure.run([*command, "--workers", str(workers), "--set", f"crawl.extractor={extractor}"])


def _fresh(folder: Path) -> Path:
    """The folder, emptied: a crawl that is there already is not done again."""
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    return folder


# --- reading ----------------------------------------------------------------------------------------


def compare_readers(inputs: Inputs, repeats: int | None) -> list[Row]:
    """Every record read and its body decoded; ours always verifies block digests, the others when asked."""
    ours = [sys.executable, str(REPOSITORY / "benchmarks" / "read_records.py"), str(inputs.warc)]
    candidates: dict[str, Callable[[], Any]] = {"ours": lambda: measure.run(ours).json()}
    for library in ("warcio", "fastwarc"):
        for options in ([], ["digests"]):
            command = peers.command("libraries", "read_warc.py", inputs.warc, library, *options)
            candidates[" with ".join([library, *options])] = lambda command=command: measure.run(command).json()  # type: ignore[misc]
    runs = measure.in_turns(candidates, repeats)
    seconds = {name: measure.median(found, lambda run: run["cpu_seconds"]) for name, found in runs.items()}
    first = runs["ours"][0]
    rows = []
    for measured, unit, amount in (("records read", "records/s/core", first["records"]), ("bytes read", "MB/s/core", first["bytes"] / 1e6)):
        for peer in list(seconds)[1:]:
            rows.append(higher_is_better(measured, unit, amount / seconds["ours"], peer, amount / seconds[peer]))
    return rows


# --- workers ----------------------------------------------------------------------------------------


def compare_workers(inputs: Inputs, repeats: int | None) -> list[Row]:
    """The clock time of a crawl of one file with two workers beside one."""
    runs = measure.in_turns(
        {workers: lambda workers=workers: _crawl(inputs.warc, inputs.scratch, "trafilatura", workers) for workers in ("1", "2")},  # type: ignore[misc]
        repeats,
    )
    seconds = {workers: measure.median(found, lambda run: run.seconds) for workers, found in runs.items()}
    return [lower_is_better("one file, 2 workers", "s", seconds["2"], "1 worker", seconds["1"], WORKERS_GOAL)]


# --- memory -----------------------------------------------------------------------------------------


def compare_memory(scratch: Path, large_gigabytes: float) -> list[Row]:
    """What many records, and a large file, add to the peak of all processes together; one run each, as it hardly varies."""
    few = _memory_of(make_small_records(scratch / "few.warc.gz", FEW_RECORDS), scratch)
    rows = [_memory_row(f"{MANY_RECORDS:,} records", few, _memory_of(make_small_records(scratch / "many.warc.gz", MANY_RECORDS), scratch))]
    if large_gigabytes:
        large = make_large_file(scratch / "large.warc", int(large_gigabytes * 1e9))
        rows.append(_memory_row(f"a file of {large_gigabytes:g} GB", few, _memory_of(large, scratch)))
    return rows


def _memory_of(warc: Path, scratch: Path) -> int:
    peak = _crawl(warc, scratch, "resiliparse", workers=2).peak_bytes
    warc.unlink()
    return peak


def _memory_row(what: str, few: int, many: int) -> Row:
    added = max(many - few, MIB) / MIB  # at least 1, so that there is a ratio
    return lower_is_better(f"memory that {what} add to {FEW_RECORDS:,}", "MiB", added, "limit", MEMORY_LIMIT_BYTES / MIB, 1.0)


if __name__ == "__main__":
    main()
