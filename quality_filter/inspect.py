"""``filter inspect``: why a document scores as it does, and what every rule makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from curation import storage
from curation.errors import InputError
from curation.explain import find_document
from curation.finished import prepared_file
from curation.recipe import Recipe
from curation.shards import read_sealed
from quality_filter.keep import KeepRule
from quality_filter.scorer import QualityScorer

SHOWN_NGRAMS = 10
CURATED_LINE = "  a curated text: kept whatever its score, and no rule applies to it"
LONGEST_NGRAM = 40  # characters shown


def inspect_lines(document: str, run: str | None, model: str | None, recipe: Recipe) -> list[str]:
    """Lines about a document of a run, by id or address, or about a text file.

    Raises:
        InputError: no such document or file, or no model.
    """
    row = _find(document, run)
    settings = recipe.filter
    curated = row["source"] == settings.positive_source
    path = model or settings.model or (storage.join(run, "filter", "prepared") if run else "")
    if not path:
        raise InputError("no model to score with; give --model FOLDER, or --run RUN of a run that has filtered")
    scorer = QualityScorer(path, settings.positive_label, settings.min_words, settings.max_words)
    loaded = scorer.model()
    words, scores = loaded.score([row["text"]], [row["url"]], [row["id"]])
    lines = [f"document {row['id']}", *([f"  url {row['url']}"] if row["url"] else []), f"  {len(row['text']):,} characters"]
    if np.isnan(scores[0]):
        lines.append(f"  not scored: {words[0]} words, and the model judges no less than {loaded.description.min_words}")
    else:
        fold, margin, contributions = loaded.contributions(row["text"], row["url"], row["id"])
        lines.append(f"  score {scores[0]:.6f} of {words[0]:,} words (margin {margin:+.4f}, calibrated) by the model of fold {fold}")
        lines += [CURATED_LINE] if curated else _keep_lines(recipe, run, row["id"], float(scores[0]))
        lines += _ngram_lines(contributions)
    return lines if curated else lines + _rule_lines(recipe, row)


def _find(document: str, run: str | None) -> Mapping[str, Any]:
    """Id, address, source and text of a document of the run, or of a local text file."""
    found = find_document(run, document) if run else None
    if found is not None:
        return found
    if storage.exists(document):
        return {"id": document, "url": None, "source": None, "text": storage.read_bytes(document).decode("utf-8", "replace")}
    place = f"neither a document of {run}, by id or address, nor" if run else "not"
    raise InputError(f"{document} is {place} a text file; check the name, or give --run RUN")


def _keep_lines(recipe: Recipe, run: str | None, document_id: str, score: float) -> list[str]:
    """What the keep rule says; with the numbers of the run where they come from the whole corpus."""
    settings = recipe.filter
    path = prepared_file(run, "filter") if run else ""
    values = read_sealed(path)["values"] if run and storage.exists(path) else {}
    if settings.keep_rule == "top_fraction" and "last_kept" not in values:
        return ["  keep rule top_fraction: needs the scores of a whole run"]
    last = values.get("last_kept")
    rule = KeepRule(
        settings.keep_rule, recipe.seed, values.get("alpha", settings.alpha), settings.threshold, (last[0], last[1]) if last else None
    )
    kept, detail = rule.judge(document_id, score)
    numbers = ", ".join(f"{name} {value:.6g}" for name, value in detail.items() if name != "score" and value is not None)
    return [f"  keep rule {settings.keep_rule}: {'kept' if kept else 'removed'}" + (f" ({numbers})" if numbers else "")]


def _ngram_lines(contributions: Mapping[str, float] | None) -> list[str]:
    if contributions is None:
        return ["  the model does not tell what single n-grams add (it is quantized, or has subwords or other labels)"]
    ranked = sorted(contributions.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = []
    for title, pairs in (("for", ranked[:SHOWN_NGRAMS]), ("against", ranked[::-1][:SHOWN_NGRAMS])):
        lines.append(f"  strongest n-grams {title}")
        lines += [f"    {value:+.5f}  {ngram[:LONGEST_NGRAM]}" for ngram, value in pairs if (value > 0) == (title == "for") and value]
    return lines


def _rule_lines(recipe: Recipe, row: Mapping[str, Any]) -> list[str]:
    from quality_filter.heuristics.judge import measure_rules

    rules = measure_rules(row["text"], row["url"], recipe.filter.rules)
    if not rules:
        return ["  rules: none chosen (filter.rules)"]
    table = pl.DataFrame({"rule": [rule.rule for rule in rules]})
    width = int(table["rule"].str.len_chars().max())  # type: ignore[arg-type]
    return ["  rules"] + [
        f"    {rule.rule:<{width}}  {rule.value:>12.6g}  limit {rule.limit:<10.6g} {'passes' if rule.passes else 'FAILS'}" for rule in rules
    ]
