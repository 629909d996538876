"""The card that goes with a model: what it was made of, how, how good it is, and where it fails; its words lie in ``card.template.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from curation.extraction.blocks.features import NAMES
from curation.extraction.blocks.model import Model
from curation.extraction.training.evaluate import Scores, pages_given_up, scores_by_type
from curation.extraction.training.fit import PARAMETERS, TREES
from curation.extraction.training.labels import UNKNOWN
from curation.extraction.training.pages import FOLDS, LabelledPage

_TEMPLATE = Path(__file__).with_name("card.template.md")


def model_card(
    pages: Sequence[LabelledPage], texts: Mapping[str, Sequence[str]], model: Model, digests: Mapping[str, str], seed: int, day: date
) -> str:
    """The card as Markdown; ``texts``: by balance, what is kept of the pages in cross-validation; ``digests``: sha256 of the archives."""
    scores = {balance: scores_by_type(pages, found) for balance, found in texts.items()}
    return _TEMPLATE.read_text(encoding="utf-8").format(
        day=day,
        seed=seed,
        model=model,
        features=len(NAMES),
        pages=scores["balanced"],
        blocks=sum(int((page.labels != UNKNOWN).sum()) for page in pages),
        archives="\n".join(f"- {name}: sha256 {digest}" for name, digest in digests.items()),
        rounds=TREES,
        parameters=", ".join(f"{key} {value}" for key, value in PARAMETERS.items()),
        folds=FOLDS,
        table=_table(scores),
        without=pages_given_up(pages, texts["balanced"], has_gold=False),
        others=pages_given_up(pages, texts["balanced"], has_gold=True),
    )


def _table(scores: Mapping[str, Mapping[str, Scores]]) -> str:
    """A row for each page type, a column for each balance."""
    rows = [["pages", "", *scores, "F1 below .3, balanced"], ["---", "---:", *["---"] * (len(scores) + 1)]]
    for name, balanced in scores["balanced"].items():
        cells = [f"{mean.f1:.3f} / {mean.precision:.3f} / {mean.recall:.3f}" for mean in (table[name] for table in scores.values())]
        rows.append([name, f"{balanced.pages:,}", *cells, "" if math.isnan(balanced.low) else f"{balanced.low:.1%}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
