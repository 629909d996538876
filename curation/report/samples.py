"""Which documents the page shows, and their texts: a few for each fate, drawn by a hash of their id.

A removed document's text is in the shard that its stage read, which the manifest names by checksum.
Memory: the ledger of one part, and the rows of the chosen documents.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curation.draws import draw_integer
from curation.ledger import Action
from curation.report.committed import find_documents
from curation.report.facts import DocumentFacts, Excerpt, Sample, Span
from curation.shards import Manifest, Shard
from curation.tables import read_table, tables_of

EXCERPT_CHARACTERS = 1500  # about a screen of a laptop
LEAD_CHARACTERS = 200  # shown before the first cut of a document that was split
DOCUMENT_COLUMNS = ("url", "source", "quality_score", "text")
KEPT = "kept"
PURPOSE = "report"  # of the draw
ACTIONS = (Action.CHANGED, Action.REMOVED, Action.QUARANTINED)

Fate = tuple[str, str, str]  # stage, action, reason
Stages = dict[str, list[Manifest]]  # in the order in which documents meet them


@dataclass
class _Draw:
    """The documents of one fate with the smallest keys so far: (key, id, manifest)."""

    count: int
    chosen: list[tuple[int, str, Manifest]] = field(default_factory=list)

    def add(self, ids: Iterable[str], manifest: Manifest) -> None:
        keyed = ((draw_key(document_id), document_id, manifest) for document_id in ids)
        self.chosen = heapq.nsmallest(self.count, [*self.chosen, *heapq.nsmallest(self.count, keyed, key=_place)], key=_place)


def _place(entry: tuple[int, str, Manifest]) -> tuple[int, str]:
    return entry[:2]


def draw_key(document_id: str) -> int:
    """A number that depends on the id alone; the documents with the smallest ones are shown."""
    return draw_integer(0, PURPOSE, document_id)


def draw_samples(run: str, stages: Stages, count: int) -> list[Sample]:
    """``count`` documents kept to the end, then as many of each fate, in the order of stages, actions and reasons."""
    if not count:
        return []
    places = shard_places(run, stages)
    samples = _kept_samples(run, stages, count)
    draws = _draw_fates(run, stages, count)
    order = {stage: number for number, stage in enumerate(stages)}
    for fate in sorted(draws, key=lambda fate: (order[fate[0]], ACTIONS.index(Action(fate[1])), fate[2])):
        samples += [_fate_sample(run, fate, document_id, manifest, places) for _, document_id, manifest in draws[fate].chosen]
    return samples


def shard_places(run: str, stages: Stages) -> dict[str, Shard]:
    """The documents files of the run by sha256: how a manifest names what its part was made from."""
    return {
        table.sha256: table for manifests in stages.values() for manifest in manifests for table in tables_of(run, manifest, "documents")
    }


def input_tables(manifest: Manifest, places: Mapping[str, Shard]) -> list[Shard]:
    """The documents files that a part was made from, as far as they are in the run."""
    return [places[entry["sha256"]] for entry in manifest.inputs if entry.get("sha256") in places]


def document_facts(
    document_id: str, row: Mapping[str, Any] | None, cuts: Sequence[Span] = (), size: int = EXCERPT_CHARACTERS
) -> DocumentFacts:
    """What the page shows of a document, from its row in a shard (None: it is in no shard of the run)."""
    if row is None:
        return DocumentFacts(document_id)
    excerpt = None if row["text"] is None else make_excerpt(row["text"], cuts, size)
    return DocumentFacts(document_id, row["url"], row["source"], row["quality_score"], excerpt)


def make_excerpt(text: str, cuts: Sequence[Span] = (), size: int = EXCERPT_CHARACTERS) -> Excerpt:
    """At most ``size`` characters: from the beginning, or around the first cut."""
    start = max(0, cuts[0][0] - LEAD_CHARACTERS) if cuts else 0
    end = min(len(text), start + size)
    visible = tuple((max(start, first), min(end, last)) for first, last in cuts if first < end and last > start)
    return Excerpt(text[start:end], start, len(text), visible)


def _kept_samples(run: str, stages: Stages, count: int) -> list[Sample]:
    """Documents of the last stage that writes any."""
    last = next((stage for stage in reversed(stages) if any(tables_of(run, part, "documents") for part in stages[stage])), None)
    if last is None:
        return []
    draw = _Draw(count)
    tables: list[Shard] = []
    for manifest in stages[last]:
        for table in tables_of(run, manifest, "documents"):
            draw.add(read_table(table, ["id"])["id"], manifest)
            tables.append(table)
    ids = [document_id for _, document_id, _ in draw.chosen]
    rows = find_documents(tables, ids, DOCUMENT_COLUMNS)
    return [Sample(last, KEPT, "", {}, document_facts(document_id, rows.get(document_id))) for document_id in ids]


def _draw_fates(run: str, stages: Stages, count: int) -> dict[Fate, _Draw]:
    draws: dict[Fate, _Draw] = {}
    for stage, manifests in stages.items():
        for manifest in manifests:
            for table in tables_of(run, manifest, "ledger"):
                rows = read_table(table, ["id", "action", "reason"])
                for (action, reason), group in rows.group_by("action", "reason"):
                    draws.setdefault((stage, str(action), str(reason)), _Draw(count)).add(group["id"], manifest)
    return draws


def _fate_sample(run: str, fate: Fate, document_id: str, manifest: Manifest, places: Mapping[str, Shard]) -> Sample:
    own = pl.col("id").eq(document_id)
    ledger = [read_table(table, ["detail"], own) for table in tables_of(run, manifest, "ledger")]
    detail: dict[str, Any] = json.loads(pl.concat(ledger)["detail"][0])
    # What a stage changed is shown as it was before; crawl and import read no documents, but write what they changed.
    tables = [*input_tables(manifest, places), *tables_of(run, manifest, "documents")]
    row = find_documents(tables, [document_id], DOCUMENT_COLUMNS).get(document_id)
    cuts = [(int(start), int(end)) for start, end in detail.get("removed", [])]
    document = document_facts(document_id, row, cuts)
    if document.url is None and isinstance(detail.get("url"), str):
        document = DocumentFacts(document_id, detail["url"], document.source, document.quality_score, document.excerpt)
    return Sample(*fate, detail, document)
