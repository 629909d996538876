"""Which of several models scores a document: always one that has seen neither it nor any page of its site.

A model trained on raw pages takes those very pages for bad ones, whatever they are, so no document
may be scored by a model that was trained on it. Each model leaves one fold of the sites out; a
document's fold is drawn by its registered domain, or by its own id where it has no address.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from curation.draws import draw_uniform
from curation.ids import names_a_piece
from curation.sources.domains import site_of

PURPOSE = "fold"
CACHED_GROUPS = 1 << 16

Folds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Routing:
    """``by``: site, or document where one site holds nearly all of a class. ``listed``: folds of documents, by id, where both leave
    a class out because there are so few."""

    folds: int = 1
    seed: int = 0
    by: Literal["site", "document"] = "site"
    listed: Mapping[str, int] = field(default_factory=dict)

    def folds_of(self, ids: Sequence[str], urls: Sequence[str | None]) -> Folds:
        """Fold of each document, 0 to ``folds`` - 1."""
        if self.folds == 1:
            return np.zeros(len(ids), np.int64)
        folds = [self._fold(document_id, url) for document_id, url in zip(ids, urls, strict=True)]
        return np.array(folds, np.int64)

    def _fold(self, document_id: str, url: str | None) -> int:
        if self.listed and (fold := self.listed.get(document_id)) is not None:
            return fold
        site = site_of(url) if self.by == "site" else None
        if site is not None:
            return _draw_fold(self.seed, self.folds, f"site {site}")
        whole = document_id.rpartition("#")[0] if names_a_piece(document_id) else document_id
        return int(draw_uniform(self.seed, PURPOSE, f"document {whole}") * self.folds)


@functools.lru_cache(maxsize=CACHED_GROUPS)
def _draw_fold(seed: int, folds: int, group: str) -> int:
    return int(draw_uniform(seed, PURPOSE, group) * folds)


def choose_routing(ids: Sequence[str], urls: Sequence[str | None], positive: npt.NDArray[np.bool_], folds: int, seed: int) -> Routing:
    """The first way to part these documents by which every model has both classes to learn from: by site, by document, by a list.

    Each class must have two documents.
    """
    for routing in (Routing(folds, seed, "site"), Routing(folds, seed, "document")):
        chosen = routing.folds_of(ids, urls)
        if all(positive[chosen != fold].any() and (~positive[chosen != fold]).any() for fold in range(folds)):
            return routing
    ranks = {True: 0, False: 0}
    listed = {}
    for document_id, is_positive in zip(ids, positive.tolist(), strict=True):
        listed[document_id] = ranks[is_positive] % folds
        ranks[is_positive] += 1
    return Routing(folds, seed, "document", listed)
