"""Bringing files near: a few threads fetch and plan the next inputs of a crawl while its workers are busy with those before.

At most ``connections + look_ahead_files`` files lie on the disk, or are on their way to it, however many
there are. A file that is not cached is deleted when its parts are made.
"""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curation import storage
from curation.crawl_inputs import arrival_folder, file_name, placed, read_record, write_record
from curation.engine.local import LocalEngine
from curation.errors import InputError, PipelineError
from curation.recipe import CrawlSettings
from curation.sources.commoncrawl import Source
from curation.sources.places import Places, fetch_places
from curation.sources.plan import FilePlan, plan_file
from curation.sources.transfer import discard, download, read_receipt
from curation.sources.web import Client, Stopped

END_SECONDS = 2.0  # how long the end of a run waits for its threads; they are daemons, and what they leave behind is resumed


@dataclass(frozen=True)
class Arrival:
    """A file that can be worked on. ``path``: where its bytes lie; None if it is only known from an earlier run.

    ``fetched_bytes``: of the transfer, 0 where there was none. ``note``: something that the user should know.
    """

    plan: FilePlan
    path: str | None
    fetched_bytes: int = 0
    note: str | None = None


class Intake:
    """Brings the files of a crawl near, in their order. Use as a context manager: leaving it ends the threads.

    ``one_by_one``: no file before it is asked for, since the crawl may end with any.
    """

    def __init__(self, sources: list[Source], settings: CrawlSettings, run: str, client: Client, one_by_one: bool = False) -> None:
        self._sources = sources
        self._settings = settings
        self._run = run
        self._client = client
        self._folder = arrival_folder(run, settings)
        self._room = settings.remote.connections + settings.remote.look_ahead_files
        self._end = 0 if one_by_one else len(sources)  # files before this one may be brought without being asked for
        self._changed = threading.Condition()
        self._near: set[int] = set()  # files begun and not finished: what the room is for
        self._next = 0
        self._wanted: list[tuple[int, bool]] = []  # asked for again, with their bytes
        self._futures: dict[int, Future[Arrival]] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Intake:
        for _ in range(min(self._settings.remote.connections, len(self._sources))):
            thread = threading.Thread(target=self._serve, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def arrival(self, index: int) -> Future[Arrival]:
        """The future arrival of a file; it fails with InputError if the file cannot be had."""
        with self._changed:
            if index >= self._end:
                self._end = index + 1
                self._changed.notify_all()
            return self._futures.setdefault(index, Future())

    def want_bytes(self, index: int) -> Future[Arrival]:
        """The future arrival of a file that is known already, this time with its bytes."""
        with self._changed:
            self._futures[index] = Future()
            self._near.add(index)  # beyond the room if need be: nothing else can go on before this file
            self._wanted.append((index, True))
            self._changed.notify_all()
            return self._futures[index]

    def finish(self, index: int) -> None:
        """No worker needs the file any more: delete it if it is not cached, and make room for the next."""
        source = self._sources[index]
        if source.places is not None or (storage.is_remote(source.location) and self._settings.cache is None):
            discard(self._target(source))
        self.forget(index)

    def forget(self, index: int) -> None:
        """Make room for the next file; what has arrived of this one stays."""
        with self._changed:
            self._near.discard(index)
            self._changed.notify_all()

    def delete_arrived(self) -> None:
        """Delete files that were fetched and are of no more use: the crawl is complete."""
        if self._settings.cache is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # --- in the threads -----------------------------------------------------------------------------

    def _serve(self) -> None:
        with LocalEngine(1) as planner:  # a process of its own, so that a file that crashes its reader ends no thread
            while (task := self._take()) is not None:
                index, with_bytes = task
                future = self.arrival(index)
                try:
                    future.set_result(self._bring(self._sources[index], with_bytes, planner))
                except Stopped:
                    return
                except BaseException as error:  # carried to the crawl, which waits for this future
                    future.set_exception(error)

    def _take(self) -> tuple[int, bool] | None:
        """The next file to bring, as soon as there is one and room for it; None at the end."""
        with self._changed:
            while not self._client.stop.is_set():
                if self._wanted:
                    return self._wanted.pop(0)
                if self._next < self._end and len(self._near) < self._room:
                    self._near.add(self._next)
                    self._next += 1
                    return self._next - 1, False
                self._changed.wait()
        return None

    def _target(self, source: Source) -> Path:
        return self._folder / file_name(source.name if source.places is None else f"{source.name}.{source.places.digest}")

    def _bring(self, source: Source, with_bytes: bool, planner: LocalEngine) -> Arrival:
        limits = self._settings.limits
        if source.places is not None:
            return self._bring_records(source, source.places, with_bytes, planner)
        if not storage.is_remote(source.location):
            return Arrival(self._plan(source, source.location, planner), source.location)
        if not with_bytes and (known := self._known(source)) is not None:
            return known
        target = self._target(source)
        for _ in range(2):
            before = read_receipt(target)
            receipt = download(self._client, source.location, target)
            if before is None or storage.hash_file(str(target)).sha256 == receipt.sha256:
                plan = self._plan(source, str(target), planner)
                write_record(self._run, source, receipt, plan, limits)
                return Arrival(plan, str(target), 0 if before else receipt.bytes)
            discard(target)  # the disk gave back other bytes than were fetched once: fetched again
        raise InputError(f"{target} changes while it is read; another program writes to it: choose another crawl.cache")

    def _bring_records(self, source: Source, places: Places, with_bytes: bool, planner: LocalEngine) -> Arrival:
        """Some records of a file. Nobody is asked whether those of an earlier run are still the same: archives do not change."""
        record = read_record(self._run, source, self._settings.limits)
        if record is not None and not with_bytes:
            return Arrival(record[1], None)
        target = self._target(source)
        receipt = fetch_places(self._client, source.location, source.address, places, target)
        plan = self._plan(source, str(target), planner)
        write_record(self._run, source, receipt, plan, self._settings.limits)
        return Arrival(plan, str(target), receipt.bytes)

    def _known(self, source: Source) -> Arrival | None:
        """The file as an earlier run found it, if it is still the same."""
        record = read_record(self._run, source, self._settings.limits)
        if record is None:
            return None
        receipt, plan = record
        here = read_receipt(self._target(source))
        if here is not None:
            return Arrival(plan, None) if here.sha256 == receipt.sha256 else None
        try:
            now = self._client.identify(source.location)
        except PipelineError as error:  # what was made of it is still right, as far as anybody can tell
            return Arrival(plan, None, note=f"{error}; going on with what an earlier run made of it")
        unchanged = now.validator is not None and (now.bytes, now.validator) == (receipt.bytes, receipt.validator)
        return Arrival(plan, None) if unchanged else None

    def _plan(self, source: Source, path: str, planner: LocalEngine) -> FilePlan:
        result = next(iter(planner.map_unordered(partial(plan_file, limits=self._settings.limits), [path])))
        if result.value is None:
            said = str(result.error or "reading it crashed a worker process twice")
            raise InputError(said.replace(path, source.name))
        return placed(result.value, path)
