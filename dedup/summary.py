"""Clusters in figures: counts, and the largest ones with samples; made batch by batch and added up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curation import storage
from curation.errors import InputError
from curation.finished import read_stage_file

CLUSTERS_FILE = "dedup/clusters.json"  # below the run
LARGEST_CLUSTERS = 100  # clusters that clusters.json tells of
LISTED_DUPLICATES = 10  # duplicates that it names of each
SIMILARITY_DIGITS = 6


@dataclass
class Summary:
    """Clusters of some components; a cluster is a survivor and the documents removed in its favour."""

    removed: Counter[str] = field(default_factory=Counter)  # by kind
    clusters: int = 0
    largest: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Take over the clusters of other components."""
        self.removed += other.removed
        self.clusters += other.clusters
        self.largest = sorted(self.largest + other.largest, key=lambda cluster: (-cluster["size"], cluster["survivor"]))[:LARGEST_CLUSTERS]

    def to_json(self, documents: int) -> dict[str, Any]:
        """The form that clusters.json holds."""
        return {
            "documents": documents,
            "removed": self.removed.total(),
            "removed_exact": self.removed["exact"],
            "removed_near": self.removed["near"],
            "removed_address": self.removed["address"],
            "clusters": self.clusters,
            "largest": self.largest,
        }


def summarise(decisions: pl.DataFrame) -> Summary:
    """Summary of the decisions (``dedup.clusters.DECISIONS``) on whole clusters."""
    clusters = decisions.select("duplicate_of", "cluster_size", "survivor_excerpt", "indexed").unique("duplicate_of")
    largest = clusters.sort("cluster_size", "duplicate_of", descending=[True, False]).head(LARGEST_CLUSTERS)
    listed = (
        decisions.join(largest.select("duplicate_of"), on="duplicate_of", how="semi")
        .sort("duplicate_of", "id")
        .group_by("duplicate_of", maintain_order=True)
        .head(LISTED_DUPLICATES)
    )
    duplicates: dict[str, list[dict[str, Any]]] = {}
    for row in listed.iter_rows(named=True):
        similarity = None if row["similarity"] is None else round(row["similarity"], SIMILARITY_DIGITS)
        sample = {"id": row["id"], "kind": row["kind"], "similarity": similarity, "excerpt": row["excerpt"]}
        duplicates.setdefault(row["duplicate_of"], []).append(sample)
    return Summary(
        Counter(decisions["kind"].to_list()),
        len(clusters),
        [
            {
                "survivor": row["duplicate_of"],
                "size": row["cluster_size"],
                "indexed": row["indexed"],
                "excerpt": row["survivor_excerpt"],
                "duplicates": duplicates[row["duplicate_of"]],
            }
            for row in largest.iter_rows(named=True)
        ],
    )


def read_clusters(run: str) -> dict[str, Any]:
    """The published summary of a run.

    Raises:
        InputError: dedup has not finished there.
    """
    path = storage.join(run, CLUSTERS_FILE)
    if read_stage_file(run, "dedup") is None or not storage.exists(path):
        raise InputError(f"{storage.join(run, 'dedup')} holds no finished output; run python cli.py dedup --run {run} first")
    summary: dict[str, Any] = json.loads(storage.read_bytes(path))
    return summary


def cluster_lines(summary: dict[str, Any], limit: int) -> list[str]:
    """The largest clusters of a clusters.json as text: survivor, size, and samples."""
    lines = [
        f"{summary['documents']:,} documents, {summary['removed']:,} removed in favour of {summary['clusters']:,} survivors: "
        f"{summary['removed_exact']:,} exact, {summary['removed_near']:,} near, {summary['removed_address']:,} of the same address"
    ]
    for number, cluster in enumerate(summary["largest"][:limit], 1):
        where = " (in the index)" if cluster["indexed"] else ""
        lines += ["", f"{number}. {cluster['size']:,} documents, survivor {cluster['survivor']}{where}", f"   {_line(cluster['excerpt'])}"]
        for duplicate in cluster["duplicates"]:
            similarity = "" if duplicate["similarity"] is None else f" {duplicate['similarity']:.3f}"
            lines.append(f"   - {duplicate['id']} ({duplicate['kind']}{similarity}): {_line(duplicate['excerpt'])}")
        unlisted = cluster["size"] - 1 - len(cluster["duplicates"])
        if unlisted:
            lines.append(f"   - and {unlisted:,} more")
    return lines


def _line(excerpt: str | None) -> str:
    """An excerpt on one line, safe for a terminal."""
    return "".join(character if character.isprintable() else " " for character in " ".join((excerpt or "").split()))
