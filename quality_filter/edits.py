"""What the filter changes in documents: the rules' verdicts on raw ones, and the edits of those that stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from curation.ledger import Action, Reason, ledger_row
from curation.recipe import FilterSettings
from quality_filter.personal_data import replace_personal_data

if TYPE_CHECKING:
    from quality_filter.heuristics.judge import Verdict


def judge_by_rules(documents: pl.DataFrame, curated: Sequence[bool], settings: FilterSettings) -> list[Verdict | None]:
    """A verdict of the recipe's rules on each document, None where it passes as it is; curated ones always do."""
    verdicts: list[Verdict | None] = [None] * len(documents)
    if not settings.rules.families:
        return verdicts
    from quality_filter.heuristics.judge import judge

    raw = [place for place, exempt in enumerate(curated) if not exempt]
    for place, verdict in zip(raw, judge(documents[raw], settings.rules), strict=True):
        verdicts[place] = verdict
    return verdicts


def edit_documents(
    documents: pl.DataFrame, verdicts: Sequence[Verdict | None], settings: FilterSettings
) -> tuple[pl.DataFrame, list[dict[str, str]], dict[str, int]]:
    """The documents that stay, with the rules' cuts and without personal data; a ledger row for each changed one; replacements by kind.

    ``verdicts``: one for each of these documents. A document changed by both has one row, whose
    reason is the cuts.
    """
    texts, ledger, replaced = documents["text"].to_list(), [], Counter[str]()
    for place, (document_id, verdict) in enumerate(zip(documents["id"], verdicts, strict=True)):
        detail: dict[str, Any] = dict(verdict.detail) if verdict is not None else {}
        text = texts[place] if verdict is None or verdict.text is None else verdict.text
        text, counts = replace_personal_data(text or "", settings.personal_data)
        if counts:
            detail["replaced"] = counts
            replaced.update(counts)
        if detail:
            reason = verdict.reason if verdict is not None else Reason.PERSONAL_DATA_REPLACED
            ledger.append(ledger_row(document_id, Action.CHANGED, reason, **detail))
            texts[place] = text
    return documents.with_columns(pl.Series("text", texts, pl.String)), ledger, dict(sorted(replaced.items()))
