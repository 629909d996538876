"""Rules of thumb applied to documents, in batches: which are removed and why, and which lose lines.

Families follow in a stated order (``curation.recipe_rules.RULE_SECTIONS``). Each sees what the one
before has left: a document that fails is not looked at again, and one that lost lines is judged
without them, as in the pipelines that these rules come from. Imports numba: import this module
where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from curation.ledger import Reason
from curation.recipe_rules import RuleSettings
from quality_filter.heuristics import c4, fineweb, gopher_quality, gopher_repetition, lines, url
from quality_filter.heuristics.batch import Batch, split_batches
from quality_filter.heuristics.rules import BoolArray, Family, FloatArray

FAMILIES: dict[str, Family] = {
    module.FAMILY.section: module.FAMILY for module in (url, gopher_repetition, gopher_quality, lines, c4, fineweb)
}
DIGITS = 6  # of a value in the ledger


@dataclass(frozen=True)
class Verdict:
    """What the rules decided about a document that does not simply pass.

    ``text``: None if it is removed, else what is left of its text. ``detail``: JSON-serialisable; for
    a removed one ``value`` and ``limit`` of the first rule that failed, and under ``also`` the values
    of the other failed rules of that family; for a changed one ``lines`` cut by family and cause.
    """

    reason: Reason
    detail: dict[str, Any]
    text: str | None = None


@dataclass(frozen=True)
class RuleValue:
    """A document's value beside the limit of a rule."""

    rule: str
    value: float
    limit: float
    passes: bool


def judge(documents: pl.DataFrame, settings: RuleSettings) -> list[Verdict | None]:
    """One verdict a document (columns ``text`` and ``url``), None where it passes as it is."""
    texts = [text or "" for text in documents["text"]]
    urls = [address or "" for address in documents["url"]]
    return judge_texts(texts, urls, settings)


def judge_texts(texts: Sequence[str], urls: Sequence[str], settings: RuleSettings) -> list[Verdict | None]:
    """As ``judge``, of texts and their addresses, "" where there is none."""
    verdicts: list[Verdict | None] = []
    for first, end in split_batches([len(text) for text in texts]):
        run = _Run(list(texts[first:end]), list(urls[first:end]), settings)
        for name in settings.families:
            run.apply(FAMILIES[name])
        verdicts += run.verdicts()
    return verdicts


class _Run:
    """A batch on its way through the families."""

    def __init__(self, texts: list[str], urls: list[str], settings: RuleSettings) -> None:
        self.settings = settings
        self.texts = texts
        self.urls = urls
        self.failures: dict[int, Verdict] = {}
        self.changes: dict[int, dict[str, Any]] = {}
        self._gather()

    def _gather(self) -> None:
        """Make a batch of the documents that no rule has removed; an empty one is removed here."""
        for place, text in enumerate(self.texts):
            if not text and place not in self.failures:
                reason = Reason.NO_LINE_LEFT if place in self.changes else Reason.EMPTY_TEXT
                self.failures[place] = Verdict(reason, self.changes.get(place, {}))
        self.places = [place for place in range(len(self.texts)) if place not in self.failures]  # of the batch's documents
        self.batch = Batch([self.texts[place] for place in self.places], self.settings.letters_as_words)

    def apply(self, family: Family) -> None:
        """Remove what fails a rule of the family; of the others, cut the lines that it cuts."""
        section = getattr(self.settings, family.section)
        counts = family.count(self.batch, [self.urls[place] for place in self.places], section)
        rules = family.active_rules(section)
        shape = (len(rules), len(self.places))
        values: FloatArray = np.array([rule.value(counts) for rule, _ in rules]).reshape(shape)
        failed: BoolArray = np.zeros(shape, np.bool_)
        for number, (rule, limit) in enumerate(rules):
            failed[number, :] = rule.fails(values[number, :], limit)
        for document in np.flatnonzero(np.any(failed, axis=0)).tolist():
            place = self.places[document]
            if place not in self.failures:
                self.failures[place] = _failure(rules, values[:, document], failed[:, document])
        if family.change is not None:
            self._cut(family, counts)

    def _cut(self, family: Family, counts: Any) -> None:
        """Cut lines out of the documents that are left, and go on with the new texts."""
        assert family.change is not None
        for document, place in enumerate(self.places):
            change = family.change(counts, self.batch, document) if place not in self.failures else None
            if change is not None:
                self.texts[place] = change.text
                self.changes.setdefault(place, {})[family.section] = change.detail
        self._gather()

    def verdicts(self) -> list[Verdict | None]:
        """Of every document of the batch."""
        return [self.failures.get(place) or self._changed(place) for place in range(len(self.texts))]

    def _changed(self, place: int) -> Verdict | None:
        return Verdict(Reason.LINES_CUT, self.changes[place], self.texts[place]) if place in self.changes else None


def _failure(rules: Any, values: Any, failed: Any) -> Verdict:
    """The first rule that failed, and the others beside it."""
    failures = [
        (rule, limit, round(float(value), DIGITS)) for (rule, limit), value, fails in zip(rules, values, failed, strict=True) if fails
    ]
    rule, limit, value = failures[0]
    detail: dict[str, Any] = {"value": value, "limit": limit}
    if len(failures) > 1:
        detail["also"] = {other.reason.value: other_value for other, _, other_value in failures[1:]}
    return Verdict(rule.reason, detail)


def measure_rules(text: str, address: str | None, settings: RuleSettings) -> list[RuleValue]:
    """Every rule's value and limit for one document, whatever fails; a family sees what the one before it left."""
    measured = []
    for name in settings.families:
        family, section = FAMILIES[name], getattr(settings, name)
        batch = Batch([text], settings.letters_as_words)
        counts = family.count(batch, [address or ""], section)
        for rule, limit in family.active_rules(section):
            value = rule.value(counts)
            measured.append(RuleValue(rule.reason.value, float(value[0]), limit, not rule.fails(value, limit)[0]))
        change = family.change(counts, batch, 0) if family.change else None
        text = change.text if change else text
    return measured
