"""Every preset against GPT-3's appendix C written down once more: tuples of words, sets and loops over all characters."""

from __future__ import annotations

import json
import random
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from contamination.stage import DecontaminateStage
from curation.recipe import DecontaminateSettings
from tests.small_corpus import SmallCorpus, shards_of

Ngrams = set[tuple[str, ...]]
# n of the removal, what is done, documents above which an n-gram is common, smallest and largest n of the report.
PRESETS = {
    "gpt3": (13, "cut", 10, 8, 13),
    "gpt2": (8, None, None, 8, 8),
    "strict": (8, "drop", None, 8, 13),
    "report_only": (13, None, 10, 8, 13),
}
REASONS = {
    "gpt3": {"contaminated", "too_many_pieces", "no_piece_left"},
    "strict": {"holds_benchmark_text"},
    "gpt2": set(),
    "report_only": set(),
}
WINDOW, MIN_PIECE, MAX_PIECES = 200, 200, 10
VOCABULARY = [f"{first}{second}{number}" for first in "bdk" for second in ("a", "ent", "orous") for number in range(20)]


def tokens(text: str) -> list[tuple[str, int, int]]:
    return [(match.group().lower(), *match.span()) for match in re.finditer(r"[A-Za-z0-9]+", text)]


def ngrams(text: str, n: int) -> Ngrams:
    words = [word for word, _, _ in tokens(text)]
    return {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}


def small_world(seed: int) -> tuple[dict[str, list[str]], list[str]]:
    """Benchmarks, and documents that hold parts of their items: some of one, some of many, some in many documents."""
    draw = random.Random(seed)

    def sentence(low: int, high: int) -> str:
        return " ".join(draw.choices(VOCABULARY, k=draw.randint(low, high)))

    benchmarks = {
        "long": [sentence(20, 40) for _ in range(25)],
        "middle": [sentence(10, 16) for _ in range(25)],
        "short": [sentence(3, 12) for _ in range(25)],
    }
    items = [item for texts in benchmarks.values() for item in texts]
    common = [*draw.sample(benchmarks["long"], 2), *draw.sample(items, 1)]
    documents = []
    for number in range(60):
        longest = 15 if number % 4 == 0 else 160
        parts = [sentence(5, longest)]
        for _ in range(80 if number % 20 == 5 else draw.choice((0, 1, 1, 2))):
            words = draw.choice(items).split()
            first = draw.randrange(len(words)) if number % 4 else 0
            parts += [" ".join(words[first : first + draw.randint(6, 30)]), sentence(5, longest)]
        if draw.random() < 0.8:
            parts += [draw.choice(common), sentence(1, 60)]
        documents.append(draw.choice((", ", "\n", " - ")).join(part.upper() if draw.random() < 0.2 else part for part in parts))
    return benchmarks, documents


def expected_pieces(text: str, wanted: Ngrams, n: int) -> tuple[str | None, list[tuple[int, int]]]:
    """Reason and the spans that stay, by a mark on every character that goes."""
    found, gone = tokens(text), [False] * len(text)
    for at in range(len(found) - n + 1):
        if tuple(word for word, _, _ in found[at : at + n]) in wanted:
            low, high = max(0, found[at][1] - WINDOW), min(len(text), found[at + n - 1][2] + WINDOW)
            gone[low:high] = [True] * (high - low)
    if not any(gone):
        return None, []
    pieces = []
    for is_gone, run in groupby(range(len(text)), key=gone.__getitem__):
        place = list(run)
        if not is_gone:
            pieces.append((place[0], place[-1] + 1))
    kept = [(start, end) for start, end in pieces if end - start >= MIN_PIECE]
    if len(pieces) > MAX_PIECES:
        return "too_many_pieces", []
    return ("contaminated", kept) if kept else ("no_piece_left", [])


def report_words(texts: list[str], low: int, high: int) -> int:
    """The 5th percentile of 25 lengths lies at place 1.2 of the sorted ones."""
    lengths = sorted(len(tokens(text)) for text in texts)
    assert len(lengths) == 25
    percentile = lengths[1] + 0.2 * (lengths[2] - lengths[1])
    return min(max(int(percentile), low), high)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_does_what_the_paper_says(preset: str, seed: int, tmp_path: Path) -> None:
    benchmarks, texts = small_world(seed)
    n, action, common, low, high = PRESETS[preset]
    files = []
    for name, items in benchmarks.items():
        files.append(str(tmp_path / f"{name}.jsonl"))
        Path(files[-1]).write_text("".join(json.dumps({"question": item}) + "\n" for item in items))
    frames = shards_of([{"id": f"d{number}", "text": text, "source": "web"} for number, text in enumerate(texts)], 17)
    stage, corpus = DecontaminateStage(DecontaminateSettings(benchmarks=files, preset=preset), 0), SmallCorpus(tmp_path, frames)
    prepared = stage.prepare(corpus)
    outcomes = [stage.process(frame, prepared) for frame in frames]

    in_documents = [ngrams(text, n) for text in texts]
    looked_for = set[tuple[str, ...]]().union(*(ngrams(item, n) for items in benchmarks.values() for item in items))
    counts = {ngram: sum(ngram in document for document in in_documents) for ngram in looked_for}
    wanted = {ngram for ngram, documents in counts.items() if common is None or documents <= common}
    assert prepared.values["ngrams_ignored_as_common"] == len(counts) - len(wanted)
    assert (len(counts) > len(wanted)) == (common is not None)

    stays, reasons = [], {}
    for number, text in enumerate(texts):
        reason, spans = expected_pieces(text, wanted, n) if action else (None, [])
        if reason is None:
            stays.append((f"d{number}", text))
        else:
            reasons[f"d{number}"] = "holds_benchmark_text" if action == "drop" else reason
            stays += [(f"d{number}#{place}", text[start:end]) for place, (start, end) in enumerate(spans) if action == "cut"]
    assert [row for outcome in outcomes for row in outcome.documents.select("id", "text").rows()] == stays
    assert {row["id"]: row["reason"] for outcome in outcomes for row in outcome.ledger} == reasons
    assert set(reasons.values()) == REASONS[preset]  # the small world holds every case

    for row in json.loads(corpus.published["contamination/report.json"]):
        _compare_report(row, benchmarks[row["name"]], texts, low, high)


def _compare_report(row: dict[str, Any], items: list[str], texts: list[str], low: int, high: int) -> None:
    length = report_words(items, low, high)
    in_documents = [ngrams(text, length) for text in texts]
    plain = [f" {' '.join(word for word, _, _ in tokens(text))} " for text in texts]
    looked_for = [ngrams(item, length) for item in items]
    # An item without n words is looked for whole from 8 words on.
    whole = [tuple(word for word, _, _ in tokens(item)) if not own else () for item, own in zip(items, looked_for, strict=True)]
    for own, words in zip(looked_for, whole, strict=True):
        if len(words) >= low:
            own.add(words)
            for document, text in zip(in_documents, plain, strict=True):
                document |= {words} if f" {' '.join(words)} " in text else set()
    everything = set[tuple[str, ...]]().union(*looked_for)
    matched = {ngram for ngram in everything if any(ngram in document for document in in_documents)}
    assert row["n"] == length
    assert row["dirty"] == sum(bool(own & matched) for own in looked_for)
    assert row["clean"] == len(items) - row["dirty"]
    assert row["too_short"] == sum(not own for own in looked_for)
    assert row["documents_hit"] == sum(bool(everything & document) for document in in_documents)
    assert row["sources_hit"] == ({"web": row["documents_hit"]} if row["documents_hit"] else {})
    assert (row["ngrams"], row["ngrams_matched"]) == (len(everything), len(matched))
    most = sorted((sum(ngram in document for document in in_documents) for ngram in matched), reverse=True)[:5]
    assert [entry["documents"] for entry in row["top_ngrams"]] == most
    for entry in row["top_ngrams"]:
        assert sum(tuple(entry["ngram"].split()) in document for document in in_documents) == entry["documents"]
