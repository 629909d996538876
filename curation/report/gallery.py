"""The part of the page that shows texts: a few documents of each fate, with what the ledger says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from curation.report.facts import Sample, StageFacts
from curation.report.funnel import ACTION_TITLES, reason_sentence, stage_title
from curation.report.markup import count, isolated, visible, words
from curation.report.samples import KEPT
from curation.report.sections import excerpt_block

DETAIL_CHARACTERS = 300  # of one value; the ledger holds it whole
SHOWN_ELSEWHERE = ("url", "removed")  # as the address, and as cuts in the text


def samples_section(samples: Sequence[Sample], stages: Sequence[StageFacts]) -> str:
    """A fold for each fate; the documents that were kept to the end are open."""
    groups = groupby(samples, key=lambda sample: (sample.stage, sample.action, sample.reason))
    folds = "".join(_fold(*fate, list(group)) for fate, group in groups)
    return (
        '<section><h2 id="samples">Sample texts</h2>'
        '<p class="soft">Drawn by a hash of the document\'s id: the same run always shows the same ones. '
        f"Long texts are cut; what decontamination took out is struck through.</p>{folds}</section>"
    )


def _fold(stage: str, action: str, reason: str, samples: Sequence[Sample]) -> str:
    if action == KEPT:
        title, sentence = f"Kept to the end, after {stage_title(stage).lower()}", ""
    else:
        title, sentence = f"{stage_title(stage)}: {ACTION_TITLES[action].lower()}, {words(reason)}", reason_sentence(reason)
    explained = f"<span>{visible(sentence)}</span>" if sentence else ""
    opened = " open" if action == KEPT else ""
    return (
        f'<details class="fate"{opened}><summary><i class="swatch {action}"></i>{visible(title)}{explained}</summary>'
        f'<div class="samples">{"".join(_sample(sample) for sample in samples)}</div></details>'
    )


def _sample(sample: Sample) -> str:
    document = sample.document
    facts = [f"id <code>{visible(document.id)}</code>"]
    if document.source is not None:
        facts.append(f"source {isolated(document.source)}")
    if document.quality_score is not None:
        facts.append(f"quality score {document.quality_score:.3f}")
    if document.excerpt is not None:
        facts.append(f"{count(document.excerpt.length)} characters")
    address = f'<p class="address">{isolated(document.url)}</p>' if document.url is not None else ""
    shown = "".join(f"<span>{fact}</span>" for fact in facts)
    return f'<article class="sample">{address}<p class="facts">{shown}</p>{excerpt_block(document)}{_detail(sample.detail)}</article>'


def _detail(detail: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<div><dt>{visible(words(name))}</dt><dd>{isolated(_value(value))}</dd></div>"
        for name, value in sorted(detail.items())
        if name not in SHOWN_ELSEWHERE and value is not None
    )
    return f'<dl class="detail">{rows}</dl>' if rows else ""


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        text = " · ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= DETAIL_CHARACTERS else text[: DETAIL_CHARACTERS - 1] + "…"
