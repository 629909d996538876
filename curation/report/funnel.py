"""The first part of the page: the run in a few numbers, and what became of the documents in each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curation.ledger import Reason
from curation.report.charts import stacked_bar
from curation.report.facts import RunFacts, StageFacts
from curation.report.markup import compact, count, isolated, percent, plural, visible, words

STAGE_TITLES = {
    "crawl": "Crawl",
    "filter": "Quality filter",
    "filter/input": "Documents given to the filter",
    "filter/positives": "Curated texts",
    "dedup": "Deduplication",
    "dedup/input": "Documents given to deduplication",
    "decontaminate": "Decontamination",
    "decontaminate/input": "Documents given to decontamination",
    "tokenize": "Tokenisation",
    "tokenize/input": "Documents given to tokenisation",
}
ENTRIES = ("crawl", "filter/positives")  # where documents come into a run, beside imports
OUTDATED = '<p class="notice">Made from an earlier output of a stage before it: run it again.</p>'
ACTION_TITLES = {"kept": "Kept", "changed": "Changed", "removed": "Removed", "quarantined": "Quarantined"}
NOTES = {
    "crawl": "The crawl reads characters of HTML and writes characters of text.",
    "decontaminate": "Pieces of a document that decontamination has cut count as documents of their own afterwards.",
}


def stage_title(stage: str) -> str:
    """The name of a stage for readers."""
    return STAGE_TITLES[stage]


def reason_sentence(reason: str) -> str:
    """The sentence that explains a reason; empty for one of an earlier version."""
    return Reason(reason).sentence if reason in set(Reason) else ""


def tiles(facts: RunFacts) -> str:
    """The run in a few large numbers."""
    entered = sum(stage.counts.entered for stage in facts.stages if stage.name in ENTRIES or stage.name.endswith("/input"))
    entries = [("documents came in", compact(entered))]
    for stage in [stage for stage in facts.stages if stage.documents_out is not None][-1:]:
        entries.append(("documents stayed", compact(stage.documents_out or 0)))
        entries.append(("characters of text in them", compact(stage.counts.characters_out)))
    if facts.tokens:
        entries.append(("tokens", compact(sum(entry.tokens for entry in facts.tokens))))
    if facts.training is not None:
        if "parameters" in facts.training.config:
            entries.append(("parameters", compact(facts.training.config["parameters"])))
        if facts.training.validation.values:
            entries.append(("validation loss, nats a token", f"{facts.training.validation.values[-1]:.3f}"))
    return f'<dl class="tiles">{"".join(f"<div><dt>{visible(name)}</dt><dd>{visible(value)}</dd></div>" for name, value in entries)}</dl>'


def funnel_section(stages: Sequence[StageFacts]) -> str:
    """A card for each stage, with bars on one scale."""
    longest = max(stage.counts.entered for stage in stages)
    key = "".join(f'<span><i class="swatch {action}"></i>{visible(title.lower())}</span>' for action, title in ACTION_TITLES.items())
    cards = "".join(_stage_card(stage, longest) for stage in stages)
    names = {stage.name for stage in stages}
    notes = "".join(f" {note}" for name, note in NOTES.items() if name in names)
    return (
        '<section><h2 id="funnel">What became of the documents</h2>'
        f'<p class="soft">Every document is kept, changed, removed or quarantined, and each change has a reason. '
        f"Bars share one scale.{notes}</p>"
        f'<p class="key">{key}</p>{cards}</section>'
    )


def _stage_card(stage: StageFacts, longest: int) -> str:
    counts = stage.counts
    out = "" if stage.documents_out is None else f" → <strong>{count(stage.documents_out)}</strong>"
    characters = f"{compact(counts.characters_in)} → {compact(counts.characters_out)} characters"
    parts = [
        ("kept", "kept", counts.kept),
        ("changed", "changed", counts.changed),
        ("removed", "removed", counts.removed.total()),
        ("quarantined", "quarantined", counts.quarantined.total()),
    ]
    described = f"{stage_title(stage.name)}: {', '.join(f'{count(number)} {name}' for name, _, number in parts)}"
    return (
        f'<article class="card"><div class="head"><h3>{visible(stage_title(stage.name))}</h3>'
        f'<p><strong>{count(counts.entered)}</strong>{out} documents <span class="soft">{characters}</span></p></div>'
        f"{OUTDATED if stage.outdated else ''}{stacked_bar(parts, longest, described)}"
        f'<ul class="fates">{"".join(_fate_rows(stage))}</ul>{_skipped(counts.skipped)}{_failures(stage.failures)}</article>'
    )


def _fate_rows(stage: StageFacts) -> list[str]:
    counts = stage.counts
    rows = [_fate_row("kept", "Kept", "", counts.kept, counts.entered)]
    for action, reasons in (("changed", stage.changed), ("removed", counts.removed), ("quarantined", counts.quarantined)):
        for reason, number in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])):
            title = f"{ACTION_TITLES[action]}: {words(reason)}"
            rows.append(_fate_row(action, title, reason_sentence(reason), number, counts.entered))
    return rows


def _fate_row(action: str, title: str, sentence: str, number: int, whole: int) -> str:
    return (
        f'<li><span><i class="swatch {action}"></i>{visible(title)}</span><span class="why">{visible(sentence)}</span>'
        f'<span class="number">{count(number)}</span><span class="number soft">{percent(number, whole)}</span></li>'
    )


def _skipped(reasons: Mapping[str, int]) -> str:
    if not reasons:
        return ""
    rows = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))
    lines = "".join(f'<li>{isolated(reason)}<span class="number">{count(number)}</span></li>' for reason, number in rows)
    total = plural(sum(reasons.values()), "record")
    return f'<details><summary>{total} passed over: no pages, and not counted above</summary><ul class="plain">{lines}</ul></details>'


def _failures(failures: Sequence[Mapping[str, str]]) -> str:
    if not failures:
        return ""
    lines = "".join(f"<li>{isolated(failure['error'])}</li>" for failure in failures)
    return f'<details open><summary>{plural(len(failures), "input")} with an error</summary><ul class="plain">{lines}</ul></details>'
