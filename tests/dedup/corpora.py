"""Small corpora of made-up words, and dedup run on them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from curation.recipe import DedupSettings
from dedup.index import open_index
from dedup.stage import DedupStage
from tests.small_corpus import SmallCorpus, run_small, shards_of

VOCABULARY = [f"word{number}" for number in range(500)]
Ledger = dict[str, dict[str, Any]]


def text(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(VOCABULARY, k=words))


def document(document_id: str, content: str | None, **values: Any) -> dict[str, Any]:
    return {"id": document_id, "text": content, "source": "commoncrawl", **values}


def planted(seed: int, prefix: str = "", count: int = 40) -> list[dict[str, Any]]:
    """Documents: originals, equal copies and edited copies at random."""
    generator = random.Random(f"{seed}{prefix}")
    rows = []
    for number in range(count):
        words = text(1000 * seed + generator.randrange(12), 80).split()
        for _ in range(generator.choice([0, 0, 1, 2, 6])):
            words[generator.randrange(len(words))] = f"edit{generator.randrange(5)}"
        rows.append(document(f"{prefix}{number:03}", " ".join(words), source=generator.choice(["webtext", "commoncrawl"])))
    return rows


def dedup(
    folder: Path, rows: list[dict[str, Any]], size: int = 3, workers: int = 1, **values: Any
) -> tuple[SmallCorpus, list[str], Ledger]:
    """Corpus, ids that stay, and the ledger as {id: {reason, **detail}}."""
    settings = DedupSettings(**values)
    frames = shards_of(rows, size)
    index = open_index(settings, 1, SmallCorpus(folder / "shards", frames).shards) if settings.against else None
    corpus, _, outcomes = run_small(DedupStage(settings, 1, index), folder, frames, workers)
    ledger = {row["id"]: {"reason": row["reason"], **json.loads(row["detail"])} for outcome in outcomes for row in outcome.ledger}
    return corpus, [document_id for outcome in outcomes for document_id in outcome.documents["id"]], ledger
