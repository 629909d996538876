"""Crawl: from records of WARC and WET files to documents.

A page record is a WARC response with status 200 and HTML, XHTML or plain text, or a WET conversion.
Every page record becomes a document, or has a ledger row that says why not. Other records are
counted by reason in the manifest. Here stands what is done once a run; ``crawl_segment`` is the work
of one worker, ``crawl_page`` the way of one page.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from curation import language, storage
from curation.cascade import PageJudge
from curation.crawl_inputs import find_sources, record_path
from curation.crawl_page import PageContext
from curation.crawl_preparing import PreparedCrawl, prepare_crawl
from curation.crawl_segment import SegmentTask, crawl_segment
from curation.engine.local import NOT_YET, LocalEngine
from curation.errors import InputError, PipelineError
from curation.extraction import draft
from curation.extraction.extractor import EXTRACTORS
from curation.finished import committed_manifests
from curation.ids import SeenIds
from curation.intake import Arrival, Intake
from curation.parts import Part, StageParts, WorkItem
from curation.recipe import CrawlSettings
from curation.recipe_links import LinksSettings
from curation.runner import RunContext, StageResult, library_versions, make_parts
from curation.sources.commoncrawl import Source
from curation.sources.plan import MAX_SEGMENTS, FilePlan, limit_segments, plan_file
from curation.sources.web import Client

STAGE = "crawl"
VERSION = 12
LIBRARIES = ("lxml", "ftfy", "chardet", "brotli", "isal", "lz4", "zstandard", "polars")
# Places say where files are read, not what becomes of a page; lists are fingerprinted by content, not by name.
PLACES = ("snapshot", "kind", "paths", "places", "files", "sample", "cache", "remote")
UNFINGERPRINTED: dict[str, Any] = {
    **dict.fromkeys(("max_quarantine_share", "links", *PLACES), True),
    "select": {"deny_lists", "allow_lists"},
    "cascade": {"model"},
    "language_model": True,
}


def run_crawl(
    settings: CrawlSettings,
    paths: list[str],
    context: RunContext,
    limit: int | None = None,
    seed: int = 0,
    judge: PageJudge | None = None,
    links: LinksSettings | None = None,
) -> StageResult:
    """Crawl files into documents. ``limit``: page records to read, in the order of the inputs. ``seed``: of a sample of files.

    ``judge``: tells what the filter would remove, where the recipe has a cascade. ``links``: rules for dumps among ``crawl.links``
    (None: all defaults).

    Raises:
        UsageError: the recipe asks for something that cannot be.
        InputError: there is no input, or none can be read.
    """
    started = time.monotonic()
    language.check_languages(settings.languages, settings.language_model)
    client = Client(settings.remote)
    sources = find_sources(paths, settings, seed, client)
    if not sources:
        raise InputError("no input files; name WARC, WET or ARC files")
    prepared = prepare_crawl(settings, links or LinksSettings(), judge, context)
    values = {
        "settings": settings.model_dump(mode="json", exclude=UNFINGERPRINTED),
        "libraries": library_versions(_libraries(settings)),
        "prepared": prepared.files,
        "extractor_model": _digest(EXTRACTORS[settings.extractor].model),
        "cascade": judge.identity() if judge else None,
        "language_model": _digest(settings.language_model),
    }
    cutter = _Cutter(StageParts(context.folder, STAGE, VERSION, values), settings, prepared, limit)
    crawl = _crawl_remote if any(storage.is_remote(source.location) or source.places is not None for source in sources) else _crawl_local
    with LocalEngine(context.workers) as engine:
        options = {"engine": engine, "max_quarantine_share": settings.max_quarantine_share, "started": started}
        result = crawl(sources, cutter, settings, context, client, options)
    _delete_old_records(context, sources)
    result.failures += _truncated_inputs(context)
    return result


def _digest(model: str | Path | None) -> str | None:
    return storage.hash_file(str(model)).sha256 if model else None


def _libraries(settings: CrawlSettings) -> tuple[str, ...]:
    """Distributions whose versions change the output."""
    drafts = draft.LIBRARIES if settings.cascade.model is not None else ()
    return (*LIBRARIES, *language.LIBRARIES, *EXTRACTORS[settings.extractor].libraries, *drafts)


# --- from files to parts ----------------------------------------------------------------------------


class _Cutter:
    """Makes work items of plans, in the order of the inputs, and remembers what the next ones depend on: ids and the limit."""

    def __init__(self, parts: StageParts, settings: CrawlSettings, prepared: PreparedCrawl, limit: int | None) -> None:
        self.parts = parts
        self.limit = limit
        self._settings = settings
        self._prepared = prepared
        self._seen = SeenIds()

    def enter(self, index: int, source: Source, plan: FilePlan) -> list[Part]:
        """Enter the parts of the next file; returns those that are yet to be made."""
        repeated = self._seen.enter(plan.id_hashes)
        identity = {"path": source.name, "bytes": plan.bytes, "sha256": plan.sha256, "repeated_ids": sorted(repeated)}
        prepared = self._prepared
        context = PageContext(source.name, self._settings, repeated, prepared.links, prepared.addresses, prepared.judge, source.places)
        todo = []
        for number, segment in enumerate(limit_segments(plan.segments, self.limit)):
            span = {"start": segment.start, "end": segment.end, "max_pages": segment.max_pages}
            # Numbered by file, so that a file that could not be read this time does not shift the parts of the others.
            item = WorkItem(source.name, [{**identity, **span}], SegmentTask(segment, context), index * MAX_SEGMENTS + number)
            part = self.parts.enter(item)
            if part is not None:
                todo.append(part)
        if self.limit is not None:
            self.limit = max(0, self.limit - sum(segment.pages for segment in plan.segments))
        return todo

    def place(self, part: Part, path: str) -> None:
        """Say where the bytes of a part's file are now."""
        item = self.parts.items[part.number]
        task = replace(item.payload, segment=replace(item.payload.segment, path=path))
        self.parts.items[part.number] = replace(item, payload=task)


def _crawl_local(
    sources: list[Source], cutter: _Cutter, settings: CrawlSettings, context: RunContext, _client: Client, options: dict[str, Any]
) -> StageResult:
    """Plan all files, then crawl them: they are here, and the workers share the planning."""
    plans: dict[int, FilePlan] = {}
    failures: list[dict[str, str]] = []
    engine: LocalEngine = options["engine"]
    for outcome in engine.map_unordered(partial(plan_file, limits=settings.limits), [source.location for source in sources]):
        if outcome.value is not None:
            plans[outcome.index] = outcome.value
        else:
            failures.append(_failure(sources[outcome.index], str(outcome.error or "reading it crashed a worker process twice")))
    failures.sort(key=lambda failure: failure["input"])
    if not plans:
        raise InputError(failures[0]["error"])
    todo = [part for index in sorted(plans) for part in cutter.enter(index, sources[index], plans[index])]
    return make_parts(context, cutter.parts, todo, crawl_segment, total=len(cutter.parts.parts), failures=failures, **options)


def _crawl_remote(
    sources: list[Source], cutter: _Cutter, settings: CrawlSettings, context: RunContext, client: Client, options: dict[str, Any]
) -> StageResult:
    """Crawl files while the next ones are fetched."""
    failures: list[dict[str, str]] = []
    unmade: dict[int, int] = {}  # parts that a file is still needed for, by file

    def end(part: Part) -> None:
        index = part.number // MAX_SEGMENTS
        unmade[index] -= 1
        if not unmade[index]:
            intake.finish(index)

    def arriving() -> Iterator[Any]:
        for index, source in enumerate(sources):
            if cutter.limit == 0:
                return
            try:
                todo = yield from _arrive(index, source, cutter, intake, context)
            except PipelineError as error:
                failures.append(_failure(source, str(error)))
                intake.forget(index)
                continue
            unmade[index] = len(todo)
            if todo:
                yield from todo
            else:
                intake.finish(index)

    with Intake(sources, settings, context.folder, client, one_by_one=cutter.limit is not None) as intake:
        result = make_parts(context, cutter.parts, arriving(), crawl_segment, failures=failures, on_end=end, **options)
    if not result.failures:
        intake.delete_arrived()
    return result


def _arrive(index: int, source: Source, cutter: _Cutter, intake: Intake, context: RunContext) -> Generator[Any, None, list[Part]]:
    """Wait for a file; returns its parts that are yet to be made, each with the place of its bytes."""
    arrival = yield from _await(intake.arrival(index))
    todo = cutter.enter(index, source, arrival.plan)
    if todo and arrival.path is None:
        known = arrival.plan
        arrival = yield from _await(intake.want_bytes(index))
        if arrival.plan.sha256 != known.sha256:
            raise InputError(f"{source.location} is another file than an earlier run found there; run again to crawl the new one")
    if arrival.note:
        context.progress.say(f"note: {arrival.note}")
    if arrival.fetched_bytes:
        context.progress.say(f"{STAGE}: fetched {source.name}, {arrival.fetched_bytes:,} bytes")
    for part in todo:
        cutter.place(part, str(arrival.path))
    return todo


def _await(future: Future[Arrival]) -> Generator[Any, None, Arrival]:
    """``NOT_YET`` until the file is there; returns its arrival."""
    while not future.done():
        yield NOT_YET
    return future.result()


def _delete_old_records(context: RunContext, sources: list[Source]) -> None:
    """Forget inputs that this crawl has no more."""
    wanted = {record_path(context.folder, source) for source in sources}
    for path in storage.list_folder(storage.join(context.folder, STAGE, "inputs")):
        if path not in wanted:
            storage.remove(path)


def _failure(source: Source, error: str) -> dict[str, str]:
    return {"input": source.name, "error": error}


# --- what else is done once a run -------------------------------------------------------------------


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
