"""The local engine: ``map`` over worker processes, with retries and crash isolation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from curation.engine.process import OUTSIDE_SIGNALS, ChildProcess, RemoteFailure
from curation.errors import PipelineError

MAX_CRASHES = 2  # an item whose worker crashes this often is given up (design: "kills its worker twice")
MAX_OUTSIDE_KILLS = 20  # our choice: patience with somebody killing workers, but not endless
EXIT_WAIT_SECONDS = 5.0
LOOK_AHEAD = 4  # our choice: a slow item lets the other workers go on for a while
POLL_SECONDS = 0.05  # how often items are asked for again that said NOT_YET

NOT_YET = object()  # an item that stands for none: the next one must be waited for, while the workers go on


@dataclass(frozen=True)
class ItemResult:
    """What became of one item: ``value``, or ``error``, or a worker that ``crashed`` on it twice."""

    index: int
    value: Any = None
    error: PipelineError | None = None
    crashed: bool = False


@dataclass
class _Job:
    index: int
    item: Any
    crashes: int = 0
    outside_kills: int = 0


class LocalEngine:
    """Worker processes of this machine. Use as a context manager: leaving it ends the workers."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._idle: list[ChildProcess] = []
        self._children: set[ChildProcess] = set()

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        for child in list(self._children):
            self._end(child)
        self._idle.clear()

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """``function(item)`` for each item, in order; the first failure is raised.

        At most ``LOOK_AHEAD`` items a worker are under way or waiting for their turn, so memory stays bounded.
        """
        window = LOOK_AHEAD * self.workers
        waiting: dict[int, Any] = {}
        feed = _Feed(items)
        for result in self._run(function, feed, lambda: feed.taken - feed.delivered < window):
            if result.crashed:
                raise PipelineError(f"a worker process crashed twice on item {result.index} of {_name(function)}")
            if result.error:
                raise result.error
            waiting[result.index] = result.value
            while feed.delivered in waiting:
                yield waiting.pop(feed.delivered)
                feed.delivered += 1

    def map_unordered(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[ItemResult]:
        """What became of each item, as soon as it is known; failures of items are results, too.

        ``items`` may yield ``NOT_YET`` where it would have to wait; it is asked again a little later.
        """
        yield from self._run(function, _Feed(items), lambda: True)

    def _run(self, function: Callable[..., Any], feed: _Feed, may_take: Callable[[], bool]) -> Iterator[ItemResult]:
        again: deque[_Job] = deque()
        busy: dict[ChildProcess, _Job] = {}
        try:
            while True:
                waits = False
                while len(busy) < self.workers and (again or may_take()):
                    job = again.popleft() if again else feed.take()
                    if job is None:
                        waits = not feed.exhausted
                        break
                    busy[self._start(function, job)] = job
                if not busy and not waits:
                    return
                by_connection = {child.connection: child for child in busy}
                for connection in wait(list(by_connection), POLL_SECONDS if waits else None):
                    child = by_connection[connection]  # type: ignore[index]
                    job = busy.pop(child)
                    try:
                        answer = child.receive()
                    except (EOFError, OSError):
                        result = self._judge_death(child, job, again)
                        if result:
                            yield result
                        continue
                    self._idle.append(child)
                    yield _to_result(job, answer)
        finally:
            for child in busy:  # the caller wants no more: what these would answer belongs to nobody
                self._end(child)

    def _start(self, function: Callable[..., Any], job: _Job) -> ChildProcess:
        while True:
            child = self._idle.pop() if self._idle else ChildProcess()
            self._children.add(child)
            try:
                child.send(function, (job.item,))
                return child
            except OSError:  # died while idle; nobody's work is lost
                self._end(child)

    def _end(self, child: ChildProcess) -> None:
        self._children.discard(child)
        child.kill()

    def _judge_death(self, child: ChildProcess, job: _Job, again: deque[_Job]) -> ItemResult | None:
        self._children.discard(child)
        code = child.wait_exit_code(EXIT_WAIT_SECONDS)
        if code in OUTSIDE_SIGNALS:
            job.outside_kills += 1
            if job.outside_kills > MAX_OUTSIDE_KILLS:
                message = f"workers were killed {job.outside_kills} times (signal {-code}); free memory or lower --workers, then run again"
                return ItemResult(job.index, error=PipelineError(message))
        else:
            job.crashes += 1
            if job.crashes >= MAX_CRASHES:
                return ItemResult(job.index, crashed=True)
        again.append(job)
        return None


class _Feed:
    """Items not yet started, numbered in order; how many were taken, and how many results delivered."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self.taken = 0
        self.delivered = 0
        self.exhausted = False

    def take(self) -> _Job | None:
        """The next item, or None if there is none: for ever if ``exhausted``, else only now."""
        for item in self._items:
            if item is NOT_YET:
                return None
            self.taken += 1
            return _Job(self.taken - 1, item)
        self.exhausted = True
        return None


def _to_result(job: _Job, answer: Any) -> ItemResult:
    if not isinstance(answer, RemoteFailure):
        return ItemResult(job.index, value=answer)
    if answer.error is not None:
        return ItemResult(job.index, error=answer.error)
    return ItemResult(job.index, error=PipelineError(f"unexpected {answer.summary}\n{answer.trace}".rstrip()))


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(getattr(function, "func", function), "__name__", "a function"))  # a partial keeps its function in func
