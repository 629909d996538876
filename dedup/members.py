"""The linked documents: their shingles gathered shard by shard, then decided on batch by batch.

A batch holds whole components. ``gather_shard`` writes the shingle sets of a shard's linked
documents, sorted by batch; what an index holds lies there already. ``decide_batch`` reads its span of
every such file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.shards import read_shard
from dedup.clusters import DECISIONS, INDEXED, MEMBERS, ReadSets, Sets, decide
from dedup.links import Numbers, batches, flatten
from dedup.sketches import ShardWork, Sketch, Sketching, sets_of
from dedup.summary import Summary, summarise

BATCH_COST = 16_000_000  # values compared in one worker, 8 bytes each
MEMBER_COST = 256  # what a member takes beside its set, in values
SET_BYTES = 8  # of one value


@dataclass(frozen=True)
class LinkedRows:
    """The documents of one sketch that are linked to another, by batch: rows, batches and components of each, and
    whether it is the one copy of its text that brings the set. ``work``: the shard; None where an index holds them."""

    sketch: Sketch
    work: ShardWork | None
    rows: npt.NDArray[np.int64]
    batches: npt.NDArray[np.int64]
    components: Numbers
    representative: npt.NDArray[np.bool_]


def linked_rows(
    sketches: Sequence[Sketch], works: Sequence[ShardWork], parents: Numbers, representatives: npt.NDArray[np.bool_]
) -> Iterator[LinkedRows]:
    """The linked documents of each sketch that has any, parted into batches of whole components."""
    members = np.flatnonzero(flatten(parents))
    if not len(members):
        return
    cuts = np.searchsorted(members, [*(sketch.first for sketch in sketches), len(parents)])
    costs = np.full(len(members), MEMBER_COST, np.int64)
    for sketch, start, stop in zip(sketches, cuts[:-1], cuts[1:], strict=True):
        costs[start:stop] += sketch.array("counts")[members[start:stop] - sketch.first] * representatives[members[start:stop]]
    batch = batches(parents[members], costs, BATCH_COST)
    shards = {work.sketch.first: work for work in works}
    for sketch, start, stop in zip(sketches, cuts[:-1], cuts[1:], strict=True):
        if start < stop:
            order = np.argsort(batch[start:stop], kind="stable") + start
            rows = members[order]
            work = None if sketch.indexed else shards[sketch.first]
            yield LinkedRows(sketch, work, rows - sketch.first, batch[order], parents[rows], representatives[rows])


def gather_shard(sketching: Sketching, scratch: str, indexed: int, item: tuple[int, LinkedRows]) -> list[int]:
    """Write, sorted by batch, what deciding on the linked documents of a sketch takes; returns their batches.

    ``indexed``: how many sketches, the first ones, an index holds. ``item``: the number of the sketch, and its linked documents.
    """
    number, linked = item
    prefix = f"{scratch}/linked-{number:05}"
    if linked.work is None:
        bounds = linked.sketch.array("set_bounds")
        starts, sizes = bounds[linked.rows], bounds[linked.rows + 1] - bounds[linked.rows]
    else:
        starts, sizes = _write_sets(f"{prefix}.sets.bin", sketching, linked)
    members = linked.sketch.members(linked.rows)
    members.with_columns(shard=pl.lit(INDEXED if linked.work is None else number - indexed, pl.Int64)).write_ipc(f"{prefix}.members.arrow")
    np.save(f"{prefix}.rows.npy", linked.rows)
    np.save(f"{prefix}.batches.npy", linked.batches)
    np.save(f"{prefix}.components.npy", linked.components)
    np.save(f"{prefix}.spans.npy", np.stack([starts, sizes], axis=1))
    return [int(batch) for batch in np.unique(linked.batches)]


def decide_batch(
    scratch: str, sketches: list[Sketch], threshold: float, source_priority: list[str], estimated: bool, item: tuple[int, list[int]]
) -> tuple[pl.DataFrame, Summary]:
    """The removed documents of one batch, as ``dedup.clusters.DECISIONS``, and a summary of its clusters.

    ``item``: the batch and the numbers of the sketches that hold members of it.
    """
    batch, present = item
    frames: list[pl.DataFrame] = []
    keys, components, spans = [], [], []
    for place, number in enumerate(present):
        sketch, prefix = sketches[number], f"{scratch}/linked-{number:05}"
        start, stop = np.searchsorted(np.load(f"{prefix}.batches.npy", mmap_mode="r"), [batch, batch + 1])
        rows, component, span = (np.load(f"{prefix}.{name}.npy", mmap_mode="r")[start:stop] for name in ("rows", "components", "spans"))
        digests = sketch.array("digests")[rows]
        members = pl.read_ipc(f"{prefix}.members.arrow")[start:stop]
        frames.append(members.with_columns(digest_high=pl.Series(digests[:, 0]), digest_low=pl.Series(digests[:, 1])))
        keys.append(sketch.array("keys")[rows])
        components.append(component)
        spans.append(np.column_stack([np.full(len(span), place), span]))
    files = [f"{sketches[n].folder}/sets.bin" if sketches[n].indexed else f"{scratch}/linked-{n:05}.sets.bin" for n in present]
    span = np.concatenate(spans)
    with ExitStack() as stack:
        decisions = decide(
            pl.concat(frames).select(MEMBERS.names()),
            np.concatenate(components),
            np.concatenate(keys),
            span[:, 2],
            _reader(files, span, stack),
            threshold,
            source_priority,
            estimated,
        )
    return decisions.select(DECISIONS.names()), summarise(decisions)


def _write_sets(path: str, sketching: Sketching, linked: LinkedRows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Write the sets of the documents that bring one; start and size of each document's, in values."""
    assert linked.work is not None
    bringing = np.flatnonzero(linked.representative)
    texts = read_shard(linked.work.shard, ["text"])["text"][linked.rows[bringing]]
    counts = []
    with Path(path).open("wb") as stream:
        for sets, count in sets_of(texts, sketching):
            counts.append(count)
            stream.write(sets.tobytes())
    sizes = np.zeros(len(linked.rows), np.int64)
    sizes[bringing] = np.concatenate([np.empty(0, np.int64), *counts])
    return np.cumsum(sizes) - sizes, sizes


def _reader(files: Sequence[str], spans: npt.NDArray[np.int64], stack: ExitStack) -> ReadSets:
    """Reads the sets of members, of which ``spans`` tells file, start and size."""
    descriptors = []
    for path in files:
        descriptors.append(os.open(path, os.O_RDONLY))
        stack.callback(os.close, descriptors[-1])

    def read(rows: npt.NDArray[np.int64]) -> Sets:
        bounds = np.concatenate([[0], np.cumsum(spans[rows, 2])])
        sets = np.empty(bounds[-1], np.uint64)
        view = sets.view(np.uint8).data
        for (file, start, _), first, last in zip(spans[rows].tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            if first < last:
                os.preadv(descriptors[file], [view[first * SET_BYTES : last * SET_BYTES]], start * SET_BYTES)
        return sets

    return read
