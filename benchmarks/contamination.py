"""The scan for benchmark text beside EleutherAI's janitor and datatrove's n-gram filter, on the same documents and items.

All benchmarks of the shared folder ($CRAWL2GPT_SHARED) are loaded, and all programs look for 13-grams of the same texts; the
documents are OpenWebText's with MMLU items planted in them. Processor time of one process counts, without loading.
"""

from __future__ import annotations

import functools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # as a script: this file must not hide the package contamination

import polars as pl  # noqa: E402

from benchmarks import measure, peers, table  # noqa: E402
from benchmarks.evasions import EVASIONS  # noqa: E402
from benchmarks.leaks import Planted, Span, plant, score  # noqa: E402

PEERS = ("janitor", "datatrove")
PARTS = ("scan", "leaks", "index", "repetition")
FASTEST = 30.0  # MB of text a second and core that are asked for
PEER_RATIO = 15.0  # asked for
MOST_MEMORY = 1024.0  # MiB asked for, for 100,000 examples
SEEDS = (1, 2, 3, 4, 5)
PLANTED, MANY = 72, 2  # items planted one by one, and documents with twelve each
EVASION_ITEMS = 200  # disguised in each way
RANDOM_ITEMS, RANDOM_WORDS = 100_000, 100
REPETITION_MEGABYTES = (1, 5, 10)
MEGABYTE, MIB = 1_000_000, 1 << 20


def main() -> None:
    options = table.parser(__doc__)
    options.add_argument("--only", nargs="*", default=list(PARTS), choices=PARTS, help="parts to run (default: all)")
    options.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, help="programs to compare with (default: all)")
    arguments = options.parse_args()
    shared = Path(os.environ.get("CRAWL2GPT_SHARED", REPOSITORY.parent / "shared"))
    benchmarks = shared / "data" / "benchmarks"
    if not benchmarks.exists():
        sys.exit(f"{benchmarks} is not there; set CRAWL2GPT_SHARED to the folder that holds data/ and tools/")
    rows: list[table.Row] = []
    with tempfile.TemporaryDirectory(prefix="contamination-") as name:
        folder = Path(name)
        if "scan" in arguments.only:
            planted = plant(shared, folder, 1, PLANTED, MANY)
            rows += scan_rows(planted, benchmarks, folder, arguments.peers, arguments.repeats)
        if "leaks" in arguments.only:
            rows += leak_rows(shared, folder) + evasion_rows(benchmarks / "arc_challenge_test.jsonl.gz")
        if "index" in arguments.only:
            rows += index_rows(benchmarks, folder, arguments.repeats)
        if "repetition" in arguments.only:
            rows += repetition_rows(arguments.repeats)
    table.report(rows, arguments.json)


# --- speed and recall beside the peers ----------------------------------------------------------------


def scan_rows(planted: Planted, benchmarks: Path, folder: Path, names: Sequence[str], repeats: int | None) -> list[table.Row]:
    """Text a second and core, and the share of the planted leaks of 13 words or more whose documents are touched."""
    passages = folder / "passages.jsonl"
    candidates = our_scans(planted, benchmarks, passages)
    processes = {name: _start(name, passages, planted.file) for name in names}
    candidates |= {name: functools.partial(_round, process) for name, process in processes.items()}
    try:
        runs = measure.in_turns(candidates, repeats)
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    megabytes = sum(len(text.encode()) for text in planted.texts.values()) / MEGABYTE
    rates = {name: megabytes / measure.median(own, _seconds) for name, own in runs.items()}
    rows = []
    for scan in ("removal", "report"):
        rows.append(table.higher_is_better(f"scan for the {scan}", "MB/s/core", rates[scan], "asked for", FASTEST, goal=1.0))
        rows += [table.higher_is_better(f"scan for the {scan}", "MB/s/core", rates[scan], name, rates[name], PEER_RATIO) for name in names]
    leaks = [line for line in planted.truth if line["kind"] != "natural"]
    recalls = {name: sum(line["doc"] in set(map(str, own[-1]["touched"])) for line in leaks) / len(leaks) for name, own in runs.items()}
    for name in names:
        rows.append(table.higher_is_better(f"leaks found ({len(leaks)})", "share", recalls["removal"], name, recalls[name]))
    return rows


def our_scans(planted: Planted, benchmarks: Path, passages: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    """Removal and report over all documents, their index loaded; writes the indexed texts for the peers."""
    from contamination.benchmarks import read_benchmark
    from contamination.indexing import build_index
    from contamination.overlap import measure_documents
    from contamination.specs import resolve_specs
    from contamination.stage import decontaminate
    from curation.documents import documents_frame
    from curation.recipe import DecontaminateSettings

    settings = DecontaminateSettings()
    read = [read_benchmark(spec) for spec in resolve_specs([str(benchmarks)])]
    with passages.open("w", encoding="utf-8") as out:
        texts = (text for benchmark in read for item in benchmark.items for text in dict.fromkeys(item.passages))
        out.writelines(json.dumps(text) + "\n" for text in texts)
    index = build_index(read, removal_words=13, report_min_words=8, report_max_words=13)
    documents = documents_frame([{"id": name, "text": text} for name, text in planted.texts.items()])

    def removal() -> dict[str, Any]:
        started = time.process_time()
        ledger = decontaminate(documents, index, settings).ledger
        return {"seconds": time.process_time() - started, "touched": [row["id"] for row in ledger]}

    def report() -> dict[str, Any]:
        started = time.process_time()
        measure_documents(documents, index, settings.report_examples)
        return {"seconds": time.process_time() - started, "touched": []}

    removal(), report()  # loads the kernels and builds the filters
    return {"removal": removal, "report": report}


def _start(name: str, passages: Path, documents: Path) -> subprocess.Popen[str]:
    """A peer that has loaded and indexed everything and waits."""
    command = peers.command("decontamination", "decontaminate.py", name, passages, documents)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    _round(process)
    return process


def _round(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdin and process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"{' '.join(map(str, process.args))} ended; run it by hand to see why")  # type: ignore[arg-type]
    return dict(json.loads(answer))


def _seconds(run: Any) -> float:
    return float(run["seconds"])


# --- what is found, and what goes ---------------------------------------------------------------------


def leak_rows(shared: Path, folder: Path) -> list[table.Row]:
    """Recall by kind over all seeds, documents cut exactly as worked out by hand, and text that stays where it should."""
    planted_leaks, found, documents, exact, characters, lost = Counter[str](), Counter[str](), 0, 0, 0, 0
    for seed in SEEDS:
        planted = plant(shared, folder, seed, PLANTED, MANY)
        result = score(planted, _kept_by_us(planted, shared, folder / f"run-{seed}"))
        planted_leaks += Counter(result.planted)
        found += Counter(result.found)
        documents += result.documents
        exact += result.exact
        characters += result.characters
        lost += result.lost
    rows = [_asked(f"leaks found, {kind} ({count})", "share", found[kind] / count, 1.0) for kind, count in sorted(planted_leaks.items())]
    rows.append(_asked(f"documents cut exactly ({documents:,})", "share", exact / documents, 1.0))
    rows.append(_asked(f"characters that should stay and do ({characters:,})", "share", 1 - lost / characters, 1.0))
    return rows


def _asked(measured: str, unit: str, ours: float, wanted: float) -> table.Row:
    return table.higher_is_better(measured, unit, ours, "asked for", wanted, goal=1.0)


def _kept_by_us(planted: Planted, shared: Path, run: Path) -> dict[str, list[Span]]:
    """What our command leaves of each document."""
    benchmark = shared / "data" / "benchmarks" / "mmlu_test.jsonl.gz"
    command = [sys.executable, "cli.py", "decontaminate", "--input", planted.file, "--run", run, "--quiet"]
    command += ["--set", f"decontaminate.benchmarks=[{benchmark}]"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
    kept: dict[str, list[Span]] = {}
    for name, text, piece in pl.read_parquet(f"{run}/decontaminate/documents/*.parquet").select("id", "text", "pieces").iter_rows():
        parent, span = (name, (0, len(text))) if piece is None else (piece["parent"], (piece["start"], piece["end"]))
        kept.setdefault(parent, []).append(span)
    return kept


def evasion_rows(benchmark: Path) -> list[table.Row]:
    """Share of items with one 13-gram in a text, disguised in each way, that are found."""
    from contamination.benchmarks import read_benchmark
    from contamination.indexing import build_index
    from contamination.scan import Scan
    from contamination.specs import resolve_specs

    read = [read_benchmark(spec) for spec in resolve_specs([str(benchmark)])]
    index = build_index(read, removal_words=13, report_min_words=8, report_max_words=13)
    scan = Scan(index, index.removal)
    phrases = [" ".join(words[:13]) for item in read[0].items if len(words := item.text.split()) >= 13 and "".join(words[:13]).isalpha()]
    draw = random.Random(1)
    rows = []
    for name, disguise in EVASIONS.items():
        chosen = draw.sample(phrases, min(EVASION_ITEMS, len(phrases)))
        found = sum(bool(scan.find(f"Before it. {disguise(phrase, draw)} Behind it.")) for phrase in chosen)
        rows.append(_asked(f"disguised by {name} ({len(chosen)})", "share", found / len(chosen), 0.95))
    return rows


# --- the index, and a hostile page --------------------------------------------------------------------


def index_rows(benchmarks: Path, folder: Path, repeats: int | None) -> list[table.Row]:
    """Peak memory, the interpreter included, and processor time of building an index."""
    draw = random.Random(1)
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(30_000)]
    path = folder / "random.jsonl"
    with path.open("w") as out:
        out.writelines(json.dumps({"question": " ".join(draw.choices(vocabulary, k=RANDOM_WORDS))}) + "\n" for _ in range(RANDOM_ITEMS))
    script = str(REPOSITORY / "benchmarks" / "index_items.py")
    candidates = {"real": benchmarks, f"{RANDOM_WORDS} random words each": path}
    runs = measure.in_turns(
        {name: functools.partial(measure.run, [sys.executable, script, str(source)]) for name, source in candidates.items()}, repeats
    )
    rows = []
    for name, own in runs.items():
        said = own[-1].json()
        label = f"index of {said['items']:,} items, {name}, {said['ngrams']:,} 13-grams"
        memory = measure.median(own, lambda run: run.peak_bytes) / MIB
        rows.append(table.lower_is_better(f"{label}: peak memory", "MiB", memory, "asked for", MOST_MEMORY, goal=1.0))
        rows.append(table.lower_is_better(f"{label}: processor time", "s", measure.median(own, lambda run: float(run.json()["seconds"]))))
    return rows


def repetition_rows(repeats: int | None) -> list[table.Row]:
    """A page of one 13-gram again and again, for report and removal: seconds for each megabyte, at several sizes."""
    from contamination.benchmarks import Benchmark, Item
    from contamination.indexing import build_index
    from contamination.overlap import measure_documents
    from contamination.specs import BenchmarkSpec
    from contamination.stage import decontaminate
    from curation.documents import documents_frame
    from curation.recipe import DecontaminateSettings

    phrase = "one two three four five six seven eight nine ten eleven twelve thirteen"
    benchmark = Benchmark(BenchmarkSpec(name="counting"), [Item(0, ((phrase,),))])
    index = build_index([benchmark], removal_words=13, report_min_words=8, report_max_words=13)

    def seconds(megabytes: int) -> float:
        text = f"{phrase}. " * (megabytes * MEGABYTE // (len(phrase) + 2))
        documents = documents_frame([{"id": "page", "text": text}])
        started = time.process_time()
        measure_documents(documents, index, 20)
        decontaminate(documents, index, DecontaminateSettings())
        return (time.process_time() - started) / megabytes

    seconds(1)
    runs = measure.in_turns({str(size): functools.partial(seconds, size) for size in REPETITION_MEGABYTES}, repeats)
    smallest, *larger = (measure.median(runs[str(size)], float) for size in REPETITION_MEGABYTES)
    return [
        table.lower_is_better(f"one 13-gram over {size} MB", "s/MB", own, f"over {REPETITION_MEGABYTES[0]} MB", smallest, goal=0.5)
        for size, own in zip(REPETITION_MEGABYTES[1:], larger, strict=True)
    ]


if __name__ == "__main__":
    main()
