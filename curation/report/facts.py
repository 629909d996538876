"""What the page tells, as plain values: collected once from a run, then only rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.ledger import Counts

Span = tuple[int, int]  # characters, start inclusive, end exclusive


@dataclass(frozen=True)
class StageFacts:
    """One finished stage. ``documents_out``: rows that it committed, pieces included; None where it writes no documents."""

    name: str
    counts: Counts
    changed: Mapping[str, int]  # by reason
    documents_out: int | None
    failures: list[dict[str, str]]
    outdated: bool = False  # a stage before it has been made anew since


@dataclass(frozen=True)
class ScoreFacts:
    """Documents by quality score, in bins of equal width from 0 to 1, and the card of the classifier."""

    kept: list[int]
    removed: list[int]
    curated: list[int]
    card: Mapping[str, Any] | None


@dataclass(frozen=True)
class Excerpt:
    """A part of a text. ``start``: where it begins; ``length``: characters of the whole text; ``cuts``: what was removed of it.

    Places are those in the whole text; cuts lie within the excerpt, in order and apart.
    """

    text: str
    start: int
    length: int
    cuts: tuple[Span, ...] = ()


@dataclass(frozen=True)
class DocumentFacts:
    """A document that the page shows; ``excerpt`` is None where the run holds no text of it."""

    id: str
    url: str | None = None
    source: str | None = None
    quality_score: float | None = None
    excerpt: Excerpt | None = None


@dataclass(frozen=True)
class Duplicate:
    """A member of a cluster that was removed."""

    document: DocumentFacts
    kind: str
    similarity: float


@dataclass(frozen=True)
class Cluster:
    """One surviving document and the first of those removed in its favour; ``size`` counts all of them and the survivor."""

    survivor: DocumentFacts
    size: int
    duplicates: list[Duplicate]


@dataclass(frozen=True)
class ClusterFacts:
    """All clusters in numbers, and the largest ones. ``sizes``: cluster size to number of clusters.

    ``similarities``: near duplicates by their similarity, in bins of equal width from 0 to 1.
    """

    documents: int
    removed_exact: int
    removed_near: int
    clusters: int
    sizes: Mapping[int, int]
    similarities: list[int]
    largest: list[Cluster]


@dataclass(frozen=True)
class OverlapFacts:
    """Rows of the benchmark report; ``page``: whether the stage's own page lies beside this one."""

    rows: list[Mapping[str, Any]]
    page: bool


@dataclass(frozen=True)
class TokenFacts:
    """Tokens of one source and split, from documents of ``text_bytes`` bytes of UTF-8."""

    source: str
    split: str
    documents: int
    tokens: int
    text_bytes: int


@dataclass(frozen=True)
class Curve:
    """Points of one quantity over training tokens."""

    name: str
    tokens: list[float]
    values: list[float]


@dataclass(frozen=True)
class TrainingFacts:
    """A training run. ``averaged``: steps that one point of the training curves stands for."""

    config: Mapping[str, Any]
    finished: bool
    outdated: bool  # made from other tokens than those that the run now holds
    loss: Curve
    validation: Curve
    validation_by_source: list[Curve]
    learning_rate: Curve
    gradient_norm: Curve
    bits_per_byte: float | None
    averaged: int
    sample: str | None


@dataclass(frozen=True)
class Sample:
    """A document with its fate: what a stage did with it and why; ``reason`` is empty for documents kept to the end."""

    stage: str
    action: str
    reason: str
    detail: Mapping[str, Any]
    document: DocumentFacts


@dataclass(frozen=True)
class RunFacts:
    """Everything the page tells of a run; what the run does not hold is None or empty."""

    stages: list[StageFacts]
    scores: ScoreFacts | None = None
    clusters: ClusterFacts | None = None
    overlap: OverlapFacts | None = None
    tokens: list[TokenFacts] = field(default_factory=list)
    training: TrainingFacts | None = None
    samples: list[Sample] = field(default_factory=list)
