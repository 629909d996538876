"""Benchmark items planted in documents, and what a decontaminator should leave of them, worked out character by character.

The items are planted by plant_leaks.py of the shared folder, which writes down where and has a search of 13-grams of its own.
Nothing of ``contamination`` is used here.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

WINDOW, MIN_PIECE, MAX_PIECES = 200, 200, 10  # GPT-3, appendix C: characters, characters, pieces
NEIGHBOURHOOD = 2000  # characters: more than any 13 words
FIELDS = {"mmlu_test": "question,choice0,choice1,choice2,choice3", "arc_challenge_test": "question,choices"}

Span = tuple[int, int]


@dataclass(frozen=True)
class Planted:
    """``texts``: documents by id. ``truth``: a line of the tool for each leak that holds a 13-gram, planted or natural, and with it
    ``stretches``, the characters that 13-grams cover.
    """

    file: Path
    texts: dict[str, str]
    truth: list[dict[str, Any]]


@dataclass(frozen=True)
class Score:
    """``planted``, ``found``: leaks of 13 words or more by kind. ``documents``: all; ``exact``: those of which just the right spans
    stay. ``characters``: those that should stay; ``lost``: how many of them did not.
    """

    planted: dict[str, int]
    found: dict[str, int]
    documents: int
    exact: int
    characters: int
    lost: int


def plant(shared: Path, folder: Path, seed: int, count: int, many: int, benchmark: str = "mmlu_test") -> Planted:
    """Items of a benchmark planted in OpenWebText documents, ``count`` one by one and twelve in each of ``many``."""
    tool = shared / "tools" / "plant_leaks.py"
    items = shared / "data" / "benchmarks" / f"{benchmark}.jsonl.gz"
    documents, truth = folder / f"planted-{seed}.jsonl", folder / f"truth-{seed}.jsonl"
    command = [sys.executable, tool, "--docs", shared / "data" / "quality" / "openwebtext-500.jsonl.gz", "--bench", items]
    command += ["--fields", FIELDS[benchmark], "--count", count, "--many", many, "--seed", seed, "--out", documents, "--truth", truth]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    texts = {str(row["id"]): row["text"] for row in _rows(documents)}
    lines = [row | {"doc": str(row["doc"])} for row in _rows(truth) if row["has_13gram"]]
    find_stretches = _tool(tool).Benchmark(str(items), FIELDS[benchmark].split(","), 25).hits
    return Planted(documents, texts, [line | {"stretches": _stretches(line, texts[line["doc"]], find_stretches)} for line in lines])


def _tool(path: Path) -> Any:
    """The tool as a module, for its own search of 13-grams."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _stretches(line: Mapping[str, Any], text: str, find_stretches: Callable[[str], list[Span]]) -> list[Span]:
    """Where 13-grams of the benchmark touch a leak: a word beside it may happen to go on as the item does."""
    low = max(0, line["start"] - NEIGHBOURHOOD)
    found = [(low + start, low + end) for start, end in find_stretches(text[low : line["end"] + NEIGHBOURHOOD])]
    return [(start, end) for start, end in found if start < line["end"] and end > line["start"]]


def _rows(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="\n") as lines:  # a document may hold other line ends
        return [json.loads(line) for line in lines]


def expected_spans(text: str, leaks: list[Span]) -> list[Span]:
    """The pieces that stay of a document: every character is marked that lies in a window around a leak."""
    gone = [False] * len(text)
    for start, end in leaks:
        low, high = max(0, start - WINDOW), min(len(text), end + WINDOW)
        gone[low:high] = [True] * (high - low)
    pieces = []
    for is_gone, run in groupby(range(len(text)), key=gone.__getitem__):
        places = list(run)
        if not is_gone:
            pieces.append((places[0], places[-1] + 1))
    if len(pieces) > MAX_PIECES:
        return []
    return [piece for piece in pieces if not leaks or piece[1] - piece[0] >= MIN_PIECE]


def score(planted: Planted, kept: Mapping[str, list[Span]]) -> Score:
    """``kept``: the spans of each document that a decontaminator left; a document that is missing was dropped."""
    leaks: dict[str, list[Span]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    found: dict[str, int] = defaultdict(int)
    for line in planted.truth:
        name, start, end = line["doc"], line["start"], line["end"]
        leaks[name] += line["stretches"]
        if line["kind"] != "natural":
            counts[line["kind"]] += 1
            found[line["kind"]] += not any(low < end and high > start for low, high in kept.get(name, []))
    exact = characters = lost = 0
    for name, text in planted.texts.items():
        wanted, left = expected_spans(text, leaks[name]), kept.get(name, [])
        exact += wanted == left
        characters += sum(end - start for start, end in wanted)
        lost += sum(max(0, end - start - _overlap((start, end), left)) for start, end in wanted)
    return Score(counts, found, len(planted.texts), exact, characters, lost)


def _overlap(span: Span, others: list[Span]) -> int:
    return sum(max(0, min(span[1], end) - max(span[0], start)) for start, end in others)
