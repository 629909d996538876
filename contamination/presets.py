"""Named ways of judging overlap; what the recipe leaves null comes from its preset."""

from __future__ import annotations

from dataclasses import dataclass

from contamination.specs import resolve_specs
from curation import storage
from curation.errors import UsageError
from curation.recipe import DecontaminateSettings

CUT, DROP, REPORT = "cut", "drop", "report"
NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Rules:
    """What is looked for and what becomes of a document that holds it.

    ``ngram_words``: n of the removal. ``action``: cut windows out, drop the document, or report alone.
    ``max_documents_per_ngram``: n-grams in more documents are left in. ``report_min_words``, ``report_max_words``:
    limits of each benchmark's n in the report; where they are equal, that is n for all.
    """

    ngram_words: int
    action: str
    max_documents_per_ngram: int
    report_min_words: int
    report_max_words: int


PRESETS = {
    "gpt3": Rules(13, CUT, 10, 8, 13),  # GPT-3, appendix C
    "gpt2": Rules(8, REPORT, NO_LIMIT, 8, 8),  # GPT-2, section 4: the share of 8-grams of test sets that is in the training set
    "strict": Rules(8, DROP, NO_LIMIT, 8, 13),
    "report_only": Rules(13, REPORT, 10, 8, 13),
}


def resolve_rules(settings: DecontaminateSettings) -> Rules:
    """The preset's rules with what the recipe sets itself.

    Raises:
        UsageError: the smallest n of the report is above the largest.
    """
    preset = PRESETS[settings.preset]
    names = Rules.__dataclass_fields__
    rules = Rules(**{name: getattr(preset, name) if getattr(settings, name) is None else getattr(settings, name) for name in names})
    if rules.report_min_words > rules.report_max_words:
        raise UsageError(
            f"decontaminate.report_min_words, {rules.report_min_words}, is above report_max_words, {rules.report_max_words}; raise that"
        )
    return rules


def check_settings(settings: DecontaminateSettings) -> None:
    """Refuse what cannot work before any stage reads anything.

    Raises:
        UsageError: the recipe contradicts itself, or an entry of ``benchmarks`` is wrong.
        InputError: a benchmark's file is not there, or its spec is wrong.
    """
    resolve_rules(settings)
    for spec in resolve_specs(settings.benchmarks):
        for path in spec.files:
            storage.file_size(path)
