"""The inputs of a crawl: which files, and what is known of those that were read before.

Comes in: paths and URLs of the command line, a snapshot, lists of paths. Goes out: sources in their order,
and for each fetched one RUN/crawl/inputs/NAME.json: where it came from, its checksum, and its plan, so that
a later run need not fetch it again to know what there is to do.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from curation import storage
from curation.errors import InputError, PipelineError
from curation.recipe import CrawlLimits, CrawlSettings
from curation.shards import read_sealed, sealed_json
from curation.sources.commoncrawl import Source, name_of, read_list, read_snapshot, select_files, source_of
from curation.sources.places import read_places
from curation.sources.plan import FilePlan, Segment
from curation.sources.transfer import Receipt
from curation.sources.web import Client, is_web

SUFFIXES = tuple(kind + compression for kind in (".warc", ".wet", ".arc") for compression in ("", ".gz", ".zst", ".lz4", ".bz2"))
PLAN_VERSION = 3  # of the cutting into segments
FRAMING_LIMITS = {"header_bytes", "body_bytes", "decompressed_bytes", "decompression_ratio"}  # those that a plan depends on
MAX_SIZES_ASKED = 64  # files of a crawl whose sizes stand for all in a dry run
MAX_NAME_BYTES = 200  # of a file in a folder; most filesystems take 255, and there are endings to add


def find_sources(patterns: list[str], settings: CrawlSettings, seed: int, client: Client) -> list[Source]:
    """All input files, each once: those that are named, sorted, those of places, then those selected from the snapshot and the lists.

    Raises:
        InputError: a glob or folder holds no file, or a list cannot be read.
        UsageError: a selection is empty.
    """
    base_url = settings.remote.base_url
    single = [pattern for pattern in patterns if _is_single_url(pattern)]
    expanded = storage.expand_paths([pattern for pattern in patterns if pattern not in single], SUFFIXES)
    found = [Source(name_of(location, base_url), location) for location in sorted({*single, *expanded})]
    found += _placed_sources(settings)
    listed = read_snapshot(client, settings.snapshot, settings.kind) if settings.snapshot else []
    for location in settings.paths:
        listed += read_list(client, location)
    if listed:
        found += select_files(listed, settings.files, settings.sample, seed)
    return list({source.name: source for source in reversed(found)}.values())[::-1]  # the first of a name stays


def _placed_sources(settings: CrawlSettings) -> list[Source]:
    """The files of the tables of places, each with its records."""
    files = read_places(settings.places) if settings.places else {}
    return [replace(source_of(file, settings.remote.base_url), places=places) for file, places in files.items()]


def _is_single_url(pattern: str) -> bool:
    """Whether a pattern is the URL of one file, so that nothing needs to be listed, which not every store allows."""
    if not is_web(pattern):
        return storage.is_remote(pattern) and pattern.endswith(SUFFIXES) and not glob.has_magic(pattern)
    if pattern.endswith("/") or "*" in pattern:
        raise InputError(f"{pattern} names no single file, and a web server lists none; give its files with --paths LIST")
    return True


def expected_reading(patterns: list[str], settings: CrawlSettings, seed: int) -> str:
    """How many files and bytes a crawl would read, in words; of many remote ones it asks the size of a few."""
    client = Client(settings.remote)
    all_sources = find_sources(patterns, settings, seed, client)
    sources = [source for source in all_sources if source.places is None]
    placed = [source.places for source in all_sources if source.places is not None]
    if placed:
        records = f"{sum(len(places.lengths) for places in placed):,} records of {len(placed):,} files"
        records += f", {sum(int(places.lengths.sum()) for places in placed):,} bytes"
        return records if not sources else f"{records}, and {_reading_of_files(sources, settings, client)}"
    return _reading_of_files(sources, settings, client)


def _reading_of_files(sources: list[Source], settings: CrawlSettings, client: Client) -> str:
    remote = [source.location for source in sources if storage.is_remote(source.location)]
    size = sum(storage.file_size(source.location) for source in sources if not storage.is_remote(source.location))
    asked = remote[:: -(-len(remote) // MAX_SIZES_ASKED)] if remote else []
    with ThreadPoolExecutor(settings.remote.connections) as threads:
        sizes = [identity.bytes or 0 for identity in threads.map(client.identify, asked)]
    if len(asked) < len(remote):
        about = size + sum(sizes) * len(remote) // len(asked)
        return f"{len(sources):,} files, about {about:,} bytes (judged by {len(asked)} of them)"
    return f"{len(sources):,} files, {size + sum(sizes):,} bytes"


def file_name(name: str) -> str:
    """A relative path for a file of this name, without anything that a filesystem could take amiss."""
    steps = [step for step in name.replace("://", "/").split("/") if step]
    return "/".join(_safe(step) for step in steps)


def _safe(step: str) -> str:
    if step in (".", "..") or "\0" in step or len(step.encode()) > MAX_NAME_BYTES:
        return hashlib.sha256(step.encode()).hexdigest()
    return step


def arrival_folder(run: str, settings: CrawlSettings) -> Path:
    """Where fetched files lie: the cache; else below the run; else, if that is no local folder, in the system's temporary one."""
    if settings.cache is not None:
        return Path(settings.cache)
    if not storage.is_remote(run):
        return storage.local_path(storage.join(run, "crawl", "arrived"))
    return Path(tempfile.gettempdir()) / f"crawl2gpt-{hashlib.sha256(run.encode()).hexdigest()[:16]}"


# --- what is known of inputs that were read before ----------------------------------------------------


def record_path(run: str, source: Source) -> str:
    """Where the record of a fetched input is committed."""
    digest = hashlib.sha256(source.name.encode()).hexdigest()[:12]
    return storage.join(run, "crawl", "inputs", f"{_safe(source.name.rpartition('/')[2]) or 'input'}-{digest}.json")


def write_record(run: str, source: Source, receipt: Receipt, plan: FilePlan, limits: CrawlLimits) -> None:
    """Commit what is known of a fetched input."""
    values = {
        "name": source.name,
        **asdict(receipt),
        **_made_by(limits),
        "segments": [{key: value for key, value in asdict(segment).items() if key != "path"} for segment in plan.segments],
        "id_hashes": base64.b64encode(plan.id_hashes.astype("<u8").tobytes()).decode("ascii"),
    }
    storage.commit_bytes(record_path(run, source), sealed_json(values))


def read_record(run: str, source: Source, limits: CrawlLimits) -> tuple[Receipt, FilePlan] | None:
    """Receipt and plan of an input as an earlier run of this folder found it; None if there is none that still holds."""
    path = record_path(run, source)
    if not storage.exists(path):
        return None
    try:
        values = read_sealed(path)
        made_by = {key: values.get(key) for key in _made_by(limits)}
        if (values["name"], values["url"], made_by) != (source.name, source.address, _made_by(limits)):
            return None
        receipt = Receipt(values["url"], values["bytes"], values["sha256"], values["validator"])
        segments = [Segment(path=source.name, **segment) for segment in values["segments"]]
        id_hashes = np.frombuffer(base64.b64decode(values["id_hashes"]), dtype="<u8").astype(np.uint64)
    except (PipelineError, KeyError, TypeError, ValueError):
        return None  # damaged, or of another version: the file is fetched again
    return receipt, FilePlan(source.name, receipt.bytes, receipt.sha256, segments, id_hashes)


def _made_by(limits: CrawlLimits) -> dict[str, Any]:
    return {"plan_version": PLAN_VERSION, "limits": limits.model_dump(mode="json", include=FRAMING_LIMITS)}


def placed(plan: FilePlan, path: str) -> FilePlan:
    """The plan of the same file in another place."""
    return replace(plan, path=path, segments=[replace(segment, path=path) for segment in plan.segments])
