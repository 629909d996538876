"""Crawl: from records of WARC, WET and ARC files to documents.

A page record is a WARC response with status 200 and HTML, XHTML or plain text, or a WET conversion.
Every page record becomes a document, or has a ledger row that says why not. Other records are
counted by reason in the manifest. Here stands what is done once a run; ``crawl_segment`` is the work
of one worker, ``crawl_page`` the way of one page.
"""

from __future__ import annotations

import time
from functools import partial

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
from curation.shards import ManifestFile, canonical_json
from curation.sources.plan import FilePlan, limit_segments, plan_file
from curation.sources.reddit import select_links

STAGE = "crawl"
VERSION = 5
LIBRARIES = ("lxml", "ftfy", "chardet", "brotli", "isal", "lz4", "zstandard", "polars")
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
        storage.remove(prepared_file(context.folder, STAGE))
        links = _commit_links(settings, context) if settings.links else None
        items = _work_items(plans, settings, links, limit)
        result = run_parts(
            context,
            STAGE,
            VERSION,
            {
                "settings": settings.model_dump(mode="json", exclude={"max_quarantine_share", "links"}),
                "libraries": library_versions((*LIBRARIES, *language.LIBRARIES, *EXTRACTORS[settings.extractor].libraries)),
                "links": storage.hash_file(links).sha256 if links else None,
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
            SegmentTask(segment, PageContext(segment.path, settings, frozenset(repeated_in[segment.path]), links)),
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
