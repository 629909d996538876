"""Import: documents that somebody else made (JSONL, Parquet, text) become committed shards.

So every stage can stand alone inside another pipeline, and curated texts can join the corpus. Each
row becomes a document or has a ledger row; a text file is one document. Fields that are no column
of ours are kept in ``metadata``. A large JSONL file is read in spans, by several workers.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation import storage
from curation.documents import documents_frame
from curation.engine.local import LocalEngine
from curation.errors import InputError
from curation.ids import hash_id, repeated_hashes
from curation.import_document import ImportSettings, ImportTask, given_id, to_document
from curation.input_rows import SUFFIXES, Span, parse_row, read_lines, read_rows, spans_of
from curation.ledger import Action, Counts
from curation.parts import Part, PartWriter, WorkItem
from curation.runner import RunContext, StageResult, library_versions, run_parts
from curation.stage import Outcome
from curation.workers import open_engine

VERSION = 3
LIBRARIES = ("orjson", "polars", "ftfy")
FLUSH_ROWS = 2000
MAX_FIELDS_NAMED = 8


@dataclass(frozen=True)
class _SpanPlan:
    """What a span of a file holds. ``fields``: their names, where no row has a text (``has_text``)."""

    stored: storage.StoredFile
    rows: int
    id_hashes: NDArray[np.uint64]
    has_text: bool
    fields: frozenset[str]


@dataclass(frozen=True)
class _FilePlan:
    path: str
    spans: list[tuple[Span | None, _SpanPlan]]

    @property
    def id_hashes(self) -> list[NDArray[np.uint64]]:
        return [plan.id_hashes for _, plan in self.spans]


def run_import(stage: str, paths: list[str], settings: ImportSettings, context: RunContext, limit: int | None = None) -> StageResult:
    """Import files as the finished stage ``stage``, such as ``dedup/input``.

    Raises:
        InputError: no file, or none that can be read.
    """
    started = time.monotonic()
    files = storage.expand_paths(paths, SUFFIXES)
    with open_engine(context) as engine:
        plans, failures = _plan_files(files, engine)
        if not plans:
            raise InputError(sorted(failure["error"] for failure in failures)[0])
        repeated = repeated_hashes([hashes for plan in plans for hashes in plan.id_hashes])
        return run_parts(
            context,
            stage,
            VERSION,
            {"settings": vars(settings), "libraries": library_versions(LIBRARIES)},
            _work_items(plans, settings, repeated, limit),
            _import_span,
            engine=engine,
            failures=sorted(failures, key=lambda failure: failure["input"]),
            started=started,
        )


# --- what there is to import ----------------------------------------------------------------------


def _plan_files(files: Sequence[str], engine: LocalEngine) -> tuple[list[_FilePlan], list[dict[str, str]]]:
    """Plans of the files that can be imported, in their order, and why the others cannot."""
    errors: dict[str, str] = {}
    items: list[tuple[str, Span | None]] = []
    for path in files:
        try:
            items += [(path, span) for span in spans_of(path)]
        except InputError as error:
            errors[path] = str(error)
    found: dict[str, list[tuple[Span | None, _SpanPlan]]] = {}
    for outcome in engine.map_unordered(_plan_span, items):
        path, span = items[outcome.index]
        if outcome.value is None:
            errors[path] = str(outcome.error or f"reading {path} crashed a worker process twice")
        else:
            found.setdefault(path, []).append((span, outcome.value))
    plans = [_FilePlan(path, sorted(found[path], key=lambda entry: entry[0] or (0, 0))) for path in files if path in found]
    errors = {plan.path: problem for plan in plans if (problem := _problem(plan))} | errors
    return [plan for plan in plans if plan.path not in errors], [{"input": path, "error": error} for path, error in errors.items()]


def _plan_span(item: tuple[str, Span | None]) -> _SpanPlan:
    path, span = item
    hashes: list[int] = []
    fields: set[str] = set()
    rows, has_text = 0, False
    digest, size = hashlib.sha256(), 0

    def lines() -> Any:
        nonlocal size
        for line in read_lines(path, span):
            digest.update(line)
            size += len(line)
            if not line.isspace():
                yield parse_row(line)

    for row in read_rows(path) if span is None else lines():
        rows += 1
        if not has_text and row is not None:
            has_text = isinstance(row.get("text"), str)
            fields |= row.keys()
        given = given_id(row)
        if given is not None:
            hashes.append(hash_id(given))
    stored = storage.hash_file(path) if span is None else storage.StoredFile(path, size, digest.hexdigest())
    return _SpanPlan(stored, rows, np.array(hashes, dtype=np.uint64), has_text, frozenset() if has_text else frozenset(fields))


def _problem(plan: _FilePlan) -> str | None:
    """Why nothing of a file can be imported; None if something can."""
    spans = [span for _, span in plan.spans]
    if not any(span.rows for span in spans):
        if plan.path.lower().endswith(".parquet"):
            return None  # a table without rows is whole, an empty text file was perhaps cut
        return f"{plan.path} holds no document; give a file with rows, or leave it out"
    if any(span.has_text for span in spans):
        return None
    fields = sorted(frozenset().union(*(span.fields for span in spans)))
    lacking = "a string in its field text" if "text" in fields else "a field text"
    named = f"; its fields are {', '.join(fields[:MAX_FIELDS_NAMED])}" if fields else " or is a JSON object"
    return f"{plan.path}: no row holds {lacking}{named}"


def _work_items(plans: list[_FilePlan], settings: ImportSettings, repeated: frozenset[int], limit: int | None) -> list[WorkItem]:
    items = []
    for file in plans:
        first_row = 0
        for span, plan in file.spans:
            if limit is not None and limit <= 0:
                break
            if plan.rows or len(file.spans) == 1:
                own_repeated = frozenset(repeated.intersection(plan.id_hashes.tolist())) if repeated else frozenset()
                max_rows = None if limit is None or limit >= plan.rows else limit
                identity = {"path": file.path, "bytes": plan.stored.bytes, "sha256": plan.stored.sha256, "first_row": first_row}
                identity |= {"max_rows": max_rows, "repeated_ids": sorted(own_repeated)}
                task = ImportTask(file.path, span, first_row, max_rows, settings, own_repeated)
                items.append(WorkItem(file.path, [identity], task))
            first_row += plan.rows
            limit = None if limit is None else limit - plan.rows
    return items


# --- one span, in a worker ------------------------------------------------------------------------


def _import_span(part: Part, task: ImportTask) -> Counts:
    writer = PartWriter(part)
    documents: list[dict[str, Any]] = []
    for index, row in enumerate(read_rows(task.path, task.span), task.first_row):
        if task.max_rows is not None and index - task.first_row >= task.max_rows:
            break
        document, ledger = to_document(row, index, task)
        writer.counts.entered += 1
        if document is not None:
            documents.append(document)
            writer.counts.kept += 1
            writer.counts.characters_out += len(document["text"])
        if ledger is not None:
            outcomes = writer.counts.removed if ledger["action"] == Action.REMOVED else writer.counts.quarantined
            outcomes[ledger["reason"]] += 1
            writer.add(Outcome(documents_frame(), [ledger]))
        if len(documents) >= FLUSH_ROWS:
            writer.add(Outcome(documents_frame(documents)))
            documents = []
    writer.add(Outcome(documents_frame(documents)))
    writer.counts.characters_in = writer.counts.characters_out
    writer.finish(documents_frame(), {"file_path": task.path})
    return writer.counts
