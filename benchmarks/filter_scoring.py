"""Scoring beside a bare loop over fastText's own predict, on the same documents and the same model.

``rows`` is a part of benchmarks/filter.py. The bare loop is handed lines that are cleaned already; ours
cleans the texts, finds the fold of each address and calibrates. The whole stage also reads a
shard, writes documents and ledger, and commits them; one process.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script

from benchmarks import table

DOCUMENTS = 2000
WORDS = 500  # of each document
VOCABULARY = 30_000
DIMENSIONS = (16, 100)  # of the embeddings: the default, and fastText's own
REPEATS = 5
SCORING_GOAL, STAGE_GOAL = 0.8, 0.7  # of the bare loop's speed


def rows(repeats: int = REPEATS) -> list[table.Row]:
    """Documents a second of scoring and of the whole stage, beside those of the bare loop."""
    found: list[table.Row] = []
    for dimension in DIMENSIONS:
        with tempfile.TemporaryDirectory() as folder:
            loops = _loops(Path(folder), dimension)
            seconds: dict[str, list[float]] = {name: [] for name in loops}
            for _ in range(repeats):
                for name, loop in loops.items():
                    started = time.perf_counter()
                    loop()
                    seconds[name].append(time.perf_counter() - started)
        rates = {name: DOCUMENTS / statistics.median(times) for name, times in seconds.items()}
        peer, bare = f"fastText's predict, dimension {dimension}", rates.pop("bare")
        for name, goal in (("scoring", SCORING_GOAL), ("whole stage", STAGE_GOAL)):
            found.append(table.higher_is_better(f"{name}, {WORDS}-word documents", "documents/s", rates[name], peer, bare, goal=goal))
    return found


def _loops(folder: Path, dimension: int) -> dict[str, Callable[[], object]]:
    """What is timed: each takes all documents once."""
    import fasttext

    from curation import storage
    from curation.documents import documents_frame
    from curation.ledger import Counts
    from curation.parts import Part, PartWriter, count_outcome
    from curation.recipe import FilterSettings
    from curation.shards import Shard, frame_to_parquet, read_shard
    from curation.stage import Prepared
    from quality_filter import fasttext_model
    from quality_filter.calibration import Calibration
    from quality_filter.model_folder import DESCRIPTION, Description, file_entry, load_model
    from quality_filter.routing import Routing
    from quality_filter.stage import FilterStage
    from quality_filter.text import normalise

    texts = _texts()
    ids = [f"d{number}" for number in range(DOCUMENTS)]
    urls = [f"http://site{number // 3}.example/{number}" for number in range(DOCUMENTS)]
    settings = FilterSettings(dimension=dimension, epochs=1)
    lines = normalise(texts, settings.max_words).texts()
    content = fasttext_model.train([number % 2 == 0 for number in range(DOCUMENTS)], lines, settings, 0)
    files = {f"fold-{fold}.bin": content for fold in range(settings.folds)}
    entries = [file_entry(name, content) for name, content in files.items()]
    calibrations = [Calibration()] * settings.folds
    description = Description("fasttext", fasttext_model.POSITIVE, 5, 1000, 3, Routing(settings.folds), calibrations, entries)
    model_folder = folder / "model"
    model_folder.mkdir()
    for name, file in {**files, DESCRIPTION: description.to_bytes()}.items():
        (model_folder / name).write_bytes(file)
    peer = fasttext.load_model(str(model_folder / "fold-0.bin"))
    ours = load_model(str(model_folder), fasttext_model.POSITIVE, 5, 1000)
    parquet = frame_to_parquet(documents_frame({"id": i, "url": u, "text": t} for i, u, t in zip(ids, urls, texts, strict=True)))
    (folder / "shard.parquet").write_bytes(parquet)
    shard = Shard(str(folder / "shard.parquet"), DOCUMENTS, len(parquet), storage.sha256_of(parquet))
    stage, prepared = FilterStage(settings, 0), Prepared(str(model_folder), {"alpha": settings.alpha}, "1")

    def bare() -> None:
        for line in lines:
            peer.predict(line)

    def whole_stage() -> Counts:
        documents = read_shard(shard)
        outcome = stage.process(documents, prepared)
        writer = PartWriter(Part(str(folder / "run"), "filter", 1, 0, "f" * 64, []))
        writer.counts = count_outcome(documents, outcome)
        writer.add(outcome)
        writer.finish(documents_frame(), outcome.statistics)
        return writer.counts

    whole_stage()  # compiles, and loads the model
    return {"bare": bare, "scoring": lambda: ours.score(texts, urls, ids), "whole stage": whole_stage}


def _texts() -> Sequence[str]:
    """Documents of words whose frequencies fall as those of a language do."""
    generator = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(generator.choices(letters, range(26, 0, -1), k=generator.randrange(2, 10))) for _ in range(VOCABULARY)]
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]
    return [" ".join(generator.choices(words, weights, k=WORDS)) + "." for _ in range(DOCUMENTS)]


def main() -> None:
    """Print the rows alone."""
    arguments = table.parser(__doc__).parse_args()
    table.report(rows(arguments.repeats or REPEATS), arguments.json)


if __name__ == "__main__":
    main()
