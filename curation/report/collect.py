"""From a run folder to ``RunFacts``: manifests, ledgers and published files, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation import storage
from curation.explain import finished_stages
from curation.finished import committed_manifests, is_current, read_stage_file
from curation.ledger import Action, Counts, Reason
from curation.recipe import ReportSettings
from curation.report.committed import find_documents, read_published
from curation.report.facts import (
    Cluster,
    ClusterFacts,
    Duplicate,
    OverlapFacts,
    RunFacts,
    ScoreFacts,
    StageFacts,
    TokenFacts,
)
from curation.report.samples import DOCUMENT_COLUMNS, Stages, document_facts, draw_samples, input_tables, shard_places
from curation.report.training import read_training
from curation.shards import Manifest
from curation.tables import read_table, tables_of

SHOWN_CLUSTERS = 10  # of the largest, with their texts
CLUSTER_EXCERPT = 300  # characters: enough to see what the copies are
SIMILARITY_BINS = 50


def collect(run: str, settings: ReportSettings) -> RunFacts:
    """What the run has committed so far.

    Raises:
        InputError: no stage has finished there.
        IntegrityError: a committed file is damaged or missing.
    """
    stages = {stage: committed_manifests(run, stage) for stage in finished_stages(run)}
    return RunFacts(
        stages=[_stage_facts(run, stage, manifests) for stage, manifests in stages.items()],
        scores=_score_facts(run, stages.get("filter", [])),
        clusters=_cluster_facts(run, stages),
        overlap=_overlap_facts(run) if "decontaminate" in stages else None,
        tokens=_token_facts(stages.get("tokenize", [])),
        training=read_training(run),
        samples=draw_samples(run, stages, settings.samples),
    )


def _stage_facts(run: str, stage: str, manifests: Sequence[Manifest]) -> StageFacts:
    tables = [file for manifest in manifests for file in manifest.files if file.name.startswith(f"{stage}/documents/")]
    finished = read_stage_file(run, stage) or {}
    return StageFacts(
        stage,
        sum((manifest.counts for manifest in manifests), Counts()),
        _changed_by_reason(run, manifests),
        sum(file.rows for file in tables) if tables else None,
        finished.get("failures", []),
        not is_current(run, stage),
    )


def _changed_by_reason(run: str, manifests: Sequence[Manifest]) -> Counter[str]:
    """Changed documents by reason, which manifests count together."""
    changed: Counter[str] = Counter()
    for manifest in manifests:
        for table in tables_of(run, manifest, "ledger") if manifest.counts.changed else ():
            rows = read_table(table, ["reason"], pl.col("action") == Action.CHANGED.value)
            changed.update(dict(rows["reason"].value_counts().iter_rows()))
    return changed


def _score_facts(run: str, manifests: Sequence[Manifest]) -> ScoreFacts | None:
    histograms = [manifest.statistics["score_histograms"] for manifest in manifests if "score_histograms" in manifest.statistics]
    if not histograms:
        return None
    totals = {name: np.sum([histogram[name] for histogram in histograms], axis=0).tolist() for name in ("kept", "removed", "curated")}
    return ScoreFacts(**totals, card=read_published(run, "filter/model-card.json"))


def _cluster_facts(run: str, stages: Stages) -> ClusterFacts | None:
    summary = read_published(run, "dedup/clusters.json") if "dedup" in stages else None
    if summary is None:
        return None
    sizes, similarities = _duplicates(run, stages["dedup"])
    return ClusterFacts(
        documents=summary["documents"],
        removed_exact=summary["removed_exact"],
        removed_near=summary["removed_near"],
        clusters=summary["clusters"],
        # Every removed member of a cluster has a ledger row with the size of the whole cluster.
        sizes={size: members // (size - 1) for size, members in sorted(sizes.items())},
        similarities=similarities.tolist(),
        largest=_largest_clusters(run, stages, summary["largest"][:SHOWN_CLUSTERS]),
    )


def _duplicates(run: str, manifests: Sequence[Manifest]) -> tuple[Counter[int], npt.NDArray[np.int64]]:
    """Removed documents by the size of their cluster, and near duplicates by similarity, in equal bins from 0 to 1."""
    sizes: Counter[int] = Counter()
    similarities = np.zeros(SIMILARITY_BINS, np.int64)
    removed = pl.col("reason").is_in([Reason.EXACT_DUPLICATE.value, Reason.NEAR_DUPLICATE.value])
    for manifest in manifests:
        for table in tables_of(run, manifest, "ledger"):
            rows = read_table(table, ["reason", "detail"], removed).select(
                "reason",
                size=pl.col("detail").str.json_path_match("$.cluster_size").cast(pl.Int64),
                similarity=pl.col("detail").str.json_path_match("$.similarity").cast(pl.Float64),
            )
            sizes.update(dict(rows["size"].value_counts().iter_rows()))
            near = rows.filter(pl.col("reason") == Reason.NEAR_DUPLICATE.value)["similarity"]
            similarities += np.histogram(near.to_numpy(), SIMILARITY_BINS, (0.0, 1.0))[0]
    return sizes, similarities


def _largest_clusters(run: str, stages: Stages, clusters: Sequence[Mapping[str, Any]]) -> list[Cluster]:
    places = shard_places(run, stages)
    tables = [table for manifest in stages["dedup"] for table in input_tables(manifest, places)]
    ids = [document_id for cluster in clusters for document_id in (cluster["survivor"], *(one["id"] for one in cluster["duplicates"]))]
    rows = find_documents(tables, ids, DOCUMENT_COLUMNS)
    return [
        Cluster(
            document_facts(cluster["survivor"], rows.get(cluster["survivor"]), size=CLUSTER_EXCERPT),
            cluster["size"],
            [
                Duplicate(document_facts(one["id"], rows.get(one["id"]), size=CLUSTER_EXCERPT), one["kind"], one["similarity"])
                for one in cluster["duplicates"]
            ],
        )
        for cluster in clusters
    ]


def _overlap_facts(run: str) -> OverlapFacts | None:
    rows = read_published(run, "contamination/report.json")
    return None if rows is None else OverlapFacts(rows, storage.exists(storage.join(run, "contamination", "report.html")))


def _token_facts(manifests: Sequence[Manifest]) -> list[TokenFacts]:
    totals: dict[tuple[str, str], Counter[str]] = {}
    for manifest in manifests:
        for source, splits in manifest.statistics.get("sources", {}).items():
            for split, counts in splits.items():
                totals.setdefault((source, split), Counter()).update(counts)
    return [
        TokenFacts(source, split, counts["documents"], counts["tokens"], counts["text_bytes"])
        for (source, split), counts in sorted(totals.items())
    ]
