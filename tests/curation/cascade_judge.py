"""A judge whose answers can be read off the page: scores by words, needs by number. Workers import it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.cascade import Needed


@dataclass(frozen=True)
class WordJudge:
    """A text scores 0.9 if it holds the word ``harbour``, else 0.1; none of less than five words. All documents need ``asked``."""

    asked: float
    spared: str = "curated"

    def score(self, texts: Sequence[str], url: str | None, document_id: str) -> float | None:
        judged = [text for text in texts if len(text.split()) >= 5]
        return max((0.9 if "harbour" in text else 0.1 for text in judged), default=None)

    def needed(self, document_id: str) -> Needed:
        return Needed(self.asked, {"draw": 1 - self.asked})

    def spares(self, source: str) -> bool:
        return source == self.spared

    def identity(self) -> dict[str, Any]:
        return {"asked": self.asked}
