"""Pages that the filter will remove whatever their text turns out to be, found before they are extracted expensively.

A cheap extraction gives a draft of the text, whose language and quality score are close to those of the
text. The draw of GPT-3's rule depends on seed and id alone, so the score that a document needs is known
before its text is. Where the draft's score is below it by more than a margin, the page is not extracted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from curation.extraction.draft import PageDraft
from curation.language import load_identifier, shortest_code
from curation.ledger import Reason
from curation.recipe import CrawlSettings

CERTAIN_LANGUAGE = 0.9  # our choice: a draft is in another language only if that is as certain as this


@dataclass(frozen=True)
class Needed:
    """The lowest score with which a document may be kept, and the numbers that it comes from, for the ledger."""

    score: float
    detail: Mapping[str, Any]


class PageJudge(Protocol):
    """What the filter will do, as far as it is known before it runs. Picklable; loads its model where it is used."""

    def score(self, texts: Sequence[str], url: str | None, document_id: str) -> float | None:
        """The highest quality score of several texts of a document, 0 to 1; None if all are too short to be judged."""
        ...

    def needed(self, document_id: str) -> Needed:
        """What the keep rule asks of a document."""
        ...

    def spares(self, source: str) -> bool:
        """Whether documents of a source are kept whatever their score."""
        ...

    def identity(self) -> dict[str, Any]:
        """Everything that the answers depend on, as JSON, for the fingerprint."""
        ...


def why_unreachable(
    draft: PageDraft, url: str | None, document_id: str, settings: CrawlSettings, judge: PageJudge
) -> tuple[Reason, dict[str, Any]] | None:
    """The reason and the measured values for a page that cannot reach what is asked; None for one worth its extraction."""
    if settings.languages:
        language = load_identifier(settings.language_model).identify(draft.main or draft.whole)
        if language.score >= CERTAIN_LANGUAGE and language.code not in map(shortest_code, settings.languages):
            measured = {"language": language.code, "language_score": language.score, "languages": settings.languages}
            return Reason.OTHER_LANGUAGE, {**measured, "text": "draft"}
    needed = judge.needed(document_id)
    score = judge.score(draft.views(), url, document_id)
    if score is not None and score + settings.cascade.margin < needed.score:
        return Reason.UNREACHABLE_QUALITY, {"score": score, "margin": settings.cascade.margin, "needed": needed.score, **needed.detail}
    return None
