"""The parts of the page about single stages: scores, duplicates, benchmark overlap, tokens, training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from curation.report.charts import Axis, BarSeries, column_chart, decimal, histogram, line_chart, stacked_bar
from curation.report.facts import Cluster, ClusterFacts, DocumentFacts, Duplicate, OverlapFacts, ScoreFacts, TokenFacts, TrainingFacts
from curation.report.funnel import OUTDATED
from curation.report.markup import compact, count, isolated, percent, plural, visible

CLUSTER_CLASSES = ((2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 1000), (1001, 10**18))
OPEN_CLUSTERS = 3  # of the largest; the others are folded away
LEAST_CLASSES = 50  # the chart goes at least to clusters of this size
MEASURES = {
    "precision": "precision at score 0.5",
    "recall": "recall at score 0.5",
    "f1": "F1",
    "auc": "area under the ROC curve",
    "auc_of_length": "the same, of text length alone",
}
MAX_PERPLEXITY_LOSS = 50.0  # nats a token; beyond it the training has diverged and a perplexity says nothing
SOURCE_COLOURS = ("kept", "removed", "curated", "changed", "quarantined", "neutral")


def scores_section(scores: ScoreFacts) -> str:
    """Histograms of the quality score, and how well the classifier does."""
    axis = Axis(0.0, 1.0, "quality score", decimal)
    raw = [BarSeries("kept", "kept", scores.kept), BarSeries("removed", "removed", scores.removed)]
    charts = []
    if sum(scores.kept) + sum(scores.removed):
        charts.append(histogram("Raw documents by score", raw, axis, "documents"))
        bins = zip(scores.kept, scores.removed, strict=True)
        share = BarSeries("kept", "kept", [100 * kept / (kept + removed) if kept + removed else 0.0 for kept, removed in bins])
        charts.append(histogram("Share kept at each score", [share], axis, "percent kept", y_form=decimal))
    if sum(scores.curated):
        charts.append(histogram("Curated texts by score", [BarSeries("curated", "curated", scores.curated)], axis, "documents"))
    return (
        '<section><h2 id="scores">Quality scores</h2>'
        '<p class="soft">The classifier gives each document the probability that it is like the curated texts.</p>'
        f'<div class="charts">{"".join(charts)}</div>{_card(scores.card)}</section>'
    )


def _card(card: Mapping[str, Any] | None) -> str:
    if card is None:
        return ""
    if not card["trained"]:
        return f"<p>The classifier was given: sha256 <code>{visible(card['sha256'])}</code>.</p>"
    held_out, training = card["held_out"], card["training"]
    entries = "".join(f"<div><dt>{label}</dt><dd>{held_out[name]:.3f}</dd></div>" for name, label in MEASURES.items())
    return (
        f"<p>Trained on {plural(training['positives'], 'curated text')} and {plural(training['negatives'], 'raw document')}; "
        f"measured on {count(held_out['positives'])} and {count(held_out['negatives'])} others, held out:</p>"
        f'<dl class="tiles">{entries}</dl>'
    )


def clusters_section(clusters: ClusterFacts) -> str:
    """Duplicates in numbers, and the largest clusters with their texts."""
    removed = clusters.removed_exact + clusters.removed_near
    sentence = (
        f"{count(removed)} of {plural(clusters.documents, 'document')} ({percent(removed, clusters.documents)}) repeated another one: "
        f"{count(clusters.removed_exact)} exactly, {count(clusters.removed_near)} nearly. "
        f"They form {plural(clusters.clusters, 'cluster')}; of each the best copy stays."
        if removed
        else f"None of {plural(clusters.documents, 'document')} repeated another one."
    )
    charts = []
    if clusters.sizes:
        columns = [
            (_range_name(low, high), sum(number for size, number in clusters.sizes.items() if low <= size <= high))
            for low, high in CLUSTER_CLASSES
            if low <= max(LEAST_CLASSES, max(clusters.sizes))
        ]
        charts.append(column_chart("Clusters by size", columns, "documents in the cluster, the survivor included", "clusters", "removed"))
    if sum(clusters.similarities):
        bins = len(clusters.similarities)
        first = next(number for number, value in enumerate(clusters.similarities) if value)
        first -= first % max(1, bins // 10)  # the axis begins at a whole tenth
        shown = BarSeries("near duplicates", "removed", clusters.similarities[first:])
        axis = Axis(first / bins, 1.0, "Jaccard similarity with the survivor", decimal)
        charts.append(histogram("Near duplicates by similarity", [shown], axis, "documents"))
    return (
        f'<section><h2 id="duplicates">Duplicates</h2><p class="soft">{sentence}</p>'
        f'<div class="charts">{"".join(charts)}</div>{_largest(clusters.largest)}</section>'
    )


def _largest(clusters: Sequence[Cluster]) -> str:
    if not clusters:
        return ""
    cards = [_cluster(cluster) for cluster in clusters]
    opened, folded = "".join(cards[:OPEN_CLUSTERS]), "".join(cards[OPEN_CLUSTERS:])
    more = f"<details><summary>{plural(len(cards) - OPEN_CLUSTERS, 'more large cluster')}</summary>{folded}</details>" if folded else ""
    return f"<h3>The largest clusters</h3>{opened}{more}"


def _range_name(low: int, high: int) -> str:
    if high == CLUSTER_CLASSES[-1][1]:
        return f">{low - 1}"
    return str(low) if low == high else f"{low}–{high}"


def _cluster(cluster: Cluster) -> str:
    members = "".join(f'<li>{_name(one.document)}<span class="number">{_likeness(one)}</span></li>' for one in cluster.duplicates)
    others = cluster.size - 1 - len(cluster.duplicates)
    more = f'<li class="soft">and {count(others)} more</li>' if others else ""
    return (
        f'<article class="card"><p class="address">{_name(cluster.survivor)}</p>'
        f'<p class="facts"><span>{plural(cluster.size, "document")}, of which this one stays</span></p>{excerpt_block(cluster.survivor)}'
        f'<details><summary>Removed in its favour</summary><ul class="plain">{members}{more}</ul></details></article>'
    )


def _likeness(duplicate: Duplicate) -> str:
    return "equal text" if duplicate.kind == "exact" else f"similarity {duplicate.similarity:.3f}"


def _name(document: DocumentFacts) -> str:
    return isolated(document.url or document.id)


def excerpt_block(document: DocumentFacts) -> str:
    """The excerpt of a document in a box of its own, with cuts struck through."""
    if document.excerpt is None:
        return '<p class="soft">The run holds no text of this document.</p>'
    excerpt = document.excerpt
    parts, done = [], 0
    for start, end in excerpt.cuts:
        first, last = start - excerpt.start, end - excerpt.start
        parts += [visible(excerpt.text[done:first]), "<del>", visible(excerpt.text[first:last]), "</del>"]
        done = last
    before = "… " if excerpt.start else ""
    after = " …" if excerpt.start + len(excerpt.text) < excerpt.length else ""
    return f'<div class="text" dir="auto" tabindex="0">{before}{"".join(parts)}{visible(excerpt.text[done:])}{after}</div>'


def overlap_section(overlap: OverlapFacts) -> str:
    """A row for each benchmark; those without any overlap are folded away."""
    rows = sorted(overlap.rows, key=lambda row: (-row["dirty"] / row["items"], row["name"], row["split"]))
    dirty, clean = [row for row in rows if row["dirty"]], [row for row in rows if not row["dirty"]]
    link = '<p><a href="../contamination/report.html">All benchmarks, with examples side by side</a></p>' if overlap.page else ""
    if not rows:
        body = '<p class="notice">The recipe names no benchmarks: nothing was looked for, and nothing removed.</p>'
    else:
        folded = f"<details><summary>{plural(len(clean), 'benchmark')} without any overlap</summary>{_overlap_table(clean)}</details>"
        body = (_overlap_table(dirty) if dirty else "") + (folded if clean else "")
    return (
        '<section><h2 id="overlap">Benchmark overlap</h2>'
        '<p class="soft">An item is dirty if any document, before removal, holds one of its n-grams; '
        f"n depends on the benchmark (GPT-3, appendix C).</p>{body}{link}</section>"
    )


def _overlap_table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = "".join(
        f'<tr><td>{isolated(row["name"])} <span class="soft">{isolated(row["split"])}</span></td>'
        f'<td class="meter">{_meter(row["dirty"], row["items"])}</td><td class="number">{percent(row["dirty"], row["items"])}</td>'
        f'<td class="number">{count(row["dirty"])}</td><td class="number">{count(row["items"])}</td><td class="number">{row["n"]}</td>'
        f'<td class="number">{count(row["documents_hit"])}</td></tr>'
        for row in rows
    )
    return (
        '<div class="scroll"><table><thead><tr><th>Benchmark</th><th class="number" colspan="2">Dirty share</th>'
        '<th class="number">Dirty</th><th class="number">Items</th><th class="number">n</th><th class="number">Documents hit</th>'
        f"</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _meter(dirty: int, items: int) -> str:
    return stacked_bar([("dirty", "removed", dirty), ("clean", "kept", items - dirty)], items, f"{dirty} of {items} items dirty")


def tokens_section(tokens: Sequence[TokenFacts]) -> str:
    """A row for each source and split."""
    whole = sum(entry.tokens for entry in tokens)
    lines = "".join(
        f'<tr><td>{isolated(entry.source)}</td><td>{visible(entry.split)}</td><td class="number">{count(entry.documents)}</td>'
        f'<td class="number">{count(entry.tokens)}</td><td class="number">{percent(entry.tokens, whole)}</td>'
        f'<td class="number">{entry.text_bytes / entry.tokens if entry.tokens else 0:.2f}</td></tr>'
        for entry in tokens
    )
    return (
        '<section><h2 id="tokens">Tokens</h2><p class="soft">What the model can learn from, by source and split.</p>'
        '<div class="scroll"><table><thead><tr><th>Source</th><th>Split</th><th class="number">Documents</th><th class="number">Tokens</th>'
        f'<th class="number">Share</th><th class="number">Bytes a token</th></tr></thead><tbody>{lines}</tbody></table></div></section>'
    )


def training_section(training: TrainingFacts) -> str:
    """Loss curves, learning rate, gradient norm, and the sample that the model wrote."""
    x_label = "training tokens"
    charts = []
    if training.loss.values or training.validation.values:
        lines = [(training.loss, "kept", False), (training.validation, "removed", True)]
        charts.append(f'<div class="wide">{line_chart("Loss", lines, x_label, "nats a token")}</div>')
    if len(training.validation_by_source) > 1:
        curves = [(curve, SOURCE_COLOURS[number % len(SOURCE_COLOURS)], True) for number, curve in enumerate(training.validation_by_source)]
        charts.append(line_chart("Validation loss by source", curves, x_label, "nats a token"))
    if training.loss.values:
        charts.append(line_chart("Learning rate", [(training.learning_rate, "neutral", False)], x_label, "of AdamW", from_zero=True))
        charts.append(line_chart("Gradient norm", [(training.gradient_norm, "neutral", False)], x_label, "before clipping", from_zero=True))
    averaged = f" Each point is the mean of {training.averaged} steps." if training.averaged > 1 else ""
    notice = OUTDATED if training.outdated else "" if training.finished else '<p class="notice">The training has not finished.</p>'
    return (
        f'<section><h2 id="training">Training</h2><p class="soft">{_model(training.config)}{averaged}</p>{notice}'
        f'<div class="charts">{"".join(charts)}</div>{_result(training)}{_generated(training.sample)}</section>'
    )


def _model(config: Mapping[str, Any]) -> str:
    if not config:
        return "Loss over the training tokens."
    return (
        f"A GPT of {count(config['parameters'])} parameters: {config['layers']} layers of width {count(config['width'])}, "
        f"{config['heads']} heads, a context of {count(config['context_length'])} tokens, "
        f"a vocabulary of {count(config['vocabulary_size'])}."
    )


def _result(training: TrainingFacts) -> str:
    if not training.validation.values:
        return ""
    loss = training.validation.values[-1]
    perplexity = f", a perplexity of {compact(math.exp(loss))}" if loss < MAX_PERPLEXITY_LOSS else ""
    bits = "" if training.bits_per_byte is None else f", {training.bits_per_byte:.3f} bits a byte of text"
    return f"<p>After {count(training.validation.tokens[-1])} tokens the validation loss is {loss:.3f} nats a token{perplexity}{bits}.</p>"


def _generated(sample: str | None) -> str:
    if sample is None:
        return ""
    text = f'<div class="text written" dir="auto" tabindex="0">{visible(sample.rstrip())}</div>'
    return f'<h3>What the model writes</h3><div class="card">{text}</div>'
