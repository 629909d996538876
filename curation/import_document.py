"""From a row of somebody else's file to a document: columns of ours, an id of its own, everything else in ``metadata``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from curation.dates import iso_date
from curation.documents import SCHEMA
from curation.ids import hash_id, names_a_piece
from curation.input_rows import MAX_EXACT_FLOAT, Row, Span, storable
from curation.ledger import Action, Reason, ledger_row
from curation.normalize import normalize


@dataclass(frozen=True)
class ImportSettings:
    """``source``: given to every document (None: keep the row's own, else "imported").

    ``normalise``: repair the text as crawled text is; else it stays as it is.
    """

    source: str | None = None
    normalise: bool = False


@dataclass(frozen=True)
class ImportTask:
    """The rows of one part. ``first_row``: its number in the file. ``repeated``: hashes of ids that stand in the input more than once."""

    path: str
    span: Span | None
    first_row: int
    max_rows: int | None
    settings: ImportSettings
    repeated: frozenset[int]


def to_document(row: Row | None, index: int, task: ImportTask) -> tuple[dict[str, Any] | None, dict[str, str] | None]:
    """The document of a row, or its ledger row if it becomes none. ``index``: of the row in its file."""
    text = row.get("text") if row else None
    if row is None or not isinstance(text, str):
        problem = "no JSON object" if row is None else "no text"
        return None, _ledger_row(row, index, task, Action.QUARANTINED, Reason.UNREADABLE_ROW, problem=problem)
    if task.settings.normalise:
        text = normalize(text)
    if not text or text.isspace():
        return None, _ledger_row(row, index, task, Action.REMOVED, Reason.EMPTY_TEXT)
    own_id = _own_id(row, task)
    document: dict[str, Any] = {"file_path": task.path, "source": "imported"}
    others: dict[str, Any] = {}
    for name, value in row.items():
        if name == "text" or value is None:
            continue
        if name == "id":
            if value != "" and own_id is None:
                others["id"] = value  # replaced, but not lost
            continue
        fitted = _fit(name, value)
        if fitted is None:
            others[name] = value
        else:
            document[name] = fitted
    if others:
        # Metadata of the row itself stays beside the fields that join it.
        own = {"metadata": document["metadata"]} if "metadata" in document else {}
        document["metadata"] = _metadata_json({**own, **others})
    document["id"], document["text"] = _document_id(own_id, index, task), text
    if task.settings.source:
        document["source"] = storable(task.settings.source)
    return document, None


def given_id(row: Row | None) -> str | None:
    """The row's own id; None if it has none that a document can have."""
    given = row.get("id") if row else None
    if row is None or given is None or given == "":
        return None
    given = str(given)
    return None if "#" in given and names_a_piece(given) and not row.get("pieces") else given


def _own_id(row: Row | None, task: ImportTask) -> str | None:
    """The row's id, where no other row has it."""
    given = given_id(row)
    return None if given is None or (task.repeated and hash_id(given) in task.repeated) else given


def _document_id(own_id: str | None, index: int, task: ImportTask) -> str:
    """The row's own id, or sha256 of (file, row) where it has none; curated texts carry their source's name."""
    document_id = hashlib.sha256(f"{task.path}\0{index}".encode()).hexdigest() if own_id is None else own_id
    return f"{storable(task.settings.source)}:{document_id}" if task.settings.source else document_id


def _ledger_row(row: Row | None, index: int, task: ImportTask, action: Action, reason: Reason, **detail: str) -> dict[str, str]:
    return ledger_row(_document_id(_own_id(row, task), index, task), action, reason, file=task.path, row=index, **detail)


def _metadata_json(values: dict[str, Any]) -> str:
    """A JSON object with sorted keys; NaN and the infinities, which JSON does not know, become null."""
    try:
        return json.dumps(values, sort_keys=True, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(values, default=str), parse_constant=lambda _: None)
        return json.dumps(finite, sort_keys=True, ensure_ascii=False)


def _fit(name: str, value: Any) -> Any:
    """The value in its column's type; None if it has no column or does not fit."""
    dtype = SCHEMA.get(name)
    if name == "date":
        return iso_date(value.isoformat() if isinstance(value, date) else value) if isinstance(value, str | date) else None
    if dtype == pl.String:
        return value if isinstance(value, str) else (value.isoformat() if hasattr(value, "isoformat") else None)
    if dtype == pl.Int64:
        return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None
    if dtype == pl.Float64:
        fits = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_EXACT_FLOAT)
        return float(value) if fits else None
    if name == "pieces" and isinstance(value, dict) and value.keys() == {"parent", "start", "end"}:
        start, end = (_fit("warc_offset", value[key]) for key in ("start", "end"))
        whole = isinstance(value["parent"], str) and start is not None and end is not None
        return {"parent": value["parent"], "start": start, "end": end} if whole else None
    return None
