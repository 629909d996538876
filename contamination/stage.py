"""The stage ``decontaminate``: report the overlap with benchmarks, and cut it out (GPT-3, appendix C)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from contamination.benchmarks import Benchmark, read_benchmark
from contamination.index import OverlapIndex, index_to_bytes, write_index
from contamination.indexing import build_index
from contamination.overlap import CorpusOverlap, load_index, measure_shard
from contamination.page import render_page
from contamination.presets import DROP, REPORT, resolve_rules
from contamination.report import build_report, rows_to_csv, rows_to_json
from contamination.scan import Hits, Scan
from contamination.scores import DIRTY_ITEMS, SCORES
from contamination.scores import REPORT as REPORT_FILE
from contamination.specs import resolve_specs
from contamination.split import Split, split_text
from contamination.words import normalise
from curation import storage
from curation.documents import PIECE
from curation.ledger import Action, Reason, ledger_row
from curation.recipe import DecontaminateSettings
from curation.shards import canonical_json
from curation.stage import Corpus, Outcome, Prepared

OVERLAP_INDEX = "overlap.npz"  # what the whole corpus is compared with
REMOVAL_INDEX = "removal.npz"  # what is cut out: without common n-grams
MAX_LISTED = 20  # items, n-grams and spans in one ledger row; their numbers are there in full


class DecontaminateStage:
    """Remove benchmark n-grams with a window around them; documents without any pass unchanged."""

    name: ClassVar[str] = "decontaminate"
    version: ClassVar[int] = 6
    libraries: ClassVar[tuple[str, ...]] = ()
    writes_documents: ClassVar[bool] = True

    def __init__(self, settings: DecontaminateSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def resources(self) -> list[str]:
        """Benchmark files and the spec files that say how to read them."""
        specs = resolve_specs(self.settings.benchmarks)
        return sorted({path for spec in specs for path in (*spec.files, *([spec.path] if spec.path else []))})

    def prepare(self, corpus: Corpus) -> Prepared:
        """Compare the whole corpus with the benchmarks, publish the report, and commit what ``process`` cuts out.

        Raises:
            UsageError: an entry of ``benchmarks`` in the recipe is wrong.
            InputError: a benchmark cannot be read; nothing was written then.
        """
        settings, rules = self.settings, resolve_rules(self.settings)
        benchmarks = [read_benchmark(spec) for spec in resolve_specs(settings.benchmarks)]
        index = build_index(benchmarks, rules.ngram_words, rules.report_min_words, rules.report_max_words, settings.short_item_min_words)
        overlap = CorpusOverlap(index, settings.report_examples)
        if benchmarks:
            corpus.progress(f"{len(index.removal[0]):,} {rules.ngram_words}-grams of {len(benchmarks)} benchmarks")
            stored = _write_scratch(index, storage.join(corpus.scratch(), OVERLAP_INDEX))
            measure = functools.partial(
                measure_shard, index_path=stored.path, index_version=stored.sha256, max_examples=settings.report_examples
            )
            for shard in corpus.map(measure, corpus.shards):
                overlap.add(shard)
        _publish(corpus, benchmarks, overlap, rules.max_documents_per_ngram)
        common = [documents > rules.max_documents_per_ngram for documents in overlap.removal]
        content = index_to_bytes(index.for_removal(common))
        corpus.commit(REMOVAL_INDEX, content)
        values = {
            "benchmarks": len(benchmarks),
            "ngrams": sum(map(len, index.removal)),
            "ngrams_ignored_as_common": sum(int(dropped.sum()) for dropped in common),
            "index_sha256": storage.sha256_of(content),
        }
        return Prepared(corpus.folder, values)

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Cut the overlap out of one shard; pieces of a document are rows of their own, ``id#0``, ``id#1``, ..."""
        action = resolve_rules(self.settings).action
        if action == REPORT or not prepared.values["benchmarks"]:
            return Outcome(documents)
        index = load_index(storage.join(prepared.folder, REMOVAL_INDEX), prepared.values["index_sha256"])
        return decontaminate(documents, index, self.settings, drop=action == DROP)


def _write_scratch(index: OverlapIndex, path: str) -> storage.StoredFile:
    """The index in a local file for the workers, array by array: it is as large as all its n-grams."""
    with open(path, "wb") as stream:
        write_index(index, stream)
    return storage.hash_file(path)


def _publish(corpus: Corpus, benchmarks: Sequence[Benchmark], overlap: CorpusOverlap, max_documents_per_ngram: int) -> None:
    report = build_report(benchmarks, overlap, max_documents_per_ngram)
    items = [item for benchmark in benchmarks for item in benchmark.items]
    documents = sum(shard.rows for shard in corpus.shards)
    for name in SCORES.values():
        corpus.withdraw(name)  # they compare the items of the report that is replaced
    corpus.publish(REPORT_FILE, rows_to_json(report.rows))
    corpus.publish("contamination/report.csv", rows_to_csv(report.rows))
    corpus.publish(DIRTY_ITEMS, canonical_json(report.dirty_rows))
    corpus.publish("contamination/report.html", render_page(report.rows, overlap.examples, items, overlap.index, documents))


def decontaminate(documents: pl.DataFrame, index: OverlapIndex, settings: DecontaminateSettings, drop: bool = False) -> Outcome:
    """What stays of documents after the removal n-grams of the index are cut out, and why the rest does not.

    ``drop``: documents that hold any are removed whole.
    """
    rows: list[int] = []  # of ``documents``, for each row that stays
    pieces: list[tuple[int, int] | None] = []  # the span that stays, None: all of it, as it was
    names: list[str] = []
    ledger: list[dict[str, str]] = []
    statistics = {"windows": 0, "characters_removed": 0, "pieces_kept": 0, "pieces_dropped": 0}
    scan = Scan(index, index.removal)
    window = settings.window_characters // (2 if settings.window == "total" else 1)
    for row, (document, text) in enumerate(documents.select("id", "text").iter_rows()):
        found = scan.find(text or "")
        if not found:
            rows.append(row)
            pieces.append(None)
            names.append(document)
            continue
        split = split_text(len(text), [span for hits in found for span in hits.spans()], window, settings.min_piece_characters)
        action, reason = (Action.REMOVED, Reason.HOLDS_BENCHMARK_TEXT) if drop else judge(split, settings.max_pieces)
        ledger.append(ledger_row(document, action, reason, **_detail(text, found, split, index)))
        kept = split.kept if action is Action.CHANGED else []
        rows += [row] * len(kept)
        pieces += kept
        names += [f"{document}#{number}" for number in range(len(kept))]
        statistics["windows"] += len(split.windows)
        statistics["characters_removed"] += len(text) - sum(end - start for start, end in kept)
        statistics["pieces_kept"] += len(kept)
        statistics["pieces_dropped"] += len(split.pieces) - len(kept)
    if not ledger:
        return Outcome(documents, statistics=statistics)
    return Outcome(_cut(documents, rows, pieces, names), ledger, statistics=statistics)


def judge(split: Split, max_pieces: int) -> tuple[Action, Reason]:
    """What becomes of a document that overlaps: pieces are counted before short ones are dropped."""
    if len(split.pieces) > max_pieces:
        return Action.REMOVED, Reason.TOO_MANY_PIECES
    if not split.kept:
        return Action.REMOVED, Reason.NO_PIECE_LEFT
    return Action.CHANGED, Reason.CONTAMINATED


def _detail(text: str, found: list[Hits], split: Split, index: OverlapIndex) -> dict[str, Any]:
    """For the ledger: which items and n-grams, what was cut, how many pieces; lists are bounded, their counts are not."""
    items = np.unique(np.concatenate([hits.table.expand(np.unique(hits.ngrams))[1] for hits in found]))
    ngrams: list[str] = []
    for hits in found:
        first = np.unique(hits.ngrams, return_index=True)[1]
        places = hits.positions[np.sort(first)][:MAX_LISTED]  # in the order of the text
        ngrams += [normalise(text, hits.words, int(place), hits.table.words) for place in places]
    return {
        "benchmarks": [index.labels[benchmark] for benchmark in np.unique(index.benchmark_of_item[items])],
        "items": [index.item_label(item) for item in items[:MAX_LISTED]],
        "items_total": len(items),
        "ngrams": ngrams[:MAX_LISTED],
        "ngrams_total": sum(len(np.unique(hits.ngrams)) for hits in found),
        "removed": split.windows[:MAX_LISTED],
        "removed_total": len(split.windows),
        "pieces": len(split.pieces),
        "pieces_kept": len(split.kept),
    }


def _cut(documents: pl.DataFrame, rows: list[int], pieces: list[tuple[int, int] | None], names: list[str]) -> pl.DataFrame:
    """The rows that stay; of a piece, the text is the span and the token count of the whole document goes."""
    kept = documents[rows]
    texts = [text if piece is None else text[piece[0] : piece[1]] for text, piece in zip(kept["text"], pieces, strict=True)]
    origins = [
        origin if piece is None else {"parent": parent, "start": piece[0], "end": piece[1]}
        for parent, origin, piece in zip(kept["id"], kept["pieces"], pieces, strict=True)
    ]
    whole = pl.Series([piece is None for piece in pieces], dtype=pl.Boolean)
    return kept.with_columns(
        pl.Series("id", names, pl.String),
        pl.Series("text", texts, pl.String),
        pl.Series("pieces", origins, PIECE),
        token_count=pl.when(whole).then(pl.col("token_count")),
    )
