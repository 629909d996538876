"""Real benchmark items in real documents: all of them are found, however they stand there, and nothing else goes."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from benchmarks.evasions import EVASIONS
from benchmarks.leaks import Span, plant, score
from contamination.benchmarks import read_rows
from contamination.stage import DecontaminateStage
from curation.recipe import DecontaminateSettings
from tests.shared_data import shared
from tests.small_corpus import SmallCorpus, shards_of


def kept_spans(folder: Path, texts: dict[str, str], benchmark: Path) -> tuple[SmallCorpus, dict[str, list[Span]]]:
    """What the stage leaves of each document."""
    frames = shards_of([{"id": name, "text": text} for name, text in texts.items()], 90)
    corpus = SmallCorpus(folder, frames)
    stage = DecontaminateStage(DecontaminateSettings(benchmarks=[str(benchmark)]), 0)
    prepared = stage.prepare(corpus)
    kept: dict[str, list[Span]] = {}
    for frame in frames:
        for name, text, piece in stage.process(frame, prepared).documents.select("id", "text", "pieces").iter_rows():
            parent, start, end = (name, 0, len(text)) if piece is None else (piece["parent"], piece["start"], piece["end"])
            assert texts[parent][start:end] == text
            kept.setdefault(parent, []).append((start, end))
    return corpus, kept


@pytest.mark.parametrize(
    ("benchmark", "seed"),
    [("arc_challenge_test", 1), *(pytest.param("mmlu_test", seed, marks=pytest.mark.slow) for seed in range(1, 7))],
)
def test_planted_leaks(benchmark: str, seed: int, tmp_path: Path) -> None:
    """Every leak of 13 words or more is found, the spans that go are the right ones to the character, nothing else is touched."""
    tool = shared("tools", "plant_leaks.py")
    planted = plant(tool.parents[1], tmp_path, seed, count=36, many=1, benchmark=benchmark)
    corpus, kept = kept_spans(tmp_path, planted.texts, shared("data", "benchmarks", f"{benchmark}.jsonl.gz"))
    result = score(planted, kept)
    assert sum(result.planted.values()) == 42  # 36 less 6 of 12 words, and 12 in one document
    assert result.found == result.planted
    assert (result.exact, result.lost) == (result.documents, 0)
    assert not any(name.startswith("many") for name in kept)
    [report] = json.loads(corpus.published["contamination/report.json"])
    assert report["dirty"] >= len({line["item"] for line in planted.truth if "item" in line})


def test_evasions(tmp_path: Path) -> None:
    """One 13-gram of an item in each document, disguised: 95 % at least of each kind must be found."""
    path = shared("data", "benchmarks", "arc_challenge_test.jsonl.gz")
    questions = [row["question"] for _, row in read_rows(str(path))]
    phrases = []
    for question in questions:
        words = list(re.finditer(r"[A-Za-z0-9]+", question))
        if len(words) >= 13:
            phrases.append(question[words[0].start() : words[12].end()])
    draw = random.Random(4)
    texts = {}
    for name, disguise in EVASIONS.items():
        for number, phrase in enumerate(draw.sample(phrases, 40)):
            texts[f"{name}#{number}"] = f"{'Nothing here. ' * 30}{disguise(phrase, draw)}{' Nothing there.' * 30}"
    _, kept = kept_spans(tmp_path, texts, path)
    for name in EVASIONS:
        found = sum(len(kept[f"{name}#{number}"]) == 2 for number in range(40))
        assert found >= 38, f"{name}: {found} of 40"
