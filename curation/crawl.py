"""Crawl: from records of WARC and WET files to documents.

A page record is a WARC response with status 200 and HTML, XHTML or plain text, or a WET conversion.
Every page record becomes a document, or has a ledger row that says why not. Other records are
counted by reason in the manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

import polars as pl

from curation import storage
from curation.documents import documents_frame
from curation.engine.local import LocalEngine
from curation.errors import InputError
from curation.extraction.guard import Guard, GuardFailure
from curation.extraction.page import PageRequest, PageText, extract_page, warm_up
from curation.finished import committed_manifests, prepared_file
from curation.ids import hash_id, names_a_piece, repeated_hashes
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.parts import Part, PartWriter
from curation.preparing import commit_prepared
from curation.recipe import MIB, CrawlSettings
from curation.runner import RunContext, StageResult, WorkItem, library_versions, run_parts
from curation.shards import ManifestFile, canonical_json
from curation.sources.frames import TRUNCATIONS
from curation.sources.http import declared_charset, media_type
from curation.sources.plan import PAGE_TYPES, FilePlan, Segment, bare_id, limit_segments, plan_file
from curation.sources.reddit import Links, select_links
from curation.sources.warc import DAMAGED, REPAIRED, Record, read_records
from curation.stage import Outcome

STAGE = "crawl"
VERSION = 1
LIBRARIES = ("trafilatura", "lxml", "justext", "htmldate", "courlan", "ftfy", "charset-normalizer", "brotli", "zstandard", "polars")
SUFFIXES = (".warc", ".warc.gz", ".wet", ".wet.gz")
PAGE_MEDIA_TYPES = {"text/html": True, "application/xhtml+xml": True, "text/plain": False}  # whether it is HTML
QUARANTINE_RAW_BYTES = MIB  # most raw bytes of a quarantined record that are kept
QUARANTINE_PART_BYTES = 64 * MIB  # most raw bytes that a part keeps in all; later records leave their sha256 alone
FLUSH_ROWS = 500
QUARANTINE_SCHEMA = pl.Schema(
    {
        "id": pl.String,
        "file_path": pl.String,
        "warc_offset": pl.Int64,
        "reason": pl.String,
        "problem": pl.String,
        "sha256": pl.String,
        "raw": pl.Binary,
    }
)
# CC-MAIN-2024-22, and the three of before 2013: CC-MAIN-2008-2009, CC-MAIN-2009-2010, CC-MAIN-2012.
_DUMP = re.compile(r"CC-MAIN-\d{4}(?:-\d{4}|-\d{2})?(?!\d)")
_REDUCED_DATE = re.compile(r"\d{4}(?:-\d{2})?", re.ASCII)
_ARC_DATE = re.compile(r"\d{14}", re.ASCII)


@dataclass(frozen=True)
class _SegmentTask:
    segment: Segment
    settings: CrawlSettings
    repeated: frozenset[int]
    links: str | None


def run_crawl(
    settings: CrawlSettings,
    paths: list[str],
    context: RunContext,
    limit: int | None = None,
) -> StageResult:
    """Crawl files into documents. ``limit``: page records to read, in the order of the sorted paths.

    Raises:
        InputError: there is no input, or none can be read.
    """
    started = time.monotonic()
    files = storage.expand_paths(paths, SUFFIXES)
    with LocalEngine(context.workers) as engine:
        plans, failures = _plan(files, settings, engine)
        if not plans:
            raise InputError(failures[0]["error"] if failures else "no input files; name WARC or WET files")
        storage.remove(prepared_file(context.folder, STAGE))
        links = _commit_links(settings, context) if settings.links else None
        items = _work_items(plans, settings, links, limit)
        result = run_parts(
            context,
            STAGE,
            VERSION,
            {
                "settings": settings.model_dump(mode="json", exclude={"max_quarantine_share", "links"}),
                "libraries": library_versions(LIBRARIES),
                "links": storage.hash_file(links).sha256 if links else None,
            },
            items,
            _crawl_segment,
            engine=engine,
            failures=failures,
            max_quarantine_share=settings.max_quarantine_share,
            started=started,
        )
    result.failures += _truncated_inputs(context)
    return result


def _plan(files: list[str], settings: CrawlSettings, engine: LocalEngine) -> tuple[list[FilePlan], list[dict[str, str]]]:
    plans: dict[int, FilePlan] = {}
    failures: list[dict[str, str]] = []
    for outcome in engine.map_unordered(partial(plan_file, limits=settings.limits), files):
        if outcome.value is not None:
            plans[outcome.index] = outcome.value
        else:
            failures.append({"input": files[outcome.index], "error": str(outcome.error or "reading it crashed a worker process twice")})
    return [plans[index] for index in sorted(plans)], sorted(failures, key=lambda failure: failure["input"])


def _work_items(plans: list[FilePlan], settings: CrawlSettings, links: str | None, limit: int | None) -> list[WorkItem]:
    repeated = repeated_hashes(plan.id_hashes for plan in plans)
    identity = {plan.path: {"path": plan.path, "bytes": plan.bytes, "sha256": plan.sha256} for plan in plans}
    repeated_in = {plan.path: repeated.intersection(plan.id_hashes.tolist()) if repeated else frozenset() for plan in plans}
    segments = limit_segments([segment for plan in plans for segment in plan.segments], limit)
    return [
        WorkItem(
            segment.path,
            [
                {
                    **identity[segment.path],
                    "start": segment.start,
                    "end": segment.end,
                    "max_pages": segment.max_pages,
                    "repeated_ids": sorted(repeated_in[segment.path]),
                }
            ],
            _SegmentTask(segment, settings, frozenset(repeated_in[segment.path]), links),
        )
        for segment in segments
    ]


def _commit_links(settings: CrawlSettings, context: RunContext) -> str:
    links = select_links(settings.links, settings.min_karma)
    context.progress.say(f"{STAGE}: {len(links.karma)} shared pages in {links.counts.total()} submissions")
    content = canonical_json({"karma": links.karma, "rows": links.counts})
    name = f"{STAGE}/prepared/links.json"
    stored = storage.commit_bytes(storage.join(context.folder, name), content)
    commit_prepared(context.folder, STAGE, stored.sha256, {}, [ManifestFile(name, len(links.karma), stored.bytes, stored.sha256)])
    return stored.path


# --- one segment, in a worker ---------------------------------------------------------------------


def _crawl_segment(part: Part, task: _SegmentTask) -> Counts:
    writer = PartWriter(part)
    quarantine = _Quarantine(task)
    documents: list[dict[str, Any]] = []
    ledger: list[dict[str, str]] = []
    truncation: str | None = None
    with Guard(extract_page, warm_up, task.settings.limits) as guard:
        for record in _segment_records(task):
            if record.problem in TRUNCATIONS:
                truncation = f"{record.problem} at offset {record.offset}"
            skipped = _why_no_page(record)
            if skipped is not None:
                writer.counts.skipped[skipped] += 1
                if record.state == DAMAGED:
                    quarantine.add(record, skipped)
                continue
            document, row = _to_document(record, task, guard, writer.counts)
            _count(writer.counts, document, row)
            if row is not None:
                ledger.append(row)
                if row["action"] == Action.QUARANTINED:
                    quarantine.add(record, row["reason"])
            if document is not None:
                documents.append(document)
            if len(documents) >= FLUSH_ROWS:
                writer.add(Outcome(documents_frame(documents)))
                documents = []
    writer.add(Outcome(documents_frame(documents), ledger))
    if quarantine.rows:
        writer.write_frame("quarantine", pl.DataFrame(quarantine.rows, schema=QUARANTINE_SCHEMA))
    writer.finish(documents_frame(), {"file_path": task.segment.path, "truncated": truncation})
    return writer.counts


def _segment_records(task: _SegmentTask) -> Iterator[Record]:
    segment, pages = task.segment, 0
    for record in read_records(segment.path, segment.start, segment.end, segment.position, task.settings.limits):
        if segment.max_pages is not None and record.record_type in PAGE_TYPES:
            if pages >= segment.max_pages:
                return
            pages += 1
        yield record


def _why_no_page(record: Record) -> str | None:
    """The reason for which a record is counted and passed over; None for a page (also a damaged one)."""
    if record.record_type not in PAGE_TYPES:
        return f"{'damaged_record_type' if record.state == DAMAGED else 'record_type'}:{record.record_type or 'none'}"
    if record.record_type == "conversion" or record.state == DAMAGED:
        return None
    if record.http_status != 200:
        return f"http_status:{record.http_status}"
    media = _media_type(record)
    return None if media in PAGE_MEDIA_TYPES else f"content_type:{media or 'none'}"


def _media_type(record: Record) -> str | None:
    declared = _http_header(record, "content-type") or record.headers.get("warc-identified-payload-type")
    if declared is None and record.body.lstrip()[:1] == b"<":
        return "text/html"
    return media_type(declared)


def _http_header(record: Record, name: str) -> str | None:
    return next((value for key, value in record.http_headers if key.lower() == name), None)


def _to_document(record: Record, task: _SegmentTask, guard: Guard, counts: Counts) -> tuple[dict[str, Any] | None, dict[str, str] | None]:
    """The document, if there is one, and the ledger row, if the record was not simply kept."""
    document_id = _document_id(record, task)
    where = {"file": task.segment.path, "offset": record.offset, "url": record.target_uri}
    if record.state == DAMAGED:
        return None, ledger_row(document_id, Action.QUARANTINED, Reason.DAMAGED_RECORD, **where, problem=record.problem)
    karma = _karma(record.target_uri, task.links)
    if karma is None and task.settings.links and task.settings.links_action == "select":
        return None, ledger_row(document_id, Action.REMOVED, Reason.NOT_SHARED, **where, min_karma=task.settings.min_karma)
    is_conversion = record.record_type == "conversion"
    request = PageRequest(
        record.body,
        "utf-8" if is_conversion else declared_charset(_http_header(record, "content-type")),
        not is_conversion and PAGE_MEDIA_TYPES[_media_type(record) or "text/html"],
    )
    page = guard.call(request)
    if isinstance(page, GuardFailure):
        return None, ledger_row(document_id, Action.QUARANTINED, page.reason, **where, **page.detail)
    assert isinstance(page, PageText)
    counts.characters_in += page.page_characters
    if not page.text:
        return None, ledger_row(document_id, Action.REMOVED, Reason.EMPTY_TEXT, **where, body_bytes=len(record.body))
    document = _document(record, document_id, page, karma, task)
    if record.state != REPAIRED:
        return document, None
    reason = Reason.BODY_OVER_LIMIT if record.body_truncated else Reason.REPAIRED_RECORD
    return document, ledger_row(document_id, Action.CHANGED, reason, **where, problem=record.problem)


def _document(record: Record, document_id: str, page: PageText, karma: int | None, task: _SegmentTask) -> dict[str, Any]:
    language = record.headers.get("warc-identified-content-language", "").partition(",")[0].strip()
    return {
        "id": document_id,
        "text": page.text,
        "url": record.target_uri,
        "date": iso_date(record.date),
        "dump": task.settings.dump or dump_name(task.segment.path),
        "file_path": task.segment.path,
        "language": language or None,
        "source": "webtext" if karma is not None else task.settings.source,
        "warc_offset": record.offset,
        "warc_length": record.length,
        "karma": karma,
    }


def _document_id(record: Record, task: _SegmentTask) -> str:
    """The record's own id, or sha256 of (file, offset) where that is absent or stands twice in the input."""
    record_id = bare_id(record.record_id or "")
    if record_id and hash_id(record_id) not in task.repeated and not names_a_piece(record_id):
        return record_id
    place = f"{task.segment.path}\0{record.offset}\0{'compressed' if record.own_member else 'decompressed'}"
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()


def dump_name(path: str) -> str | None:
    """The snapshot that a path names, such as CC-MAIN-2024-22; None if it names none."""
    match = _DUMP.search(path)
    return match.group() if match else None


def iso_date(date: str | None) -> str | None:
    """A WARC date as ISO 8601 in UTC, ``2024-05-18T01:02:03Z``; None if it is no date.

    A year or a month, which WARC/1.1 allows, stands for its beginning. Fourteen digits are an ARC date.
    """
    date = (date or "").strip()
    if _REDUCED_DATE.fullmatch(date):
        date = f"{date}-01-01"[:10]
    try:
        parsed = datetime.strptime(date, "%Y%m%d%H%M%S") if _ARC_DATE.fullmatch(date) else datetime.fromisoformat(date)
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None


def _karma(url: str | None, links: str | None) -> int | None:
    return _load_links(links).karma_of(url) if links and url else None


@lru_cache(maxsize=1)
def _load_links(path: str) -> Links:
    return Links(karma=json.loads(storage.read_bytes(path))["karma"])


def _count(counts: Counts, document: dict[str, Any] | None, row: dict[str, str] | None) -> None:
    counts.entered += 1
    if row is None:
        counts.kept += 1
    elif row["action"] == Action.CHANGED:
        counts.changed += 1
    elif row["action"] == Action.REMOVED:
        counts.removed[row["reason"]] += 1
    else:
        counts.quarantined[row["reason"]] += 1
    counts.characters_out += len(document["text"]) if document else 0


class _Quarantine:
    """Quarantined records of one part, with as many of their raw bytes as the limits allow."""

    def __init__(self, task: _SegmentTask) -> None:
        self.rows: list[dict[str, Any]] = []
        self._task = task
        self._room = QUARANTINE_PART_BYTES

    def add(self, record: Record, reason: str) -> None:
        """Set a record aside."""
        raw = record.raw[: min(QUARANTINE_RAW_BYTES, self._room)]
        self._room -= len(raw)
        self.rows.append(
            {
                "id": _document_id(record, self._task),
                "file_path": self._task.segment.path,
                "warc_offset": record.offset,
                "reason": reason,
                "problem": record.problem,
                "sha256": storage.sha256_of(record.raw),
                "raw": raw,
            }
        )


def _truncated_inputs(context: RunContext) -> list[dict[str, str]]:
    """Input files that end too early; their readable records were used, but they are not whole."""
    truncated = [manifest.statistics for manifest in committed_manifests(context.folder, STAGE) if manifest.statistics["truncated"]]
    return [
        {
            "input": statistics["file_path"],
            "error": f"{statistics['file_path']}: {statistics['truncated']}; its readable records were used, fetch it again for the rest",
        }
        for statistics in truncated
    ]
