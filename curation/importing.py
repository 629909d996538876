"""Import: documents that somebody else made (JSONL, Parquet, text) become committed shards.

So every stage can stand alone inside another pipeline, and curated texts can join the corpus. Each
row becomes a document or has a ledger row; a text file is one document. Fields that are no column
of ours are kept in ``metadata``.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation import storage
from curation.documents import SCHEMA, documents_frame
from curation.engine.local import LocalEngine
from curation.errors import InputError
from curation.ids import hash_id, names_a_piece, repeated_hashes
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.normalize import normalize
from curation.parts import Part, PartWriter, WorkItem
from curation.runner import RunContext, StageResult, library_versions, run_parts
from curation.sources.compressed import open_decompressed
from curation.stage import Outcome

VERSION = 1
LIBRARIES = ("polars", "ftfy")
TABLE_KINDS = (".jsonl", ".ndjson", ".json")
TEXT_KINDS = (".txt", ".md")
COMPRESSIONS = ("", ".gz", ".zst", ".xz", ".bz2")
SUFFIXES = (*(kind + compression for kind in (*TABLE_KINDS, *TEXT_KINDS) for compression in COMPRESSIONS), ".parquet")
PARQUET_SLICE_ROWS = 2000
FLUSH_ROWS = 2000
MAX_FIELDS_NAMED = 8
MAX_EXACT_FLOAT = 1 << 53  # integers beyond are no longer exact as doubles


@dataclass(frozen=True)
class ImportSettings:
    """``source``: given to every document (None: keep the row's own, else "imported").

    ``normalise``: repair the text as crawled text is; else it stays as it is.
    """

    source: str | None = None
    normalise: bool = False


@dataclass(frozen=True)
class _ImportTask:
    path: str
    settings: ImportSettings
    repeated: frozenset[int]
    max_rows: int | None


@dataclass(frozen=True)
class _TablePlan:
    stored: storage.StoredFile
    rows: int
    id_hashes: NDArray[np.uint64]


def run_import(stage: str, paths: list[str], settings: ImportSettings, context: RunContext, limit: int | None = None) -> StageResult:
    """Import files as the finished stage ``stage``, such as ``dedup/input``.

    Raises:
        InputError: no file, or none that can be read.
    """
    started = time.monotonic()
    files = storage.expand_paths(paths, SUFFIXES)
    with LocalEngine(context.workers) as engine:
        plans: dict[str, _TablePlan] = {}
        failures = []
        for outcome in engine.map_unordered(_plan_table, files):
            path = files[outcome.index]
            if outcome.value is None:
                failures.append({"input": path, "error": str(outcome.error or f"reading {path} crashed a worker process twice")})
            else:
                plans[path] = outcome.value
        if not plans:
            raise InputError(sorted(failure["error"] for failure in failures)[0])
        repeated = repeated_hashes([plan.id_hashes for plan in plans.values()])
        return run_parts(
            context,
            stage,
            VERSION,
            {"settings": vars(settings), "libraries": library_versions(LIBRARIES)},
            _work_items({path: plans[path] for path in sorted(plans)}, settings, repeated, limit),
            _import_file,
            engine=engine,
            failures=sorted(failures, key=lambda failure: failure["input"]),
            started=started,
        )


def _work_items(plans: dict[str, _TablePlan], settings: ImportSettings, repeated: frozenset[int], limit: int | None) -> list[WorkItem]:
    items = []
    for path, plan in plans.items():
        if limit is not None and limit <= 0:
            break
        own_repeated = frozenset(repeated.intersection(plan.id_hashes.tolist())) if repeated else frozenset()
        max_rows = None if limit is None or limit >= plan.rows else limit
        identity = {"path": path, "bytes": plan.stored.bytes, "sha256": plan.stored.sha256}
        identity |= {"max_rows": max_rows, "repeated_ids": sorted(own_repeated)}
        items.append(WorkItem(path, [identity], _ImportTask(path, settings, own_repeated, max_rows)))
        limit = None if limit is None else limit - plan.rows
    return items


def _plan_table(path: str) -> _TablePlan:
    stored = storage.hash_file(path)
    hashes, rows = [], 0
    for row in read_rows(path):
        rows += 1
        given = _given_id(row)
        if given is not None:
            hashes.append(hash_id(given))
    if not rows and not path.lower().endswith(".parquet"):  # a table without rows is whole, an empty text file was perhaps cut
        raise InputError(f"{path} holds no document; give a file with rows, or leave it out")
    return _TablePlan(stored, rows, np.array(hashes, dtype=np.uint64))


def read_rows(path: str) -> Iterator[dict[str, Any] | None]:
    """Rows of a file, streamed; None for a line that is no JSON object. A text file is one row.

    Raises:
        InputError: the file is missing, damaged, or of an unknown kind.
    """
    name = path.lower()
    if name.endswith(".parquet"):
        yield from _parquet_rows(path)
        return
    for compression in COMPRESSIONS[1:]:
        name = name.removesuffix(compression)
    if not name.endswith((*TABLE_KINDS, *TEXT_KINDS)):
        raise InputError(f"{path} is of no known kind; give .jsonl, .parquet, .txt or .md, the text files also with .gz or .zst")
    with storage.open_binary(path) as stream, open_decompressed(stream, path) as content:
        if name.endswith(TEXT_KINDS):
            yield {"text": content.read().decode("utf-8", "replace")}
            return
        for line in content:
            if not line.isspace():
                yield _json_object(line)


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _parquet_rows(path: str) -> Iterator[dict[str, Any]]:
    if not storage.exists(path):
        raise InputError(f"no such file: {path}; check the path")
    source: Any = io.BytesIO(storage.read_bytes(path)) if storage.is_remote(path) else storage.local_path(path)
    try:
        table = pl.scan_parquet(source)
        height = table.select(pl.len()).collect().item()
        for start in range(0, height, PARQUET_SLICE_ROWS):
            yield from table.slice(start, PARQUET_SLICE_ROWS).collect().iter_rows(named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is no readable Parquet file ({str(error).splitlines()[0]}); write it again or leave it out") from error


# --- one file, in a worker ------------------------------------------------------------------------


def _import_file(part: Part, task: _ImportTask) -> Counts:
    writer = PartWriter(part)
    documents: list[dict[str, Any]] = []
    fields: set[str] = set()
    for index, row in enumerate(read_rows(task.path)):
        if task.max_rows is not None and index >= task.max_rows:
            break
        fields |= (row or {}).keys()
        document, ledger = _to_document(row, index, task)
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
    if writer.counts.entered and writer.counts.quarantined.total() == writer.counts.entered:
        named = ", ".join(sorted(fields)[:MAX_FIELDS_NAMED])
        lacking = "a string in its field text" if "text" in fields else "a field text"
        raise InputError(f"{task.path}: no row holds {lacking}" + (f"; its fields are {named}" if named else " or is a JSON object"))
    writer.add(Outcome(documents_frame(documents)))
    writer.counts.characters_in = writer.counts.characters_out
    writer.finish(documents_frame(), {"file_path": task.path})
    return writer.counts


def _to_document(row: dict[str, Any] | None, index: int, task: _ImportTask) -> tuple[dict[str, Any] | None, dict[str, str] | None]:
    document_id = _document_id(row, index, task)
    where = {"file": task.path, "row": index}
    text = row.get("text") if row else None
    if row is None or not isinstance(text, str):
        problem = "no JSON object" if row is None else "no text"
        return None, ledger_row(document_id, Action.QUARANTINED, Reason.UNREADABLE_ROW, **where, problem=problem)
    text = normalize(text) if task.settings.normalise else _storable(text)
    if not text.strip():
        return None, ledger_row(document_id, Action.REMOVED, Reason.EMPTY_TEXT, **where)
    document: dict[str, Any] = {"file_path": task.path, "source": "imported"}
    others: dict[str, Any] = {}
    if row.get("id") not in (None, "") and not document_id.endswith(_storable(str(row["id"]))):
        others["id"] = row["id"]  # replaced, but not lost
    for name, value in row.items():
        if name in ("id", "text") or value is None:
            continue
        fitted = _fit(name, value)
        (others if fitted is None else document)[name] = value if fitted is None else fitted
    if others:
        # Metadata of the row itself stays beside the fields that join it.
        own = {"metadata": document["metadata"]} if "metadata" in document else {}
        document["metadata"] = _storable(_metadata_json({**own, **others}))
    source = _storable(task.settings.source) if task.settings.source else document["source"]
    return {**document, "id": document_id, "text": text, "source": source}, None


def _metadata_json(values: dict[str, Any]) -> str:
    """A JSON object with sorted keys; NaN and the infinities, which JSON does not know, become null."""
    try:
        return json.dumps(values, sort_keys=True, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(values, default=str), parse_constant=lambda _: None)
        return json.dumps(finite, sort_keys=True, ensure_ascii=False)


def _given_id(row: dict[str, Any] | None) -> str | None:
    """The row's own id; None if it has none that a document can have."""
    given = row.get("id") if row else None
    if row is None or given is None or given == "" or (names_a_piece(str(given)) and not row.get("pieces")):
        return None
    return _storable(str(given))


def _document_id(row: dict[str, Any] | None, index: int, task: _ImportTask) -> str:
    """The row's id, or sha256 of (file, row) where it is absent or repeated; curated texts carry their source's name."""
    given = _given_id(row)
    if given is None or hash_id(given) in task.repeated:
        given = hashlib.sha256(f"{task.path}\0{index}".encode()).hexdigest()
    return f"{_storable(task.settings.source)}:{given}" if task.settings.source else given


def _fit(name: str, value: Any) -> Any:
    """The value in its column's type; None if it has no column or does not fit."""
    dtype = SCHEMA.get(name)
    if dtype == pl.String:
        return _storable(value) if isinstance(value, str) else (value.isoformat() if hasattr(value, "isoformat") else None)
    if dtype == pl.Int64:
        return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None
    if dtype == pl.Float64:
        fits = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_EXACT_FLOAT)
        return float(value) if fits else None
    if name == "pieces" and isinstance(value, dict) and value.keys() == {"parent", "start", "end"}:
        start, end = (_fit("warc_offset", value[key]) for key in ("start", "end"))
        whole = isinstance(value["parent"], str) and start is not None and end is not None
        return {"parent": _storable(value["parent"]), "start": start, "end": end} if whole else None
    return None


def _storable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text
