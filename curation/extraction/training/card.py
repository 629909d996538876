"""The card that goes with a model: what it was made of, how, how good it is, and where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from curation.extraction.blocks.decide import RECALL_WEIGHTS
from curation.extraction.blocks.features import NAMES
from curation.extraction.blocks.model import Model
from curation.extraction.training.evaluate import Scores, pages_given_up, scores_by_type, snippet_scores
from curation.extraction.training.fit import PARAMETERS, TREES
from curation.extraction.training.labels import UNKNOWN
from curation.extraction.training.pages import FOLDS, NO_GOLD, LabelledPage

_FAILURES = """- Product and collection pages: what is the offer and what is advertised beside it often look the same.
- Pages that a browser fills by script hold no main text; some of them are taken for pages with little of it.
- Pages in few languages: the training pages are mostly English, some German. Features know no words, see docs/extraction.md.
- Comments below an article count as main text on forums and as the rest elsewhere; pages between the two are judged either way."""


def model_card(
    pages: Sequence[LabelledPage], likely: Sequence[np.ndarray], model: Model, digests: dict[str, str], seed: int, day: date
) -> str:
    """The card as Markdown; ``likely`` comes from cross-validation, ``digests`` are the sha256 of the archives by name."""
    blocks = sum(int((page.labels != UNKNOWN).sum()) for page in pages)
    snippets = sum(page.page_type == NO_GOLD for page in pages)
    lines = [
        "# The model of the block extractor",
        "",
        f"Made on {day.isoformat()} by `python cli.py extraction train --seed {seed}`: {len(model.roots)} trees, {len(model.feature):,}"
        f" splits, {len(model.values):,} leaves, {len(NAMES)} features.",
        "",
        "## Data and licences",
        "",
        f"{len(pages) - snippets:,} pages with gold text: WCXB, development split, (c) 2026 Murrough Foley, CC-BY-4.0. {snippets:,} pages"
        " with snippets that must and must not appear: trafilatura's evaluation set, Apache-2.0. The pages are their owners'; none of their"
        f" text is in the model, which holds thresholds and sums. {blocks:,} labelled blocks.",
        "",
        *(f"- {name}: sha256 {digest}" for name, digest in digests.items()),
        "",
        "## Training",
        "",
        f"LightGBM, {TREES} rounds, " + ", ".join(f"{key} {value}" for key, value in PARAMETERS.items()) + ".",
        "Features: `curation/extraction/blocks/features.py`; none reads a word, a class name or an id.",
        "",
        f"## F1 / precision / recall in {FOLDS} folds by registrable domain",
        "",
        "| pages | | " + " | ".join(RECALL_WEIGHTS) + " | F1 below .3, balanced |",
        "|---|---:|" + "---|" * (len(RECALL_WEIGHTS) + 1),
        *_rows({balance: scores_by_type(pages, likely, balance) for balance in RECALL_WEIGHTS}),
        *_rows({balance: {"snippets": snippet_scores(pages, likely, balance)} for balance in RECALL_WEIGHTS} if snippets else {}),
        "",
        "Without main content: " + _given_up(pages, likely),
        "",
        "## Known failures",
        "",
        _FAILURES,
        "",
    ]
    return "\n".join(lines)


def _given_up(pages: Sequence[LabelledPage], likely: Sequence[np.ndarray]) -> str:
    found, empty = pages_given_up(pages, likely, has_gold=False)
    lost, full = pages_given_up(pages, likely, has_gold=True)
    return f"{found} of {empty} pages whose gold text is empty are found so, and {lost} of the {full:,} others."


def _rows(tables: dict[str, dict[str, Scores]]) -> list[str]:
    rows = []
    for name in tables.get("balanced", {}):
        cells = [_cell(table[name]) for table in tables.values()]
        balanced = tables["balanced"][name]
        low = f"{balanced.low:.1%}" if name != "snippets" else ""
        rows.append(f"| {name} | {balanced.pages:,} | " + " | ".join(cells) + f" | {low} |")
    return rows


def _cell(scores: Scores) -> str:
    return " / ".join(f"{value:.3f}" for value in (scores.f1, scores.precision, scores.recall))
