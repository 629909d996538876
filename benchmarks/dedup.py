"""Deduplication beside datatrove, datasketch's loop, rensa's full R-MinHash and text-dedup, on documents with known duplicates.

All read the same JSONL files and write the documents that stay. Two processes each, where the program knows how. Scores are
against the truth of the corpus: pairs with their measured Jaccard similarity of word 5-grams. The corpus comes from
make_neardups.py of the shared folder ($CRAWL2GPT_SHARED), or is given by --corpus and --truth (its file formats).
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import comb
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # as a script: this file must not hide the package dedup

import polars as pl  # noqa: E402

from benchmarks import measure, peers, table  # noqa: E402

THRESHOLD = 0.8
FILES = 2  # of a corpus: datatrove works on one file a process
PEERS = {
    "datatrove": ("minhash", "minhash_datatrove.py"),
    "datasketch": ("minhash", "minhash_loop.py", "datasketch"),
    "rensa": ("minhash", "minhash_loop.py", "rensa"),
    "text-dedup": ("text-dedup", "minhash_text_dedup.py"),
}
SIGNING = ("datatrove", "datasketch", "rensa")  # peers whose signatures can be made alone
LARGE_PEERS = ("rensa",)  # fast enough for the large corpus
SIGNATURE_DOCUMENTS = 5000
MIB = 1 << 20


@dataclass(frozen=True)
class Truth:
    """Pairs with their similarity, and the clusters that those from ``THRESHOLD`` on make."""

    pairs: dict[tuple[str, str], float]
    cluster_of: dict[str, str]


@dataclass(frozen=True)
class Found:
    """What a program did: removed documents, and the cluster of each document that is in one (None: it does not say)."""

    removed: set[str]
    cluster_of: dict[str, str] | None


# --- corpus and truth ---------------------------------------------------------------------------------


def make_corpus(folder: Path, documents: int, seed: int) -> tuple[Path, Path]:
    """A corpus and its truth, made by the shared tool."""
    shared = Path(os.environ.get("CRAWL2GPT_SHARED", REPOSITORY.parent / "shared"))
    tool, texts = shared / "tools" / "make_neardups.py", shared / "data" / "quality" / "openwebtext-500.jsonl.gz"
    if not tool.exists():
        sys.exit(f"{tool} is not there; set CRAWL2GPT_SHARED, or give --corpus and --truth")
    corpus, truth = folder / f"corpus-{documents}.jsonl", folder / f"truth-{documents}.jsonl"
    command = [sys.executable, tool, "--docs", texts, "--count", documents, "--seed", seed, "--out", corpus, "--truth", truth]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return corpus, truth


def split_corpus(corpus: Path, folder: Path) -> Path:
    """The corpus as ``FILES`` files of a folder, its order kept."""
    folder.mkdir()
    with corpus.open(encoding="utf-8") as lines:
        count = sum(1 for _ in lines)
    with corpus.open(encoding="utf-8") as lines:
        for number in range(FILES):
            with (folder / f"part-{number}.jsonl").open("w", encoding="utf-8") as out:
                out.writelines(itertools.islice(lines, -(-count // FILES)))
    return folder


def read_truth(path: Path) -> Truth:
    """The truth that the tool wrote."""
    pairs: dict[tuple[str, str], float] = {}
    cluster_of: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        own = {(one, other): similarity for one, other, similarity in json.loads(line)["pairs"]}
        pairs |= own
        for (one, other), similarity in own.items():
            if similarity >= THRESHOLD:
                names = {cluster_of.get(one, one), cluster_of.get(other, other)}
                merged = {document for document, name in cluster_of.items() if name in names} if len(names) > 1 and cluster_of else set()
                for document in merged | {one, other}:
                    cluster_of[document] = min(names)
    return Truth(pairs, cluster_of)


# --- scores -------------------------------------------------------------------------------------------


def recall(truth: Truth, found: Found, similarity: float) -> float:
    """Share of the pairs from a similarity on of which one document at least was removed."""
    wanted = [pair for pair, value in truth.pairs.items() if value >= similarity]
    return sum(not found.removed.isdisjoint(pair) for pair in wanted) / len(wanted)


def precision(truth: Truth, found: Found) -> float:
    """Share of the removed documents that have a duplicate from ``THRESHOLD`` on."""
    return sum(document in truth.cluster_of for document in found.removed) / max(1, len(found.removed))


def f1(one: float, other: float) -> float:
    """Harmonic mean of precision and recall."""
    return 2 * one * other / (one + other) if one + other else 0.0


def adjusted_rand_index(one: dict[str, str], other: dict[str, str], documents: int) -> float:
    """Agreement of two clusterings of so many documents (Hubert and Arabie, 1985); who is in no cluster is one alone."""

    def pairs(counts: Iterable[int]) -> int:
        return sum(comb(count, 2) for count in counts)

    both = pairs(Counter((name, other[document]) for document, name in one.items() if document in other).values())
    first, second = pairs(Counter(one.values()).values()), pairs(Counter(other.values()).values())
    expected = first * second / comb(documents, 2)
    return (both - expected) / ((first + second) / 2 - expected)


# --- programs -----------------------------------------------------------------------------------------


def run_ours(source: Path, folder: Path) -> measure.Run:
    """Our command on a folder of files."""
    command = [sys.executable, "cli.py", "dedup", "--input", source, "--run", folder, "--workers", 2, "--quiet"]
    return measure.run([str(word) for word in command], {"PYTHONPATH": str(REPOSITORY)})


def found_by_us(folder: Path) -> Found:
    """From the ledger: whom each removed document is a duplicate of."""
    ledger = pl.read_parquet(f"{folder}/dedup/ledger/*.parquet")
    survivors = {document: json.loads(detail)["duplicate_of"] for document, detail in ledger.select("id", "detail").iter_rows()}
    return Found(set(survivors), {**{survivor: survivor for survivor in survivors.values()}, **survivors})


def run_peer(name: str, source: Path, folder: Path) -> measure.Run:
    """A peer's script on a folder of files."""
    folder.mkdir()
    environment, script, *which = PEERS[name]
    return measure.run(peers.command(environment, script, *which, source, folder))


def found_by_peer(name: str, folder: Path) -> Found:
    """From the table that its script writes."""
    rows = [line.split("\t") for line in (folder / "clusters.tsv").read_text().splitlines()]
    clusters = None if name == "text-dedup" else {document: cluster for document, cluster, _ in rows}
    return Found({document for document, _, kept in rows if kept == "0"}, clusters)


def our_signature_rate(source: Path) -> float:
    """Signatures a second on one thread, from text: words, shingles and 128 permutations."""
    from dedup.interop import signatures_of

    with next(iter(sorted(source.glob("*.jsonl")))).open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, SIGNATURE_DOCUMENTS)]
    signatures_of(texts[:10])  # loads the kernels
    started = time.monotonic()
    for start in range(0, len(texts), 500):
        signatures_of(texts[start : start + 500])
    return len(texts) / (time.monotonic() - started)


def peer_signature_rate(name: str, source: Path) -> float:
    """Signatures a second on one thread."""
    environment, script, *which = PEERS[name]
    run = measure.run(peers.command(environment, script, *which, source, "unused", "signatures"), {"RAYON_NUM_THREADS": "1"})
    return float(run.json()["documents"] / run.json()["seconds"])


# --- rows ---------------------------------------------------------------------------------------------


def compare(corpus: Path, truth: Truth, names: Iterable[str], folder: Path, label: str, repeats: int | None) -> list[table.Row]:
    """Rows of one corpus: rates, memory and scores of ours and of the named peers."""
    source = split_corpus(corpus, folder / label)
    numbers = itertools.count()
    last: dict[str, Path] = {}

    def run(name: str) -> measure.Run:
        last[name] = folder / f"{label}-{name}-{next(numbers)}"
        return run_ours(source, last[name]) if name == "ours" else run_peer(name, source, last[name])

    runs = measure.in_turns({name: functools.partial(run, name) for name in ("ours", *names)}, repeats)
    with corpus.open(encoding="utf-8") as lines:
        documents = sum(1 for _ in lines)
    # A peer is timed by its own clock: its interpreter's start and the table that it writes for us do not count.
    seconds = {name: measure.median(own, _own_seconds if name == "ours" else _told_seconds) for name, own in runs.items()}
    memory = {name: measure.median(own, lambda run: run.peak_bytes) / MIB for name, own in runs.items()}
    found = {name: found_by_us(path) if name == "ours" else found_by_peer(name, path) for name, path in last.items()}
    fastest = min((name for name in seconds if name != "ours"), key=seconds.__getitem__, default=None)
    rows = []
    for name in names:
        goal = 3.0 if name == fastest else None
        rate = f"{label}, end to end"
        rows.append(table.higher_is_better(rate, "documents/s", documents / seconds["ours"], name, documents / seconds[name], goal))
        rows.append(table.lower_is_better(f"{label}, peak memory", "MiB", memory["ours"], name, memory[name]))
    scores = {name: _scores(truth, own, documents) for name, own in found.items()}
    for measured, goal in (("recall at J >= 0.9", 0.99), ("recall at J >= 0.85", 0.95), ("precision of removals", 0.999)):
        rows.append(
            table.higher_is_better(f"{label}, {measured}", "share", scores["ours"][measured] or 0.0, "what is asked for", goal, 1.0)
        )
    for measured in scores["ours"]:
        for name in names:
            own, theirs = scores["ours"][measured], scores[name][measured]
            if own is not None and theirs is not None:
                rows.append(table.higher_is_better(f"{label}, {measured}", "share", own, name, theirs))
    return rows


def _own_seconds(run: measure.Run) -> float:
    return run.seconds


def _told_seconds(run: measure.Run) -> float:
    return float(run.json()["seconds"])


def _scores(truth: Truth, found: Found, documents: int) -> dict[str, float | None]:
    right, complete = precision(truth, found), recall(truth, found, THRESHOLD)
    agreement = None if found.cluster_of is None else adjusted_rand_index(truth.cluster_of, found.cluster_of, documents)
    return {
        "recall at J >= 0.9": recall(truth, found, 0.9),
        "recall at J >= 0.85": recall(truth, found, 0.85),
        "recall at J >= 0.8": complete,
        "precision of removals": right,
        "F1": f1(right, complete),
        "adjusted Rand index": agreement,
    }


def main() -> None:
    parser = table.parser(__doc__)
    parser.add_argument("--documents", type=int, default=50_000, help="documents that all programs get (default 50000)")
    parser.add_argument("--large", type=int, default=200_000, help="documents for ours and rensa alone, 0 for none (default 200000)")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS), help="programs to compare with (default all)")
    parser.add_argument("--corpus", type=Path, metavar="JSONL", help="documents to use instead of made ones")
    parser.add_argument("--truth", type=Path, metavar="JSONL", help="their true pairs")
    arguments = parser.parse_args()
    if (arguments.corpus is None) != (arguments.truth is None):
        parser.error("--corpus and --truth belong together")
    with tempfile.TemporaryDirectory(prefix="dedup-benchmark-") as name:
        folder = Path(name)
        corpus, truth = (arguments.corpus, arguments.truth) if arguments.corpus else make_corpus(folder, arguments.documents, seed=1)
        rows = compare(corpus, read_truth(truth), arguments.peers, folder, "all", arguments.repeats)
        signing = [peer for peer in SIGNING if peer in arguments.peers]
        rates = measure.in_turns(
            {"ours": lambda: our_signature_rate(folder / "all")}
            | {peer: functools.partial(peer_signature_rate, peer, folder / "all") for peer in signing},
            arguments.repeats,
        )
        medians = {peer: measure.median(own, float) for peer, own in rates.items()}
        for peer in signing:
            goal = 50.0 if peer == "datatrove" else None
            rows.append(table.higher_is_better("signatures, one thread", "documents/s", medians["ours"], peer, medians[peer], goal))
        large = [peer for peer in LARGE_PEERS if peer in arguments.peers]
        if arguments.large and large and not arguments.corpus:
            corpus, truth = make_corpus(folder, arguments.large, seed=2)
            rows += compare(corpus, read_truth(truth), large, folder, "large", arguments.repeats)
        table.report(rows, arguments.json)


if __name__ == "__main__":
    main()
