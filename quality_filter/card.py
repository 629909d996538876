"""The model card as a page: self-contained HTML from the values of card.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation.report.charts import Axis, BarSeries, decimal, histogram, line_chart
from curation.report.facts import Curve
from curation.report.markup import count, isolated, visible, words
from curation.report.page import page_end, page_head

MEASURES = {
    "precision": "of the documents that score over .5, the share that is curated",
    "recall": "of the curated documents, the share that scores over .5",
    "f1": "harmonic mean of the two",
    "auc": "probability that a curated document outscores a raw one",
    "auc_at_equal_length": "the same among documents of about equal length",
    "auc_of_length": "what the number of characters alone would reach",
    "auc_of_line_length": "what the mean length of a line alone would reach",
}


def render_card(card: Mapping[str, Any]) -> bytes:
    """The page as UTF-8."""
    title = f"Quality classifier: {card['classifier']}"
    sections = [_data(card), _quality(card), _calibration(card["calibration"]), _scores(card), _ngrams(card["ngrams"])]
    body = f'<header><h1>{visible(title)}</h1><p class="lead">{_lead(card)}</p></header><main>{"".join(sections)}</main>'
    return (page_head(title) + body + page_end()).encode()


def _lead(card: Mapping[str, Any]) -> str:
    held_out = card["held_out"]
    return (
        f"{card['folds']} models, each trained without a fold of the {visible(card['held_out_by'])}s that it scores. "
        f"Every figure below is of held-out documents: {count(held_out['positives'])} curated, {count(held_out['negatives'])} raw."
    )


def _data(card: Mapping[str, Any]) -> str:
    rows = [
        ("curated documents", f"{count(card['training']['positives'])} of {count(card['surveyed']['positives'])}"),
        ("raw documents", f"{count(card['training']['negatives'])} of {count(card['surveyed']['negatives'])}"),
        ("raw for each curated", decimal(card["class_ratio"])),
        *((words(name), decimal(value)) for name, value in card["settings"].items()),
        ("seed", str(card["seed"])),
        ("size of all models", f"{count(card['model_bytes'])} bytes"),
    ]
    files = ""
    for name in ("positives", "negatives"):
        counted = [(str(row["file"]), count(row["documents"])) for row in card["files"][name]]
        files += f"<h3>Files of the {name}</h3>{_table(('file', 'documents'), counted)}"
    return (
        f'<section><h2 id="data">Data and settings</h2>{_table(("", ""), rows)}<details><summary>Files</summary>{files}</details></section>'
    )


def _quality(card: Mapping[str, Any]) -> str:
    held_out = card["held_out"]
    rows = [(words(name), "–" if held_out[name] is None else f"{held_out[name]:.4f}", meaning) for name, meaning in MEASURES.items()]
    return f'<section><h2 id="quality">How well it tells them apart</h2>{_table(("measure", "value", "meaning"), rows)}</section>'


def _calibration(calibration: Mapping[str, Any]) -> str:
    low, high = calibration["interval_95"]
    bins = calibration["bins"]
    measured = Curve("measured", [each["score"] for each in bins], [each["positives"] for each in bins])
    perfect = Curve("perfect", [0.0, 1.0], [0.0, 1.0])
    chart = line_chart(
        "Share of curated documents at each score",
        [(perfect, "neutral", False), (measured, "kept", False)],
        "score",
        "share curated",
        from_zero=True,
    )
    rows = [(count(each["documents"]), f"{each['score']:.4f}", f"{each['positives']:.4f}") for each in bins]
    return (
        f'<section><h2 id="calibration">Calibration</h2><p>Expected calibration error '
        f"{calibration['expected_calibration_error']:.4f} (95 % interval {low:.4f} to {high:.4f}, "
        f"{count(calibration['documents'])} documents in {len(bins)} bins of equal numbers).</p>"
        f'<div class="charts">{chart}</div>{_table(("documents", "mean score", "share curated"), rows)}</section>'
    )


def _scores(card: Mapping[str, Any]) -> str:
    axis = Axis(0.0, 1.0, "score", decimal)
    histograms = card["score_histograms"]
    charts = "".join(
        histogram(f"Held-out {name}", [BarSeries(name, colour, histograms[name])], axis, "documents")
        for name, colour in (("positives", "curated"), ("negatives", "neutral"))
    )
    keep = card["keep"]
    rules = [name for name in keep["negatives"] if name != "pareto_fitted"] + ["pareto_fitted"]
    rows = [(words(rule), f"{keep['positives'][rule]:.4f}", f"{keep['negatives'][rule]:.4f}") for rule in rules]
    return (
        f'<section><h2 id="scores">Scores</h2><div class="charts">{charts}</div>'
        f"<p>Shares that a keep rule would keep. The alpha that makes kept raw documents score most like the curated ones: "
        f"{keep['fitted_alpha']:.3g}.</p>{_table(('rule', 'of the curated', 'of the raw'), rows)}</section>"
    )


def _ngrams(ngrams: Mapping[str, Any]) -> str:
    tables = "".join(
        f"<h3>{title}</h3>"
        + _table(
            ("n-gram", "margin", "documents"), [(row["ngram"], f"{row['margin']:+.3f}", count(row["documents"])) for row in ngrams[side]]
        )
        for side, title in (("positive", "For the curated"), ("negative", "For the raw"))
    )
    return (
        '<section><h2 id="ngrams">Strongest n-grams</h2><p class="soft">What each adds to the margins of a sample of held-out documents, '
        f"added up. Hashed features can share a weight.</p>{tables}</section>"
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{visible(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{isolated(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
