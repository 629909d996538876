"""Crawl: from records of WARC, WET and ARC files to documents.

A page record is a WARC response with status 200 and HTML, XHTML or plain text, or a WET conversion.
Every page record becomes a document, or has a ledger row that says why not. Other records are
counted by reason in the manifest. Here stands what is done once a run; ``crawl_segment`` is the work
of one worker, ``crawl_page`` the way of one page.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from curation import language, storage
from curation.crawl_page import PageContext
from curation.crawl_segment import SegmentTask, crawl_segment
from curation.engine.local import LocalEngine
from curation.errors import InputError
from curation.extraction.extractor import EXTRACTORS
from curation.finished import committed_manifests, prepared_file
from curation.ids import repeated_hashes
from curation.preparing import commit_prepared
from curation.recipe import CrawlSettings
from curation.runner import RunContext, StageResult, WorkItem, library_versions, run_parts
from curation.selection import FILE as ADDRESSES_FILE
from curation.selection import prepare_selection
from curation.shards import ManifestFile, canonical_json, fingerprint_of
from curation.sources.plan import FilePlan, limit_segments, plan_file
from curation.sources.reddit import select_links

STAGE = "crawl"
VERSION = 5
LIBRARIES = ("lxml", "ftfy", "chardet", "brotli", "isal", "lz4", "zstandard", "polars")
BY_CONTENT: dict[str, Any] = {
    "max_quarantine_share": True,
    "links": True,
    "select": {"deny_lists", "allow_lists"},
}  # not fingerprinted by name
SUFFIXES = tuple(kind + compression for kind in (".warc", ".wet", ".arc") for compression in ("", ".gz", ".zst", ".lz4", ".bz2"))


def run_crawl(
    settings: CrawlSettings,
    paths: list[str],
    context: RunContext,
    limit: int | None = None,
) -> StageResult:
    """Crawl files into documents. ``limit``: page records to read, in the order of the sorted paths.

    Raises:
        UsageError: the recipe asks for something that cannot be.
        InputError: there is no input, or none can be read.
    """
    started = time.monotonic()
    language.check_languages(settings.languages)
    files = storage.expand_paths(paths, SUFFIXES)
    with LocalEngine(context.workers) as engine:
        plans, failures = _plan(files, settings, engine)
        if not plans:
            raise InputError(failures[0]["error"] if failures else "no input files; name WARC, WET or ARC files")
        prepared = _prepare(settings, context)
        items = _work_items(plans, settings, prepared, limit)
        result = run_parts(
            context,
            STAGE,
            VERSION,
            {
                "settings": settings.model_dump(mode="json", exclude=BY_CONTENT),
                "libraries": library_versions((*LIBRARIES, *language.LIBRARIES, *EXTRACTORS[settings.extractor].libraries)),
                "prepared": prepared.files,
            },
            items,
            crawl_segment,
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


@dataclass(frozen=True)
class _PreparedCrawl:
    """What was committed for the workers: the path of the links, path and sha256 of the tables of addresses, and all files."""

    links: str | None
    addresses: tuple[str, str] | None
    files: list[dict[str, Any]]


def _prepare(settings: CrawlSettings, context: RunContext) -> _PreparedCrawl:
    """Read what the recipe selects pages by, and commit it."""
    storage.remove(prepared_file(context.folder, STAGE))
    files: list[ManifestFile] = []
    values: dict[str, Any] = {}
    links = addresses = None
    if settings.links:
        found = select_links(settings.links, settings.min_karma)
        context.progress.say(f"{STAGE}: {len(found.karma)} shared pages in {found.counts.total()} submissions")
        content = canonical_json({"karma": found.karma, "rows": found.counts})
        links = _commit(context, "links.json", content, len(found.karma), files)
    if settings.select.names_addresses:
        selection = prepare_selection(settings.select)
        context.progress.say(f"{STAGE}: {selection.entries:,} domains and addresses to select by")
        values["lists"] = selection.lists
        addresses = (_commit(context, ADDRESSES_FILE, selection.content, selection.entries, files), files[-1].sha256)
    listed = [asdict(file) for file in files]
    if files:
        commit_prepared(context.folder, STAGE, fingerprint_of({"files": listed, **values}), values, files)
    return _PreparedCrawl(links, addresses, [*listed, *values.get("lists", [])])


def _commit(context: RunContext, name: str, content: bytes, rows: int, files: list[ManifestFile]) -> str:
    """Commit a prepared file and note it in ``files``; returns its path."""
    stored = storage.commit_bytes(storage.join(context.folder, f"{STAGE}/prepared/{name}"), content)
    files.append(ManifestFile(f"{STAGE}/prepared/{name}", rows, stored.bytes, stored.sha256))
    return stored.path


def _work_items(plans: list[FilePlan], settings: CrawlSettings, prepared: _PreparedCrawl, limit: int | None) -> list[WorkItem]:
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
            SegmentTask(
                segment, PageContext(segment.path, settings, frozenset(repeated_in[segment.path]), prepared.links, prepared.addresses)
            ),
        )
        for segment in segments
    ]


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
