"""A finished run of a few documents, written by hand with known numbers, and a reader of the page made from it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from curation import storage
from curation.documents import documents_frame
from curation.finished import read_stage_file, stage_file
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.parts import Part, PartWriter
from curation.progress import Progress
from curation.recipe import ReportSettings
from curation.report import run_report
from curation.runner import RunContext
from curation.shards import Manifest, canonical_json, sealed_json
from curation.stage import Outcome

HOSTILE = "<script>alert(1)</script></textarea></style>\x00\x1b[31m \u202egnp.exe\u202c &lt;&amp; \"quoted\" 'single' <img src=x onerror=y>"
LEAK = "the leaked question of a benchmark"
LEAKED_TEXT = "A" * 300 + LEAK + "B" * 300

Row = dict[str, Any]


def document(document_id: str, text: str, **columns: Any) -> Row:
    """A row of a documents shard."""
    return {"id": document_id, "text": text, "url": f"http://example.org/{document_id}", "source": "commoncrawl", **columns}


def commit_part(
    run: Path,
    stage: str,
    number: int,
    documents: Sequence[Row] | None,
    ledger: Iterable[dict[str, str]],
    counts: Counts,
    *,
    inputs: Iterable[str] = (),
    statistics: Any = None,
) -> Manifest:
    """Commit one part of a stage; ``documents`` None: the stage writes none."""
    part = Part(str(run), stage, 1, number, "f" * 64, [{"sha256": sha256} for sha256 in inputs])
    writer = PartWriter(part, counts)
    writer.add(Outcome(documents_frame(documents or ()), list(ledger)))
    return writer.finish(None if documents is None else documents_frame(), statistics or {})


def finish_stage(
    run: Path, stage: str, manifests: Sequence[Manifest], failures: Sequence[dict[str, str]] = (), before: str | None = None
) -> None:
    """Say that a stage is finished; ``before`` is the stage that it was made from."""
    total = sum((manifest.counts for manifest in manifests), Counts())
    parts = [f"part-{number:05d}" for number in range(len(manifests))]
    values = {
        "stage": stage,
        "version": 1,
        "fingerprint": "f" * 64,
        "parts": parts,
        "upstream": {before: read_stage_file(str(run), before)["seal"]} if before else {},  # type: ignore[index]
        "counts": total.to_json(),
        "failures": list(failures),
    }
    storage.commit_bytes(stage_file(str(run), stage), sealed_json(values))


def shard_of(manifest: Manifest) -> str:
    """sha256 of the documents file of a part."""
    return next(file.sha256 for file in manifest.files if "/documents/" in file.name)


def write_crawl(run: Path) -> str:
    """Seven pages of which five become documents; returns the checksum of their shard."""
    documents = [
        document("hostile", HOSTILE, url="javascript:alert(document.domain)//</a><script>"),
        document("leaked", LEAKED_TEXT),
        document("copy", "one text\nin two places"),
        document("original", "one text\nin two places!"),
        document("poor", "buy now buy now"),
    ]
    ledger = [
        ledger_row("empty", Action.REMOVED, Reason.EMPTY_TEXT, url="http://example.org/empty", body_bytes=77),
        ledger_row("torn", Action.QUARANTINED, Reason.DAMAGED_RECORD, problem="<b>cut short</b>"),
    ]
    counts = Counts(7, 5, 0, Counter(empty_text=1), Counter(damaged_record=1), Counter({"content_type:<i>/x": 4321}), 98_765_432, 12_345)
    manifest = commit_part(run, "crawl", 0, documents, ledger, counts, inputs=["a" * 64])
    finish_stage(run, "crawl", [manifest], [{"input": "bad.warc.gz", "error": "bad.warc.gz: <u>it ends</u> too early"}])
    return shard_of(manifest)


def write_filter(run: Path, source: str) -> str:
    """One document of five is of low quality."""
    documents = [
        document("hostile", HOSTILE, quality_score=0.91, url="javascript:alert(document.domain)//</a><script>"),
        document("leaked", LEAKED_TEXT, quality_score=0.82),
        document("copy", "one text\nin two places", quality_score=0.73),
        document("original", "one text\nin two places!", quality_score=0.74),
    ]
    ledger = [ledger_row("poor", Action.REMOVED, Reason.LOW_QUALITY, score=0.0312, draw=0.25, needed=0.9688)]
    histograms = {"kept": [0] * 14 + [2, 0, 1, 0, 1, 0], "removed": [1] + [0] * 19, "curated": [0] * 19 + [33]}
    counts = Counts(5, 4, 0, Counter(low_quality=1), characters_in=12_345, characters_out=12_330)
    manifest = commit_part(run, "filter", 0, documents, ledger, counts, inputs=[source], statistics={"score_histograms": histograms})
    finish_stage(run, "filter", [manifest], before="crawl")
    held_out = {"positives": 21, "negatives": 22, "precision": 0.901, "recall": 0.802, "f1": 0.848, "auc": 0.953, "auc_of_length": 0.604}
    card = {"trained": True, "training": {"positives": 201, "negatives": 202}, "held_out": held_out}
    storage.commit_bytes(str(run / "filter/model-card.json"), canonical_json(card))
    return shard_of(manifest)


def write_dedup(run: Path, source: str) -> str:
    """One document nearly repeats another."""
    documents = [
        document("hostile", HOSTILE, quality_score=0.91, url="javascript:alert(document.domain)//</a><script>"),
        document("leaked", LEAKED_TEXT, quality_score=0.82),
        document("original", "one text\nin two places!", quality_score=0.74),
    ]
    detail = {"duplicate_of": "original", "similarity": 0.875, "cluster_size": 2, "band": 3}
    ledger = [ledger_row("copy", Action.REMOVED, Reason.NEAR_DUPLICATE, **detail)]
    counts = Counts(4, 3, 0, Counter(near_duplicate=1), characters_in=12_330, characters_out=12_308)
    manifest = commit_part(run, "dedup", 0, documents, ledger, counts, inputs=[source])
    finish_stage(run, "dedup", [manifest], before="filter")
    largest = [{"survivor": "original", "size": 2, "duplicates": [{"id": "copy", "kind": "near", "similarity": 0.875}]}]
    summary = {"documents": 4, "removed": 1, "removed_exact": 0, "removed_near": 1, "clusters": 1, "largest": largest}
    storage.commit_bytes(str(run / "dedup/clusters.json"), canonical_json(summary))
    return shard_of(manifest)


def write_decontaminate(run: Path, source: str) -> str:
    """One document is cut into two pieces."""
    start, end = 300 - 50, 300 + len(LEAK) + 50
    documents = [
        document("hostile", HOSTILE, quality_score=0.91, url="javascript:alert(document.domain)//</a><script>"),
        document("leaked#0", LEAKED_TEXT[:start], pieces={"parent": "leaked", "start": 0, "end": start}),
        document("leaked#1", LEAKED_TEXT[end:], pieces={"parent": "leaked", "start": end, "end": len(LEAKED_TEXT)}),
        document("original", "one text\nin two places!", quality_score=0.74),
    ]
    detail = {"benchmarks": ["Quiz<x>/test"], "removed": [[start, end]], "removed_total": 1, "pieces": 2, "pieces_kept": 2}
    ledger = [ledger_row("leaked", Action.CHANGED, Reason.CONTAMINATED, **detail)]
    counts = Counts(3, 2, 1, characters_in=12_308, characters_out=12_174)
    manifest = commit_part(run, "decontaminate", 0, documents, ledger, counts, inputs=[source])
    finish_stage(run, "decontaminate", [manifest], before="dedup")
    rows = [
        {"name": "Quiz<x>", "split": "test", "n": 9, "items": 8000, "dirty": 3211, "documents_hit": 654},
        {"name": "Clean set", "split": "dev", "n": 13, "items": 555, "dirty": 0, "documents_hit": 0},
    ]
    storage.commit_bytes(str(run / "contamination/report.json"), canonical_json(rows))
    storage.commit_bytes(str(run / "contamination/report.html"), b"<!doctype html>")
    return shard_of(manifest)


def write_tokens_and_model(run: Path, source: str) -> None:
    """Token counts of two splits, and a training of three steps."""
    splits = {
        "train": {"documents": 3, "tokens": 7_654, "text_bytes": 22_962},
        "validation": {"documents": 1, "tokens": 1_000, "text_bytes": 2_500},
    }
    counts = Counts(4, 4, characters_in=12_174, characters_out=12_174)
    manifest = commit_part(run, "tokenize", 0, None, [], counts, inputs=[source], statistics={"sources": {"common<crawl>": splits}})
    finish_stage(run, "tokenize", [manifest], before="decontaminate")
    config = {"parameters": 1_065_728, "layers": 4, "width": 128, "heads": 4, "context_length": 64, "vocabulary_size": 2_000}
    log: list[Row] = [{"step": 0, "tokens": 0, "validation_loss": 7.5, "bits_per_byte": 4.5, "source_losses": {"a": 7.25, "b": 7.75}}]
    for step, loss in enumerate([7.4, 6.2, 5.1], start=1):
        log.append({"step": step, "tokens": 1024 * step, "loss": loss, "learning_rate": 0.001 * step, "gradient_norm": 2.0 / step})
    log.append({"step": 3, "tokens": 3072, "validation_loss": 5.25, "bits_per_byte": 3.125, "source_losses": {"a": 5.0, "b": 5.5}})
    lines = "".join(json.dumps(row) + "\n" for row in log)
    for name, content in {
        "config.json": canonical_json(config),
        "metrics.jsonl": lines.encode(),
        "sample.txt": b"The model says </div><script>\n",
        "manifest.json": sealed_json({"files": [], "upstream": {}}),
    }.items():
        storage.commit_bytes(str(run / "model" / name), content)


def write_run(run: Path) -> Path:
    """The whole run."""
    shard = write_crawl(run)
    for write in (write_filter, write_dedup, write_decontaminate):
        shard = write(run, shard)
    write_tokens_and_model(run, shard)
    return run


def report_of(run: Path, **settings: Any) -> str:
    """The page of a run."""
    run_report(ReportSettings(**settings), RunContext(str(run), 1, Progress(quiet=True)))
    return (run / "report/index.html").read_text(encoding="utf-8")


class PageReader(HTMLParser):
    """Elements, attributes and texts of a page; fails where an element is not closed in order."""

    # HTML elements without an end tag.
    VOID = frozenset({"meta", "link"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.remove(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open[-1:]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text of the page's body, runs of blanks as one."""
        return " ".join(" ".join(self.texts).split())
