"""From labelled documents to a model and its card, by cross-fitting.

For each fold of the sites a model is trained on the others. So every labelled document has a margin
of a model that has not seen it, which serves twice: the calibration of a fold is fitted on the
other folds' margins, and all measures are of documents that neither model nor calibration has seen.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.recipe import FilterSettings
from curation.stage import Corpus
from quality_filter import fasttext_model, hashing_lr
from quality_filter.calibration import Calibration, fit_calibration, measure_reliability
from quality_filter.keep import fit_alpha, kept_share
from quality_filter.linear import LinearModel, Model
from quality_filter.measures import area_under_curve, area_within_bands, measure
from quality_filter.model_folder import Description, file_entry
from quality_filter.routing import choose_routing
from quality_filter.text import Lines
from quality_filter.training_set import sample_documents

TRAINING_SETTINGS = {
    "fasttext": ("word_ngrams", "dimension", "epochs", "learning_rate", "buckets"),
    "hashing_lr": ("l2", "spark"),
}
HISTOGRAM_BINS = 20  # of equal width from 0 to 1; the last includes 1
EXPLAINED_DOCUMENTS = 100  # of each fold, whose n-grams the card counts; our choice, for time
MIN_NGRAM_DOCUMENTS = 3  # an n-gram of fewer documents tells of them, not of their kind
SHOWN_NGRAMS = 25
SHOWN_FILES = 50
DIGITS = 6

Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _FoldResult:
    """``margins``: of the fold's own documents, in order. ``ngrams``: what each adds on average, and in how many documents it is."""

    content: bytes
    margins: Vector
    ngrams: Mapping[str, tuple[float, int]]


def train_model(corpus: Corpus, settings: FilterSettings, seed: int) -> tuple[Description, dict[str, bytes], dict[str, Any]]:
    """Description, files and card of a model trained on the documents of ``positive_source`` and a sample of the others.

    Raises:
        UsageError: there is nothing to train on, or training cannot succeed with these settings.
        InputError: no raw page is left, or there are too few documents.
    """
    labelled, found = sample_documents(corpus, settings, seed)
    positive = labelled["positive"].to_numpy()
    routing = choose_routing(labelled["id"].to_list(), labelled["url"].to_list(), positive, settings.folds, seed)
    folds = routing.folds_of(labelled["id"].to_list(), labelled["url"].to_list())
    corpus.progress(f"training {settings.folds} models on {len(labelled)} documents, each without a fold of the {routing.by}s")
    path = f"{corpus.scratch()}/labelled.parquet"
    labelled.select("positive", "line").with_columns(fold=pl.Series(folds)).write_parquet(path)
    results: list[_FoldResult] = list(corpus.map(functools.partial(fit_fold, path, settings, seed), range(settings.folds)))
    margins = np.empty(len(labelled))
    for fold, result in enumerate(results):
        margins[folds == fold] = result.margins
    calibrations, scores = cross_calibrate(margins, positive, folds, settings)
    files = {f"fold-{fold}.bin": result.content for fold, result in enumerate(results)}
    alpha = fit_alpha(scores[~positive], scores[positive])
    description = Description(
        settings.classifier,
        fasttext_model.POSITIVE,
        settings.min_words,
        settings.max_words,
        settings.spark,
        routing,
        calibrations,
        [file_entry(name, content) for name, content in files.items()],
        alpha,
    )
    card = {
        "trained": True,
        "classifier": settings.classifier,
        "settings": {name: getattr(settings, name) for name in (*TRAINING_SETTINGS[settings.classifier], "min_words", "max_words")},
        "seed": seed,
        "folds": settings.folds,
        "positive_source": settings.positive_source,
        "surveyed": found,
        "class_ratio": settings.class_ratio,
        "training": {"positives": int(positive.sum()), "negatives": int((~positive).sum())},
        "files": _count_files(labelled),
        "model_bytes": sum(len(content) for content in files.values()),
        "calibrations": [asdict(calibration) for calibration in calibrations],
        "held_out_by": "listed document" if routing.listed else routing.by,
        "held_out": evaluate(labelled, scores),
        "calibration": _reliability(scores, positive, seed),
        "score_histograms": {"positives": histogram(scores[positive]), "negatives": histogram(scores[~positive])},
        "keep": _keep_shares(scores, positive, settings.alpha, alpha),
        "ngrams": _strongest([result.ngrams for result in results]),
    }
    return description, files, card


def fit_fold(path: str, settings: FilterSettings, seed: int, fold: int) -> _FoldResult:
    """Train on the documents outside a fold, and see the margins of those inside."""
    labelled = pl.read_parquet(path)
    outside, inside = labelled.filter(pl.col("fold") != fold), labelled.filter(pl.col("fold") == fold)
    positive, lines = outside["positive"].to_list(), outside["line"].to_list()
    model: Model
    if settings.classifier == "hashing_lr":
        content = hashing_lr.train(positive, lines, settings)
        model = hashing_lr.load(content, "the model just trained", settings.spark)
    else:
        content = fasttext_model.train(positive, lines, settings, seed)
        model = fasttext_model.load(content, "the model just trained")
    margins = model.margins(Lines.of(inside["line"].to_list()))
    return _FoldResult(content, margins, _add_contributions(model.linear(), inside["line"].to_list()[:EXPLAINED_DOCUMENTS]))


def _add_contributions(model: LinearModel | None, lines: list[str]) -> dict[str, tuple[float, int]]:
    """For each n-gram of the lines: what it adds to their margins together, and in how many lines it is."""
    totals: defaultdict[str, float] = defaultdict(float)
    documents: Counter[str] = Counter()
    for line in lines:
        contributions = model.contributions(line) if model else {}
        documents.update(contributions.keys())
        for ngram, value in contributions.items():
            totals[ngram] += value
    return {ngram: (total, documents[ngram]) for ngram, total in totals.items()}


def cross_calibrate(
    margins: Vector, positive: Flags, folds: npt.NDArray[np.int64], settings: FilterSettings
) -> tuple[list[Calibration], Vector]:
    """The calibration of each fold, fitted on all others, and the scores that follow."""
    calibrations, scores = [], np.empty(len(margins))
    for fold in range(settings.folds):
        inside = folds == fold
        calibrations.append(fit_calibration(margins[~inside], positive[~inside], settings.class_ratio))
        scores[inside] = calibrations[-1].probabilities(margins[inside])
    return calibrations, scores


def evaluate(labelled: pl.DataFrame, scores: Vector) -> dict[str, Any]:
    """Measures of the held-out scores, and how far length or format alone would get: a classifier of worth exceeds that."""
    positive = labelled["positive"].to_numpy()
    lengths, line_lengths = labelled["characters"].to_numpy(), labelled["line_length"].to_numpy()
    within = area_within_bands(scores, positive, lengths)
    return {
        **measure(scores[positive], scores[~positive]),
        "auc_of_length": round(area_under_curve(lengths[positive], lengths[~positive]), DIGITS),
        "auc_of_line_length": round(area_under_curve(line_lengths[positive], line_lengths[~positive]), DIGITS),
        "auc_at_equal_length": None if within is None else round(within, DIGITS),
    }


def _reliability(scores: Vector, positive: Flags, seed: int) -> dict[str, Any]:
    found = measure_reliability(scores, positive, seed)
    return {
        "expected_calibration_error": round(found.error, DIGITS),
        "interval_95": [round(found.low, DIGITS), round(found.high, DIGITS)],
        "documents": found.documents,
        "bins": [
            {"documents": count, "score": round(score, DIGITS), "positives": round(share, DIGITS)} for count, score, share in found.bins
        ],
    }


def _keep_shares(scores: Vector, positive: Flags, alpha: float, fitted: float) -> dict[str, Any]:
    """What share of each class the rules would keep, were all of them raw documents."""
    return {
        "fitted_alpha": round(fitted, DIGITS),
        **{
            name: {
                f"pareto_{alpha:g}": round(kept_share(of_class, alpha), DIGITS),
                "pareto_fitted": round(kept_share(of_class, fitted), DIGITS),
                "score_over_half": round(float((of_class > 0.5).mean()), DIGITS),
            }
            for name, of_class in (("positives", scores[positive]), ("negatives", scores[~positive]))
        },
    }


def histogram(scores: Vector) -> list[int]:
    """Documents in ``HISTOGRAM_BINS`` bins of equal width."""
    return [int(count) for count in np.histogram(scores, HISTOGRAM_BINS, (0.0, 1.0))[0]]


def _count_files(labelled: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The files that training documents come from, by class, with their documents; the most frequent first."""
    counted = labelled.group_by("positive", "file_path").len().sort("len", "file_path", descending=[True, False])
    return {
        name: [{"file": path, "documents": count} for path, count in counted.filter(condition).select("file_path", "len").iter_rows()][
            :SHOWN_FILES
        ]
        for name, condition in (("positives", pl.col("positive")), ("negatives", ~pl.col("positive")))
    }


def _strongest(parts: list[Mapping[str, tuple[float, int]]]) -> dict[str, list[dict[str, Any]]]:
    """The n-grams that move the held-out documents most to either side, added up over documents."""
    totals: defaultdict[str, float] = defaultdict(float)
    documents: Counter[str] = Counter()
    for part in parts:
        for ngram, (total, count) in part.items():
            totals[ngram] += total
            documents[ngram] += count
    frequent = [(total, ngram) for ngram, total in totals.items() if documents[ngram] >= MIN_NGRAM_DOCUMENTS]

    def shown(ranked: list[tuple[float, str]]) -> list[dict[str, Any]]:
        return [{"ngram": ngram, "margin": round(total, DIGITS), "documents": documents[ngram]} for total, ngram in ranked[:SHOWN_NGRAMS]]

    return {
        "positive": shown(sorted((pair for pair in frequent if pair[0] > 0), key=lambda pair: (-pair[0], pair[1]))),
        "negative": shown(sorted(pair for pair in frequent if pair[0] < 0)),
    }
