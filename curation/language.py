"""Which language a text is in, and whether the recipe wants it.

Comes in: a text. Goes out: a code (the shortest of ISO 639, so ``en``, and ``ceb`` where there are no two
letters; ``und`` where nothing can be told, ``zxx`` for what is no language) and a probability. By the
embedded identifier, or by a fastText model of the user's, such as lid.176.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from curation import language_embedded, storage
from curation.errors import InputError, UsageError
from curation.fasttext_file import read_layout
from curation.ledger import Reason
from curation.recipe import CrawlSettings

LIBRARIES = (language_embedded.LIBRARY, "babel", "fasttext-community")
LABEL_PREFIX = "__label__"
LANGUAGE_LABEL = re.compile(LABEL_PREFIX + r"[a-z]{2,3}(?:[_-][A-Za-z]+)*")
UNDETERMINED = "und"  # ISO 639-2
READ_CHARACTERS = 10_000  # of a text, from its beginning; more changed 3 answers of 1,148 pages and texts
SCORE_DIGITS = 6  # beyond these, mathematical libraries differ
MAX_SHOWN_CODES = 8


@dataclass(frozen=True)
class Language:
    """A language and how sure the identifier is of it, 0 to 1."""

    code: str
    score: float


class LanguageIdentifier(Protocol):
    """Tells languages apart; pure, and the same on every machine."""

    codes: frozenset[str]  # that it may give

    def identify(self, text: str) -> Language:
        """The language of a text of any length; ``und`` with score 0 for one that has no words."""
        ...


class EmbeddedIdentifier:
    """The identifier that needs no file."""

    def __init__(self) -> None:
        self.codes = frozenset(map(shortest_code, language_embedded.classes())) | {UNDETERMINED}

    def identify(self, text: str) -> Language:
        """See ``LanguageIdentifier``."""
        found = language_embedded.classify(text[:READ_CHARACTERS])
        return _language(*found) if found else Language(UNDETERMINED, 0.0)


def _language(label: str, probability: float) -> Language:
    return Language(shortest_code(label), round(min(probability, 1.0), SCORE_DIGITS))


@functools.cache
def shortest_code(code: str) -> str:
    """A language's shortest code, without script: ``eng``, ``EN`` and ``eng_Latn`` are ``en``; ``cmn_Hans`` is ``zh`` (CLDR's aliases)."""
    from babel.core import get_global

    name = code.replace("-", "_").partition("_")[0].lower()
    alias: str = get_global("language_aliases").get(name, name)
    return alias if len(name) == 3 and len(alias) == 2 else name


class FastTextIdentifier:
    """A supervised fastText model of languages, such as lid.176.ftz: labels are codes after ``__label__``.

    Raises:
        InputError: there is no such file, it is damaged, or no such model.
    """

    def __init__(self, path: str) -> None:
        import fasttext

        content = storage.read_bytes(path)
        layout = read_layout(content, path)
        if strange := [label for label in layout.labels if not LANGUAGE_LABEL.fullmatch(label)]:
            raise InputError(f"{path} is no model of languages: its labels, such as {strange[0]!r}, are no codes like {LABEL_PREFIX}en")
        self.codes = frozenset(shortest_code(label.removeprefix(LABEL_PREFIX)) for label in layout.labels) | {UNDETERMINED}
        with tempfile.TemporaryDirectory(prefix="language-") as folder:
            file = Path(folder, "model.bin")
            file.write_bytes(content)
            self._model: Any = fasttext.load_model(str(file))

    def identify(self, text: str) -> Language:
        """See ``LanguageIdentifier``."""
        line = " ".join(text[:READ_CHARACTERS].split())
        if not line:
            return Language(UNDETERMINED, 0.0)
        labels, probabilities = self._model.predict(line)
        return _language(labels[0].removeprefix(LABEL_PREFIX), float(probabilities[0])) if labels else Language(UNDETERMINED, 0.0)


@functools.lru_cache(maxsize=1)
def load_identifier(model: str | None = None) -> LanguageIdentifier:
    """The identifier of this process: a fastText model by its path, or the embedded one."""
    return EmbeddedIdentifier() if model is None else FastTextIdentifier(model)


def check_languages(wanted: Sequence[str], model: str | None = None) -> None:
    """Find out before anything is read that the model is unusable, or that no text could ever be in a wanted language.

    Raises:
        UsageError: the identifier does not know one of the codes.
        InputError: there is no such model, or it is damaged or of another kind.
    """
    if not wanted and model is None:
        return
    identifier = load_identifier(model)
    for code in wanted:
        if shortest_code(code) not in identifier.codes:
            known = sorted(identifier.codes)
            near = [name for name in known if name[0] == code[:1].lower()][:MAX_SHOWN_CODES]
            raise UsageError(
                f"crawl.languages: {code!r} is no language that the identifier knows; it knows {len(known)}, "
                f"such as {', '.join(near or known[:MAX_SHOWN_CODES])} (codes of ISO 639, en or eng for English)"
            )


def why_not_wanted(language: Language, settings: CrawlSettings) -> tuple[Reason, dict[str, Any]] | None:
    """The reason and the measured values for a text in a language that the recipe does not keep; None for the others."""
    measured = {"language": language.code, "language_score": language.score}
    if settings.languages and language.code not in map(shortest_code, settings.languages):
        return Reason.OTHER_LANGUAGE, {**measured, "languages": settings.languages}
    if language.score < settings.min_language_score:
        return Reason.UNCERTAIN_LANGUAGE, {**measured, "min_language_score": settings.min_language_score}
    return None
