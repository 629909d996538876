"""Reddit's dumps → the table of shared links, and what became of every row.

Every dump is read once, by a worker of its own, and its links are spilled to the disk; then they are brought together, one
partition at a time. The same dumps and rules give the same bytes, whatever the order of the dumps and the number of workers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from curation import storage
from curation.engine.local import LocalEngine
from curation.errors import InputError
from curation.links.gathering import Spill, gather, partition_count
from curation.links.judging import Judge, RowFate, SharedLink
from curation.links.submissions import read_submissions
from curation.links.table import check_target, commit_table
from curation.progress import Progress
from curation.recipe_links import LinksSettings

SUFFIXES = (".zst", ".xz", ".bz2", ".gz", ".ndjson", ".jsonl")  # of dumps in a folder


@dataclass
class LinksResult:
    """What came of the dumps: number of ``links``, ``rows`` by fate (zeros included), rows of each dump, dumps that could not be read."""

    links: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    dumps: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)


def write_links(patterns: list[str], target: str, settings: LinksSettings, workers: int, progress: Progress) -> LinksResult:
    """Write the table of the links that the dumps share, and count every row under one fate.

    A dump that cannot be read to its end is named in the result, and nothing of it is used.

    Raises:
        InputError: there is no dump, or none that can be read.
        UsageError: the table would replace a dump.
        PipelineError: the table cannot be written.
    """
    dumps = storage.expand_paths(patterns, SUFFIXES)
    check_target(target, dumps)
    Judge(settings)  # lists that cannot be read end the command before any dump is read
    partitions = partition_count(sum(storage.file_size(dump) for dump in dumps if storage.exists(dump)))
    with scratch_folder(target) as name:
        scratch = Path(name)
        task = partial(_spill_dump, settings=settings, partitions=partitions)
        result, folders = LinksResult(), []
        with progress.task("links", len(dumps)) as advance:
            for path, folder, counts, error in _map(task, [(dump, scratch / str(number)) for number, dump in enumerate(dumps)], workers):
                advance(1)
                if error is not None:
                    result.failures.append({"input": path, "error": error})
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                folders.append(folder)
                result.rows.update(counts)
                result.dumps[path] = counts.total()
        result.failures.sort(key=lambda failure: failure["input"])
        if not folders:
            raise InputError(result.failures[0]["error"])
        del result.rows[RowFate.SELECTED]
        parts, counts = gather(folders, partitions, settings, scratch)
        commit_table(list(parts), target)
    result.links = counts.pop("links")
    result.rows = Counter({fate.value: result.rows[fate] + counts[fate] for fate in RowFate})
    result.dumps = dict(sorted(result.dumps.items()))
    return result


def scratch_folder(target: str) -> tempfile.TemporaryDirectory[str]:
    """A folder beside the target, which is where room for large files is; for a remote target the system's own."""
    if storage.is_remote(target):
        return tempfile.TemporaryDirectory(prefix="crawl2gpt-")
    path = storage.local_path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f".{path.name}{storage.TEMPORARY_MARK}", dir=path.parent)


Spilled = tuple[str, Path, Counter[str], str | None]  # dump, folder, rows by fate, and what is wrong with it


def _map(task: partial[Counter[str]], items: list[tuple[str, Path]], workers: int) -> Iterator[Spilled]:
    """Spill every dump, as soon as each is done; a single one, or a single worker, needs no further process."""
    if min(workers, len(items)) == 1:
        for item in items:
            try:
                yield (*item, task(item), None)
            except InputError as error:
                yield (*item, Counter(), str(error))
        return
    with LocalEngine(min(workers, len(items))) as engine:
        for outcome in engine.map_unordered(task, items):
            path, folder = items[outcome.index]
            wrong = str(outcome.error or f"reading {path} crashed a worker process twice") if outcome.value is None else None
            yield path, folder, outcome.value or Counter(), wrong


def _spill_dump(item: tuple[str, Path], settings: LinksSettings, partitions: int) -> Counter[str]:
    """Judge every row of a dump and spill its links; rows by fate."""
    path, folder = item
    shutil.rmtree(folder, ignore_errors=True)  # of a worker that was killed
    spill, judge = Spill(folder, partitions), Judge(settings)
    counts: Counter[str] = Counter()
    for rows in read_submissions(path):
        judged = [judge.judge(row) for row in rows]
        links = [found for found in judged if isinstance(found, SharedLink)]
        spill.add(links)
        counts[RowFate.SELECTED] += len(links)
        counts.update(found for found in judged if not isinstance(found, SharedLink))
    spill.flush()
    return counts
