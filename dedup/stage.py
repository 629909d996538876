"""The dedup stage: every document that equals or closely resembles a better copy is removed.

``prepare`` decides for the whole corpus, with memory for one part of it at a time and ten bytes a
document; ``process`` applies the decisions. What needs numba is imported where it is used.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from curation import storage
from curation.errors import InputError
from curation.ledger import Action, Reason, ledger_row
from curation.recipe import DedupSettings
from curation.shards import canonical_json, frame_to_parquet
from curation.stage import Corpus, Outcome, Prepared

if TYPE_CHECKING:
    from dedup.sketches import LinkedRows, ShardWork

DECISIONS_FILE = "decisions.parquet"
CLUSTERS_FILE = "dedup/clusters.json"
PART_DOCUMENTS = 4_000_000  # documents whose keys are sorted together: some 300 MB of memory
BATCH_COST = 16_000_000  # shingles compared in one worker, 8 bytes each
MEMBER_COST = 256  # what a member takes beside its shingles, in shingles
MAX_DOCUMENTS = 1 << 32  # documents are numbered with 32 bits
LARGEST_CLUSTERS = 100  # clusters that clusters.json tells of
LISTED_DUPLICATES = 10  # duplicates that it names of each
SIMILARITY_DIGITS = 6


class DedupStage:
    """Exact and fuzzy deduplication: MinHash, LSH, and a Jaccard similarity measured before any removal."""

    name: ClassVar[str] = "dedup"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("datasketch",)  # draws the permutations; the rest is integer arithmetic of our own
    writes_documents: ClassVar[bool] = True

    def __init__(self, settings: DedupSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def resources(self) -> list[str]:
        """No files beside the documents."""
        return []

    def prepare(self, corpus: Corpus) -> Prepared:
        """Commit the decision on every document that is removed, and publish the largest clusters."""
        from dedup.bands import choose_bands
        from dedup.shingles import permutations
        from dedup.sketches import ShardWork, Sketching, sketch_shard

        total = sum(shard.rows for shard in corpus.shards)
        if total >= MAX_DOCUMENTS:
            raise InputError(f"{total} documents are more than one run deduplicates ({MAX_DOCUMENTS - 1}); split the corpus")
        bands, rows = choose_bands(self.settings.threshold, self.settings.permutations)
        firsts = np.cumsum([0, *(shard.rows for shard in corpus.shards)])
        scratch = corpus.scratch()
        works = [ShardWork(shard, int(firsts[i]), f"{scratch}/shard-{i:05}") for i, shard in enumerate(corpus.shards)]

        sketching = Sketching(self.settings.ngram_words, *permutations(self.settings.permutations, self.seed), bands, rows)
        corpus.progress(f"sketching {total} documents: {bands} bands of {rows} rows")
        shingled = sum(corpus.map(functools.partial(sketch_shard, sketching), works))
        corpus.progress("linking documents with equal text or equal bands")
        parents, representatives = _link(corpus, works, total, bands, scratch)
        corpus.progress("comparing linked documents")
        decisions = self._decide(corpus, works, parents, representatives)

        corpus.commit(DECISIONS_FILE, frame_to_parquet(decisions))
        corpus.publish(CLUSTERS_FILE, canonical_json(summarise_clusters(decisions, total)))
        values = {"bands": bands, "rows": rows, "documents": total, "documents_with_shingles": shingled, "removed": len(decisions)}
        return Prepared(corpus.folder, values)

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Remove the duplicates among the documents of one shard."""
        decisions = _read_decisions(prepared.folder, prepared.version)
        removed = documents.select("id").join(decisions, on="id", how="inner", maintain_order="left")
        ledger = [
            ledger_row(
                row["id"],
                Action.REMOVED,
                Reason.EXACT_DUPLICATE if row["kind"] == "exact" else Reason.NEAR_DUPLICATE,
                duplicate_of=row["duplicate_of"],
                similarity=row["similarity"],
                cluster_size=row["cluster_size"],
                band=row["band"],
            )
            for row in removed.iter_rows(named=True)
        ]
        return Outcome(documents.join(decisions, on="id", how="anti", maintain_order="left"), ledger)

    def _decide(
        self, corpus: Corpus, works: list[ShardWork], parents: npt.NDArray[np.uint32], representatives: npt.NDArray[np.bool_]
    ) -> pl.DataFrame:
        from dedup.clusters import DECISIONS
        from dedup.sketches import decide_batch, gather_shard

        gathering = list(_gathering(works, parents, representatives))
        folders_of_batch: dict[int, list[str]] = {}
        gather = functools.partial(gather_shard, self.settings.ngram_words)
        for linked, present in zip(gathering, corpus.map(gather, gathering), strict=True):
            for batch in present:
                folders_of_batch.setdefault(batch, []).append(linked.work.folder)
        decide = functools.partial(decide_batch, self.settings.threshold, self.settings.source_priority)
        frames = list(corpus.map(decide, sorted(folders_of_batch.items())))
        decisions: pl.DataFrame = pl.concat([pl.DataFrame(schema=DECISIONS), *frames]).sort("id")
        return decisions.with_columns(pl.col("similarity").round(SIMILARITY_DIGITS))


def _link(
    corpus: Corpus, works: list[ShardWork], total: int, bands: int, scratch: str
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Union-find over all documents, and which of them are the first copy of their text.

    Equal texts are linked first; of each only the first copy is then looked up by its bands, so a
    million copies of one page cost a million links and no more.
    """
    from dedup.links import unite
    from dedup.sketches import EXACT, link_part

    parts = -(-total // PART_DOCUMENTS) or 1
    parents = np.arange(total, dtype=np.uint32)
    representatives = np.ones(total, bool)
    exact = functools.partial(link_part, works, parts, None)
    for leaders, followers in corpus.map(exact, [(EXACT, part) for part in range(parts)]) if works else ():
        unite(parents, leaders, followers)
        representatives[followers] = False
    mask = f"{scratch}/representatives.npy"
    np.save(mask, representatives)
    banded = functools.partial(link_part, works, parts, mask)
    for leaders, followers in corpus.map(banded, [(band, part) for band in range(bands) for part in range(parts)]) if works else ():
        unite(parents, leaders, followers)
    return parents, representatives


def _gathering(works: list[ShardWork], parents: npt.NDArray[np.uint32], representatives: npt.NDArray[np.bool_]) -> Iterator[LinkedRows]:
    """The linked documents of each shard that has any, parted into batches of whole components."""
    from dedup.links import batches, flatten
    from dedup.sketches import LinkedRows

    members = np.flatnonzero(flatten(parents))
    if not len(members):
        return
    firsts = np.array([work.first for work in works] + [len(parents)])
    cuts = np.searchsorted(members, firsts)
    costs = np.full(len(members), MEMBER_COST, np.int64)
    for work, start, stop in zip(works, cuts[:-1], cuts[1:], strict=True):
        words = np.load(Path(work.folder) / "counts.npy", mmap_mode="r")
        costs[start:stop] += words[members[start:stop] - work.first] * representatives[members[start:stop]]
    batch = batches(parents[members], costs, BATCH_COST)
    for work, start, stop in zip(works, cuts[:-1], cuts[1:], strict=True):
        if start < stop:
            rows = members[start:stop]
            yield LinkedRows(work, rows - work.first, batch[start:stop], representatives[rows])


@functools.lru_cache(maxsize=1)
def _read_decisions(folder: str, version: str) -> pl.DataFrame:
    """The committed decisions; kept for the next shard (``version`` is their digest)."""
    return pl.read_parquet(io.BytesIO(storage.read_bytes(storage.join(folder, DECISIONS_FILE))))


def summarise_clusters(decisions: pl.DataFrame, documents: int) -> dict[str, Any]:
    """Counts and the largest clusters, each with its survivor and its first duplicates by id, for the report."""
    sizes = decisions.select("duplicate_of", "cluster_size").unique().sort("cluster_size", "duplicate_of", descending=[True, False])
    largest = sizes.head(LARGEST_CLUSTERS)
    listed = (
        decisions.join(largest.select("duplicate_of"), on="duplicate_of", how="semi")
        .sort("duplicate_of", "id")
        .group_by("duplicate_of", maintain_order=True)
        .head(LISTED_DUPLICATES)
    )
    duplicates: dict[str, list[dict[str, Any]]] = {}
    for row in listed.iter_rows(named=True):
        duplicates.setdefault(row["duplicate_of"], []).append({"id": row["id"], "kind": row["kind"], "similarity": row["similarity"]})
    return {
        "documents": documents,
        "removed": len(decisions),
        "removed_exact": int((decisions["kind"] == "exact").sum()),
        "removed_near": int((decisions["kind"] == "near").sum()),
        "clusters": len(sizes),
        "largest": [
            {"survivor": row["duplicate_of"], "size": row["cluster_size"], "duplicates": duplicates[row["duplicate_of"]]}
            for row in largest.iter_rows(named=True)
        ],
    }
