"""The filter stage: score every document with a classifier and keep it by GPT-3's rule (appendix A).

``prepare`` trains the classifier on the curated texts and a sample of the raw pages, or takes the
recipe's; ``process`` scores a shard. Curated texts are scored, too, and always stay.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from curation import storage
from curation.errors import InputError, UsageError
from curation.ledger import Action, Reason, ledger_row
from curation.recipe import FilterSettings
from curation.shards import canonical_json
from curation.stage import Corpus, Outcome, Prepared
from quality_filter.classifier import Classifier, load_classifier, train
from quality_filter.keep import keeps_by_draw, lomax_draw
from quality_filter.measures import area_under_curve, measure
from quality_filter.text import classifier_line, classifier_words
from quality_filter.training_set import (
    LABELLED,
    Labelling,
    balance,
    merge_orders,
    read_labelled,
    split_holdout,
    survey_negatives,
    survey_positives,
)

MODEL_FILE = "model.bin"
CARD_FILE = "card.json"
PUBLISHED_CARD = "filter/model-card.json"
HISTOGRAM_BINS = 20  # of equal width from 0 to 1; the last includes 1
TRAINING_SETTINGS = ("word_ngrams", "dimension", "epochs", "learning_rate", "buckets", "min_words", "max_words")
SCORED_AT_ONCE = 1000  # documents whose lines are in memory together


class FilterStage:
    """Quality filter: a fastText classifier and the Pareto keep rule."""

    name: ClassVar[str] = "filter"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("fasttext-community",)
    writes_documents: ClassVar[bool] = True

    def __init__(self, settings: FilterSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def resources(self) -> list[str]:
        """The given model, if there is one."""
        return [self.settings.model] if self.settings.model else []

    def prepare(self, corpus: Corpus) -> Prepared:
        """Commit the model, and publish a card that says how it was made and how well it does.

        Raises:
            UsageError: there is nothing to train on: no curated text in the corpus.
            InputError: no raw page is left to train on, too few documents, or the given model is unusable.
        """
        if self.settings.model:
            content = storage.read_bytes(self.settings.model)
            Classifier(content, self.settings.model)
            card: dict[str, Any] = {"trained": False, "bytes": len(content), "sha256": storage.sha256_of(content)}
        else:
            content, card = self._train(corpus)
        corpus.commit(MODEL_FILE, content)
        corpus.commit(CARD_FILE, canonical_json(card))
        corpus.publish(PUBLISHED_CARD, canonical_json(card))
        return Prepared(corpus.folder, {"model_sha256": storage.sha256_of(content)})

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Score one shard; remove what is too short to be judged and what the keep rule does not keep."""
        classifier = load_classifier(storage.join(prepared.folder, MODEL_FILE), prepared.version)
        words, scores = _score(documents["text"], classifier, self.settings)
        curated = (documents["source"] == self.settings.positive_source).fill_null(False).to_numpy()
        kept = np.ones(len(documents), bool)
        ledger = []
        for place, document_id in enumerate(documents["id"]):
            if words[place] < self.settings.min_words:
                kept[place] = False
                detail = {"words": int(words[place]), "min_words": self.settings.min_words}
                ledger.append(ledger_row(document_id, Action.REMOVED, Reason.TOO_SHORT, **detail))
            elif not curated[place]:
                kept[place], detail = self._judge(document_id, float(scores[place]))
                if not kept[place]:
                    ledger.append(ledger_row(document_id, Action.REMOVED, Reason.LOW_QUALITY, **detail))
        scored = words >= self.settings.min_words
        statistics = {
            "score_histograms": {
                "kept": _histogram(scores[scored & kept & ~curated]),
                "removed": _histogram(scores[scored & ~kept & ~curated]),
                "curated": _histogram(scores[scored & curated]),
            }
        }
        judged = documents.with_columns(pl.Series("quality_score", scores, pl.Float64))
        return Outcome(judged.filter(pl.Series(kept, dtype=pl.Boolean)), ledger, statistics=statistics)

    def _judge(self, document_id: str, score: float) -> tuple[bool, dict[str, Any]]:
        """Whether the keep rule keeps a raw document, and the numbers that decided it."""
        if self.settings.keep_rule == "pareto":
            draw = lomax_draw(self.seed, document_id, self.settings.alpha)
            return keeps_by_draw(score, draw), {"score": score, "draw": draw, "needed": 1.0 - score}
        if self.settings.keep_rule == "threshold":
            return score >= self.settings.threshold, {"score": score, "threshold": self.settings.threshold}
        return True, {}

    def _train(self, corpus: Corpus) -> tuple[bytes, dict[str, Any]]:
        """Model and card, from the documents of ``positive_source`` and a sample of the others."""
        settings = self.settings
        labelled, found = self._sample(corpus)
        balanced = balance(labelled)
        training, held_out, parted_by = split_holdout(balanced, settings.holdout_fraction)
        corpus.progress(f"training on {len(training)} documents; {len(held_out)} are held out")
        content = train(list(training.select("positive", "line").iter_rows()), settings, self.seed)
        card = {
            "trained": True,
            "settings": {name: getattr(settings, name) for name in TRAINING_SETTINGS},
            "seed": self.seed,
            "positive_source": settings.positive_source,
            "surveyed": found,
            "class_ratio": "1:1",
            "training": {"positives": int(training["positive"].sum()), "negatives": int((~training["positive"]).sum())},
            "held_out_by": parted_by,
            "held_out": _evaluate(Classifier(content, "the model just trained"), held_out),
        }
        return content, card

    def _sample(self, corpus: Corpus) -> tuple[pl.DataFrame, dict[str, int]]:
        """The labelled sample, and how many documents of each class it was drawn from (``max_training_documents`` at most)."""
        settings = self.settings
        labelling = Labelling(self.seed, settings.positive_source, settings.min_words, settings.max_words, settings.max_training_documents)
        corpus.progress("looking for curated texts")
        surveys = list(corpus.map(functools.partial(survey_positives, labelling), corpus.shards))
        positives = merge_orders((survey.orders for survey in surveys), labelling.max_documents)
        if not len(positives):
            raise UsageError(
                f"filter: no document of at least {settings.min_words} words has source {settings.positive_source!r}, so there is "
                "nothing to train the classifier on; set filter.positives to curated texts, or filter.model to a trained model"
            )
        digests_file = f"{corpus.scratch()}/positives.npy"
        np.save(digests_file, np.unique(np.concatenate([survey.digests for survey in surveys])))
        corpus.progress("sampling raw pages")
        negatives = merge_orders(
            corpus.map(functools.partial(survey_negatives, labelling, digests_file), corpus.shards), labelling.max_documents
        )
        if not len(negatives):
            raise InputError(
                f"filter: no raw document is left to train the classifier on: all are of source {settings.positive_source!r}, shorter than "
                f"{settings.min_words} words, or copies of curated texts; add inputs, or set filter.model"
            )
        count = min(len(positives), len(negatives))
        last = (int(positives[count - 1]), int(negatives[count - 1]))
        frames = corpus.map(functools.partial(read_labelled, labelling, digests_file, last), corpus.shards)
        return pl.concat([pl.DataFrame(schema=LABELLED), *frames]), {"positives": len(positives), "negatives": len(negatives)}


def _score(texts: pl.Series, classifier: Classifier, settings: FilterSettings) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Words of each text (``max_words`` at most) and its score."""
    counts, scores = np.empty(len(texts), np.int64), np.empty(len(texts), np.float64)
    for start in range(0, len(texts), SCORED_AT_ONCE):
        words = [classifier_words(text or "", settings.max_words) for text in texts[start : start + SCORED_AT_ONCE]]
        stop = start + len(words)
        counts[start:stop] = [len(some) for some in words]
        scores[start:stop] = classifier.score([classifier_line(some) for some in words])
    return counts, scores


def _histogram(scores: npt.NDArray[np.float64]) -> list[int]:
    return [int(count) for count in np.histogram(scores, HISTOGRAM_BINS, (0.0, 1.0))[0]]


def _evaluate(classifier: Classifier, held_out: pl.DataFrame) -> dict[str, Any]:
    """Measures on the held-out documents, and the AUC of the text's length alone, which a classifier of worth exceeds."""
    scores = classifier.score(held_out["line"].to_list())
    positive = held_out["positive"].to_numpy()
    characters = held_out["characters"].to_numpy()
    length_auc = area_under_curve(characters[positive], characters[~positive])
    return {**measure(scores[positive], scores[~positive]), "auc_of_length": round(length_auc, 6)}


def count_raw_documents(statistics: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """How many raw documents the keep rule kept, of how many it judged, from the statistics of all manifests."""
    histograms = [shard["score_histograms"] for shard in statistics]
    kept = sum(sum(histogram["kept"]) for histogram in histograms)
    return kept, kept + sum(sum(histogram["removed"]) for histogram in histograms)
