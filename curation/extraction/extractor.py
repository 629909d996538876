"""What an extractor is, and which there are: HTML of one page in, its main text out.

An extractor is an object with one method, ``extract``. It keeps nothing from page to page, so that the
text of a page is the same whatever its worker read before. It runs in the guarded child process, and calls
``markup.check_page`` before it lets a parser build a tree. A new extractor is a module with such a class, and a line in ``EXTRACTORS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from curation.ledger import Action, Reason


@dataclass(frozen=True)
class HtmlPage:
    """A decoded page without NUL characters; ``wants_metadata``: title and date are asked for.

    ``latest``: no day of publication behind it can be believed. ``max_depth``, ``max_attributes``: budgets of its markup.
    """

    html: str
    url: str | None = None
    latest: date = date.max
    wants_metadata: bool = False
    max_depth: int = 512
    max_attributes: int = 1000


@dataclass(frozen=True)
class Extraction:
    """Main text as the extractor found it ("" if there is none), and title and day of publication where asked.

    ``confidence``: the F1 that the extractor expects of its text, 0 to 1; None from those that do not say.
    """

    text: str
    title: str | None = None
    published: date | None = None
    confidence: float | None = None


class Extractor(Protocol):
    """Finds the main text of a page."""

    def extract(self, page: HtmlPage) -> Extraction:
        """Main text of one page.

        Raises:
            PageRefused: the page is over a budget, or has no main text.
        """


@dataclass(frozen=True)
class PageRefusal:
    """Why a page gives no text, and what becomes of it; for the ledger."""

    action: Action
    reason: Reason
    detail: dict[str, Any]


class PageRefused(Exception):
    """Carries the ``refusal`` from where it is found to where the page is answered."""

    def __init__(self, action: Action, reason: Reason, **detail: Any) -> None:
        super().__init__(reason)
        self.refusal = PageRefusal(action, reason, detail)


@dataclass(frozen=True)
class ExtractorChoice:
    """How an extractor is made, and what else changes its output: versions of libraries, and its model."""

    make: Callable[[], Extractor]
    libraries: tuple[str, ...]
    model: Path | None = None


def _trafilatura(**options: bool) -> Extractor:
    extractor: Extractor = import_module("curation.extraction.with_trafilatura").TrafilaturaExtractor(**options)
    return extractor


def _resiliparse() -> Extractor:
    extractor: Extractor = import_module("curation.extraction.with_resiliparse").ResiliparseExtractor()
    return extractor


def _blocks(balance: str) -> Extractor:
    extractor: Extractor = import_module("curation.extraction.with_blocks").BlockExtractor(balance)
    return extractor


_BLOCKS_LIBRARIES = ("lxml", "resiliparse")  # of the markup's budgets, and of metadata
_BLOCKS_MODEL = Path(__file__).parent / "blocks" / "model.npz"
_TRAFILATURA_LIBRARIES = ("trafilatura", "lxml", "justext", "htmldate", "courlan")
BALANCES = {"blocks": "balanced", "blocks-precision": "precision", "blocks-recall": "recall"}  # of our own extractor, by name
EXTRACTORS = {
    **{name: ExtractorChoice(partial(_blocks, balance), _BLOCKS_LIBRARIES, _BLOCKS_MODEL) for name, balance in BALANCES.items()},
    "trafilatura": ExtractorChoice(_trafilatura, _TRAFILATURA_LIBRARIES),
    "trafilatura-fast": ExtractorChoice(lambda: _trafilatura(fast=True), _TRAFILATURA_LIBRARIES),
    "trafilatura-precision": ExtractorChoice(lambda: _trafilatura(favor_precision=True), _TRAFILATURA_LIBRARIES),
    "resiliparse": ExtractorChoice(_resiliparse, ("resiliparse", "lxml")),
}


@cache
def load_extractor(name: str) -> Extractor:
    """The extractor of that name, imported on first use."""
    return EXTRACTORS[name].make()
