"""One segment of a crawl, in a worker: its records → documents, ledger rows, quarantine and counts, committed as one part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import polars as pl

from curation import storage
from curation.crawl_page import Fate, PageContext, document_id_of, judge_page, why_no_page
from curation.documents import documents_frame
from curation.extraction.guard import Guard
from curation.extraction.page import PageOptions, extract_page, warm_up
from curation.ledger import Action, Counts
from curation.parts import Part, PartWriter
from curation.recipe import MIB, CrawlLimits, CrawlSettings
from curation.sources.frames import TRUNCATIONS
from curation.sources.plan import PAGE_TYPES, Segment
from curation.sources.warc import DAMAGED, Record, read_records
from curation.stage import Outcome

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


@dataclass(frozen=True)
class SegmentTask:
    """What a worker needs to crawl one segment."""

    segment: Segment
    context: PageContext


class _Quarantine:
    """Quarantined records of one part, with as many of their raw bytes as the limits allow."""

    def __init__(self, context: PageContext) -> None:
        self.rows: list[dict[str, Any]] = []
        self._context = context
        self._room = QUARANTINE_PART_BYTES

    def add(self, record: Record, reason: str) -> None:
        """Set a record aside."""
        raw = record.raw[: min(QUARANTINE_RAW_BYTES, self._room)]
        self._room -= len(raw)
        self.rows.append(
            {
                "id": document_id_of(record, self._context),
                "file_path": self._context.file_path,
                "warc_offset": record.offset,
                "reason": reason,
                "problem": record.problem,
                "sha256": storage.sha256_of(record.raw),
                "raw": raw,
            }
        )


def crawl_segment(part: Part, task: SegmentTask) -> Counts:
    """Judge every record of a segment, and commit what came of it."""
    writer = PartWriter(part)
    quarantine = _Quarantine(task.context)
    documents: list[dict[str, Any]] = []
    ledger: list[dict[str, str]] = []
    truncation: str | None = None
    guard = _worker_guard(_page_options(task.context.settings), task.context.settings.limits)
    try:
        for record in _segment_records(task):
            if record.problem in TRUNCATIONS:
                truncation = f"{record.problem} at offset {record.offset}"
            skipped = why_no_page(record)
            if skipped is not None:
                writer.counts.skipped[skipped] += 1
                if record.state == DAMAGED:
                    quarantine.add(record, skipped)
                continue
            fate = judge_page(record, task.context, guard)
            _count(writer.counts, fate)
            if fate.row is not None:
                ledger.append(fate.row)
                if fate.row["action"] == Action.QUARANTINED:
                    quarantine.add(record, fate.row["reason"])
            if fate.document is not None:
                documents.append(fate.document)
            if len(documents) >= FLUSH_ROWS:
                writer.add(Outcome(documents_frame(documents)))
                documents = []
    except BaseException:
        guard.close()  # it may owe an answer, which the next segment must not get
        raise
    writer.add(Outcome(documents_frame(documents), ledger))
    if quarantine.rows:
        writer.write_frame("quarantine", pl.DataFrame(quarantine.rows, schema=QUARANTINE_SCHEMA))
    settings = task.context.settings
    statistics = {"file_path": task.context.file_path, "truncated": truncation, "extractor": settings.extractor}
    writer.finish(documents_frame(), statistics)
    return writer.counts


def _page_options(settings: CrawlSettings) -> PageOptions:
    drafts = settings.cascade.model is not None
    return PageOptions(settings.extractor, settings.metadata, settings.limits.page_depth, settings.limits.tag_attributes, drafts)


@lru_cache(maxsize=1)
def _worker_guard(options: PageOptions, limits: CrawlLimits) -> Guard:
    """The guard of this worker process, kept from segment to segment: to start one takes as long as many pages."""
    return Guard(partial(extract_page, options), partial(warm_up, options), limits)


def _segment_records(task: SegmentTask) -> Iterator[Record]:
    segment, pages = task.segment, 0
    for record in read_records(segment.path, segment.start, segment.end, segment.position, task.context.settings.limits):
        if segment.max_pages is not None and record.record_type in PAGE_TYPES:
            if pages >= segment.max_pages:
                return
            pages += 1
        places = task.context.places
        yield replace(record, offset=places.true_offset(record.offset)) if places and record.own_member else record


def _count(counts: Counts, fate: Fate) -> None:
    counts.entered += 1
    row = fate.row
    if row is None:
        counts.kept += 1
    elif row["action"] == Action.CHANGED:
        counts.changed += 1
    elif row["action"] == Action.REMOVED:
        counts.removed[row["reason"]] += 1
    else:
        counts.quarantined[row["reason"]] += 1
    counts.characters_in += fate.characters
    counts.characters_out += len(fate.document["text"]) if fate.document else 0
