"""The dedup stage: every document that equals or closely resembles a better copy is removed.

``prepare`` decides for the whole corpus, with memory for one part of it at a time and five bytes a
document; ``process`` applies the decisions on its shard. What needs numba is imported where it is used.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.errors import InputError
from curation.ledger import Action, Reason, ledger_row
from curation.recipe import DedupSettings
from curation.shards import canonical_json
from curation.stage import Corpus, Outcome, Prepared
from dedup.decisions import Decided, read_decisions
from dedup.index import IndexView, begin_segment, check_segment, commit_segment
from dedup.presets import Method, resolve
from dedup.summary import CLUSTERS_FILE

if TYPE_CHECKING:
    from dedup.sketches import ShardWork, Sketch, Sketching

PART_DOCUMENTS = 2_000_000  # documents whose keys are sorted together: some 200 MB of memory
MAX_DOCUMENTS = 1 << 32  # documents are numbered with 32 bits
REASONS = {"exact": Reason.EXACT_DUPLICATE, "near": Reason.NEAR_DUPLICATE, "address": Reason.SAME_ADDRESS}


class DedupStage:
    """Exact and fuzzy deduplication: MinHash, LSH, and a similarity verified before any removal."""

    name: ClassVar[str] = "dedup"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ()  # integer arithmetic of our own
    writes_documents: ClassVar[bool] = True

    def __init__(self, settings: DedupSettings, seed: int, index: IndexView | None = None) -> None:
        self.settings = settings
        self.seed = seed
        self.index = index

    def resources(self) -> list[str]:
        """What is seen of the index."""
        return self.index.resources() if self.index else []

    def prepare(self, corpus: Corpus) -> Prepared:
        """Commit the decision on every document that is removed, publish the largest clusters, add to the index."""
        method = resolve(self.settings)
        scratch = corpus.scratch()
        sketching, sketches, works, shingled = self._sketch(corpus, method, scratch)
        decided = Decided(corpus, works)
        keep = self._decide_addresses(corpus, sketches, decided)
        corpus.progress("linking documents with equal text or equal bands")
        parents, representatives = _link(corpus, method, sketches, keep, scratch)
        corpus.progress("comparing linked documents")
        self._decide(corpus, method, sketching, sketches, works, parents, representatives, decided, scratch)
        decided.commit()
        documents = sum(work.sketch.documents for work in works)
        corpus.publish(CLUSTERS_FILE, canonical_json(decided.summary.to_json(documents)))
        if self.index and not self.index.is_written():
            _add_to_index(corpus, self.index, sketching, works)
        values = {
            "ngram_words": method.ngram_words,
            "threshold": method.threshold,
            "permutations": method.permutations,
            "bands": method.bands,
            "rows": method.rows,
            "documents": documents,
            "documents_with_shingles": shingled,
            "removed": decided.summary.removed.total(),
        }
        return Prepared(corpus.folder, values)

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Remove the duplicates among the documents of one shard."""
        decisions = read_decisions(prepared.folder, prepared.shard)
        removed = documents.select("id").join(decisions, on="id", how="inner", maintain_order="left")
        ledger = [_to_ledger(row) for row in removed.iter_rows(named=True)]
        return Outcome(documents.join(decisions, on="id", how="anti", maintain_order="left"), ledger)

    def _sketch(self, corpus: Corpus, method: Method, scratch: str) -> tuple[Sketching, list[Sketch], list[ShardWork], int]:
        """Sketches of the index and of all shards, the shards' work, and how many documents have shingles."""
        from dedup.bands import error_integrals
        from dedup.permutations import draw_permutations
        from dedup.segments import index_sketches
        from dedup.sketches import ShardWork, Sketch, Sketching, sketch_shard

        sketches: list[Sketch] = []
        if self.index:
            checked = sum(corpus.map(functools.partial(check_segment, self.index.folder), self.index.segments))
            corpus.progress(f"the index holds {checked:,} documents in {len(self.index.segments)} segments, all intact")
            sketches = index_sketches(self.index)
        first = sum(sketch.documents for sketch in sketches)
        works = []
        for number, shard in enumerate(corpus.shards):
            works.append(ShardWork(shard, Sketch(f"{scratch}/shard-{number:05}", first, shard.rows)))
            first += shard.rows
        if first >= MAX_DOCUMENTS:
            raise InputError(f"{first} documents are more than one run deduplicates ({MAX_DOCUMENTS - 1}); split the corpus")
        sketching = Sketching(
            method.ngram_words,
            *draw_permutations(method.permutations, self.seed),
            method.bands,
            method.rows,
            method.estimated,
            self.settings.addresses != "all",
        )
        positives, negatives = error_integrals(method.threshold, method.bands, method.rows)
        corpus.progress(
            f"sketching {sum(shard.rows for shard in corpus.shards):,} documents: {method.bands} bands of {method.rows} rows for threshold "
            f"{method.threshold:g}; integrals: {positives:.4f} false candidates, {negatives:.4f} missed"
        )
        if method.estimated:
            corpus.progress(f"similarities are estimated from signatures, standard error {method.standard_error:.3f} at the threshold")
        shingled = sum(corpus.map(functools.partial(sketch_shard, sketching), works))
        return sketching, sketches + [work.sketch for work in works], works, shingled

    def _decide_addresses(self, corpus: Corpus, sketches: list[Sketch], decided: Decided) -> npt.NDArray[np.bool_]:
        """Which documents are left when of each address the newest or best is kept."""
        from dedup.addresses import decide_addresses

        total = _total(sketches)
        keep = np.ones(total, bool)
        if self.settings.addresses == "all" or not total:
            return keep
        corpus.progress(f"keeping the {self.settings.addresses} document of each address")
        parts = _parts(total)
        decide = functools.partial(decide_addresses, sketches, parts, self.settings.addresses, self.settings.source_priority)
        for frame, summary, numbers in corpus.map(decide, range(parts)):
            keep[numbers] = False
            decided.add(frame, summary)
        return keep

    def _decide(
        self, corpus: Corpus, method: Method, sketching: Sketching, sketches: list[Sketch], works: list[ShardWork],
        parents: npt.NDArray[np.uint32], representatives: npt.NDArray[np.bool_], decided: Decided, scratch: str,
    ) -> None:  # fmt: skip
        """Decide on all components of linked documents."""
        from dedup.members import decide_batch, gather_shard, linked_rows

        places = {sketch.first: number for number, sketch in enumerate(sketches) if sketch.documents}
        linked = ((places[rows.sketch.first], rows) for rows in linked_rows(sketches, works, parents, representatives))
        indexed = sum(sketch.indexed for sketch in sketches)
        present: dict[int, list[int]] = {}
        sent: list[int] = []
        gathered = corpus.map(functools.partial(gather_shard, sketching, scratch, indexed), _noting(linked, sent))
        for place, batches in enumerate(gathered):
            for batch in batches:
                present.setdefault(batch, []).append(sent[place])
        decide = functools.partial(decide_batch, scratch, sketches, method.threshold, self.settings.source_priority, method.estimated)
        for frame, summary in corpus.map(decide, sorted(present.items())):
            decided.add(frame, summary)


def _link(
    corpus: Corpus, method: Method, sketches: list[Sketch], keep: npt.NDArray[np.bool_], scratch: str
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Union-find over all documents, and which of them are the first copy of their text.

    Equal texts are linked first; of each only the first copy is then looked up by its bands, so a
    million copies of one page cost a million links and no more.
    """
    from dedup.candidates import agreement_for, link_equal_texts, link_look_alikes
    from dedup.links import unite

    total = _total(sketches)
    parents = np.arange(total, dtype=np.uint32)
    if not total:
        return parents, keep
    parts = _parts(total)
    mask = f"{scratch}/keep.npy"
    np.save(mask, keep)
    for leaders, followers in corpus.map(functools.partial(link_equal_texts, sketches, parts, mask), range(parts)):
        unite(parents, leaders, followers)
        keep[followers] = False
    np.save(mask, keep)
    items = [(band, part) for band in range(method.bands) for part in range(parts)]
    for leaders, followers in corpus.map(functools.partial(link_look_alikes, sketches, parts, mask, agreement_for(method)), items):
        unite(parents, leaders, followers)
    return parents, keep


def _add_to_index(corpus: Corpus, index: IndexView, sketching: Sketching, works: list[ShardWork]) -> None:
    """Write the documents that stay as a new segment of the index."""
    from dedup.segments import write_part

    corpus.progress(f"adding what stays to {index.folder}")
    segment = begin_segment(index)
    written = list(corpus.map(functools.partial(write_part, sketching, str(segment), corpus.folder), enumerate(works)))
    commit_segment(index, segment, [part for part, _ in written], [file for _, files in written for file in files])


def _to_ledger(row: dict[str, Any]) -> dict[str, str]:
    detail = {key: row[key] for key in ("duplicate_of", "similarity", "cluster_size", "band")}
    if row["indexed"]:
        detail["indexed"] = True
    return ledger_row(row["id"], Action.REMOVED, REASONS[row["kind"]], **detail)


def _total(sketches: list[Sketch]) -> int:
    return sum(sketch.documents for sketch in sketches)


def _parts(total: int) -> int:
    return -(-total // PART_DOCUMENTS)


def _noting(items: Iterable[tuple[int, Any]], sent: list[int]) -> Iterable[tuple[int, Any]]:
    """The items, whose numbers are noted as they are taken."""
    for item in items:
        sent.append(item[0])
        yield item
