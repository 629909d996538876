"""Documents of one address: the newest stays, or the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dedup.clusters import DATE, DECISIONS, INDEXED, preference_order
from dedup.links import Numbers
from dedup.sketches import ADDRESS, Sketch, read_range, rows_of
from dedup.summary import Summary, summarise


def decide_addresses(
    sketches: list[Sketch], parts: int, rule: str, source_priority: Sequence[str], part: int
) -> tuple[pl.DataFrame, Summary, Numbers]:
    """The removed documents among those of equal address, their summary and their numbers, for one part of the range.

    ``rule``: newest or best. What an index holds stays.
    """
    keys, numbers = read_range(sketches, ADDRESS, None, part, parts, None)
    groups = pl.DataFrame({"high": keys[:, 0], "low": keys[:, 1], "number": numbers})
    groups = groups.filter(pl.len().over("high", "low") > 1)
    places_of = {sketch.folder: number for number, sketch in enumerate(sketches)}
    indexed = sum(sketch.indexed for sketch in sketches)
    frames = []
    for sketch, rows, places in rows_of(sketches, groups["number"].to_numpy()):
        shard = INDEXED if sketch.indexed else places_of[sketch.folder] - indexed
        frames.append(pl.concat([sketch.members(rows), groups[places]], how="horizontal").with_columns(shard=pl.lit(shard, pl.Int64)))
    if not frames:
        nothing = pl.DataFrame(schema=DECISIONS)
        return nothing, summarise(nothing), np.empty(0, np.uint32)
    ordered = preference_order(pl.concat(frames), source_priority)
    if rule == "newest":
        ordered = ordered.sort(DATE, descending=True, nulls_last=True, maintain_order=True)
    group = ["high", "low"]
    removed = (pl.int_range(pl.len()).over(group) > 0) & (pl.col("shard") != INDEXED)
    decisions = ordered.with_columns(
        duplicate_of=pl.col("id").first().over(group),
        indexed=pl.col("shard").first().over(group) == INDEXED,
        survivor_excerpt=pl.col("excerpt").first().over(group),
        cluster_size=1 + removed.sum().over(group),
        similarity=pl.lit(None),
        kind=pl.lit("address"),
        band=pl.lit(None),
        removed=removed,
    ).filter("removed")
    numbers = decisions["number"].to_numpy()
    decisions = decisions.select(pl.col(name).cast(dtype) for name, dtype in DECISIONS.items()).sort("id")
    return decisions, summarise(decisions), numbers
