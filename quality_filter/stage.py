"""The filter stage: score every document with a classifier and keep it by GPT-3's rule (appendix A).

``prepare`` trains the classifier on the curated texts and a sample of the raw pages, or takes the
recipe's, and finds what the keep rule must know of the whole corpus; ``process`` scores a shard and
applies the rule. Curated texts are scored, too, and always stay.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from curation import storage
from curation.errors import UsageError
from curation.ledger import Action, Reason, ledger_row
from curation.recipe import FilterSettings
from curation.shards import Shard, canonical_json, read_shard
from curation.stage import Corpus, Outcome, Prepared
from quality_filter.edits import edit_documents, judge_by_rules
from quality_filter.keep import KeepRule, best_of, tie_key
from quality_filter.model_folder import DESCRIPTION, Description, QualityModel, model_paths, read_model
from quality_filter.scorer import QualityScorer
from quality_filter.training import histogram, train_model

if TYPE_CHECKING:
    from quality_filter.heuristics.judge import Verdict

CARD_FILE = "card.json"
PAGE_FILE = "card.html"
PUBLISHED_CARD = "filter/model-card.json"
PUBLISHED_PAGE = "filter/model-card.html"
COLUMNS = ["id", "url", "source", "text"]

Flags = npt.NDArray[np.bool_]


class FilterStage:
    """Quality filter: a classifier and a keep rule."""

    name: ClassVar[str] = "filter"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("fasttext-community", "numpy", "tld")
    writes_documents: ClassVar[bool] = True

    def __init__(self, settings: FilterSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def resources(self) -> list[str]:
        """The files of the given model, if there is one, and the word lists of the rules."""
        model = model_paths(self.settings.model) if self.settings.model else []
        return [*model, *self.settings.rules.files]

    def prepare(self, corpus: Corpus) -> Prepared:
        """Commit the model, and publish a card that says how it was made and how well it does.

        Raises:
            UsageError: there is nothing to train on: no curated text in the corpus; or no alpha can be fitted.
            InputError: no raw page is left to train on, too few documents, or the given model is unusable.
        """
        description, _ = self.prepare_model(corpus)
        values: dict[str, Any] = {"model": description.files}
        if self.settings.keep_rule == "pareto":
            values["alpha"] = self._alpha(description)
        if self.settings.keep_rule == "top_fraction":
            values["last_kept"] = self._last_kept(corpus)
        return Prepared(corpus.folder, values)

    def prepare_model(self, corpus: Corpus) -> tuple[Description, dict[str, Any]]:
        """The model alone, trained or given, committed with its card: description and card."""
        settings = self.settings
        if settings.model:
            description, files = read_model(settings.model, settings.positive_label, settings.min_words, settings.max_words)
            QualityScorer(settings.model, settings.positive_label, settings.min_words, settings.max_words).model()
            digest = storage.sha256_of(description.to_bytes())  # which holds those of the files
            card: dict[str, Any] = {"trained": False, "classifier": description.classifier, "sha256": digest, "files": description.files}
        else:
            description, trained, card = train_model(corpus, settings, self.seed)
            files = trained
        for name, content in {**files, DESCRIPTION: description.to_bytes(), CARD_FILE: canonical_json(card)}.items():
            corpus.commit(name, content)
        corpus.publish(PUBLISHED_CARD, canonical_json(card))
        if card["trained"]:
            from quality_filter.card import render_card

            page = render_card(card)
            corpus.commit(PAGE_FILE, page)
            corpus.publish(PUBLISHED_PAGE, page)
        return description, card

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Score one shard; remove what is too short to be judged and what the keep rule does not keep."""
        model = QualityScorer(prepared.folder, version=prepared.version).model()
        words, scores = _score(documents, model)
        curated = _curated(documents, self.settings)
        rule = self._keep_rule(prepared)
        verdicts = judge_by_rules(documents, curated.tolist(), self.settings)
        kept = np.ones(len(documents), bool)
        ledger = []
        for place, document_id in enumerate(documents["id"]):
            if np.isnan(scores[place]):
                kept[place] = False
                detail = {"words": int(words[place]), "min_words": model.description.min_words}
                ledger.append(ledger_row(document_id, Action.REMOVED, Reason.TOO_SHORT, **detail))
            elif (verdict := verdicts[place]) is not None and verdict.text is None:
                kept[place] = False
                ledger.append(ledger_row(document_id, Action.REMOVED, verdict.reason, score=float(scores[place]), **verdict.detail))
            elif not curated[place]:
                kept[place], detail = rule.judge(document_id, float(scores[place]))
                if not kept[place]:
                    ledger.append(ledger_row(document_id, Action.REMOVED, Reason.LOW_QUALITY, **detail))
        judged = documents.with_columns(pl.Series("quality_score", scores, pl.Float64).fill_nan(None))
        stays = judged.filter(pl.Series(kept, dtype=pl.Boolean))
        edited, changes, replaced = edit_documents(stays, [verdicts[place] for place in np.flatnonzero(kept)], self.settings)
        ruled_out = _ruled_out(verdicts)
        statistics: dict[str, Any] = {"score_histograms": _histograms(np.where(ruled_out, np.nan, scores), kept, curated)}
        if self.settings.personal_data:
            statistics["personal_data_replaced"] = replaced
        return Outcome(edited, ledger + changes, statistics=statistics)

    def _keep_rule(self, prepared: Prepared) -> KeepRule:
        last_kept = prepared.values.get("last_kept")
        return KeepRule(
            self.settings.keep_rule,
            self.seed,
            prepared.values.get("alpha", self.settings.alpha),
            self.settings.threshold,
            (last_kept[0], last_kept[1]) if last_kept else None,
        )

    def _alpha(self, description: Description) -> float:
        if not self.settings.fit_alpha:
            return self.settings.alpha
        if description.alpha is None:
            raise UsageError(
                f"filter.fit_alpha needs the scores of curated texts, and {self.settings.model} comes without them; give a model of "
                "`filter train`, or set filter.alpha"
            )
        return description.alpha

    def _last_kept(self, corpus: Corpus) -> list[Any] | None:
        """Score and tie key of the last raw document that ``top_fraction`` keeps; all are scored once for it."""
        folder = corpus.scratch()
        corpus.progress("scoring all documents to find the best")
        survey = functools.partial(survey_scores, self.settings, self.seed, corpus.folder, folder)
        paths = list(corpus.map(survey, enumerate(corpus.shards)))

        def parts() -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.uint64]]]:
            for path in paths:
                with np.load(path) as found:
                    yield found["scores"], found["ties"]

        last = best_of(parts, self.settings.top_fraction)
        return list(last) if last else None


def survey_scores(settings: FilterSettings, seed: int, model: str, folder: str, item: tuple[int, Shard]) -> str:
    """Path of a file with scores and tie keys of the raw documents of a shard; run by the workers."""
    number, shard = item
    documents = read_shard(shard, COLUMNS)
    scores = _score(documents, QualityScorer(model).model())[1]
    curated = _curated(documents, settings)
    verdicts = judge_by_rules(documents, curated.tolist(), settings)
    judged = ~np.isnan(scores) & ~curated & ~_ruled_out(verdicts)
    ids = documents["id"].filter(pl.Series(judged, dtype=pl.Boolean))
    path = f"{folder}/scores-{number:05d}.npz"
    np.savez(path, scores=scores[judged], ties=np.array([tie_key(seed, document_id) for document_id in ids], np.uint64))
    return path


def _score(documents: pl.DataFrame, model: QualityModel) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    return model.score(documents["text"].to_list(), documents["url"].to_list(), documents["id"].to_list())


def _curated(documents: pl.DataFrame, settings: FilterSettings) -> Flags:
    return (documents["source"] == settings.positive_source).fill_null(False).to_numpy()


def _ruled_out(verdicts: Sequence[Verdict | None]) -> Flags:
    """Which documents a rule removes."""
    return np.array([verdict is not None and verdict.text is None for verdict in verdicts], np.bool_)


def _histograms(scores: npt.NDArray[np.float64], kept: Flags, curated: Flags) -> dict[str, list[int]]:
    """Scored documents in bins of equal width: raw ones kept and removed, and curated ones."""
    scored = ~np.isnan(scores)
    return {
        "kept": histogram(scores[scored & kept & ~curated]),
        "removed": histogram(scores[scored & ~kept & ~curated]),
        "curated": histogram(scores[scored & curated]),
    }


def count_raw_documents(statistics: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """How many raw documents the keep rule kept, of how many it judged, from the statistics of all manifests."""
    histograms = [shard["score_histograms"] for shard in statistics]
    kept = sum(sum(each["kept"]) for each in histograms)
    return kept, kept + sum(sum(each["removed"]) for each in histograms)
