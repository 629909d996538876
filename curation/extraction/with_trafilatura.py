"""trafilatura, the reference: slow, and the most exact of the libraries on articles."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import trafilatura
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, fromstring
from trafilatura.utils import is_dubious_html, repair_faulty_html

from curation.extraction.extractor import Extraction, HtmlPage
from curation.extraction.markup import check_page, check_tree


class TrafilaturaExtractor:
    """Comments are left out, and ``deduplicate`` is off: it remembers earlier pages.

    ``fast`` tries no second algorithm where the first finds little; ``favor_precision`` takes less text.
    """

    def __init__(self, fast: bool = False, favor_precision: bool = False) -> None:
        logging.disable(logging.CRITICAL)  # trafilatura logs what the ledger already says
        self._options: dict[str, Any] = {"fast": fast, "favor_precision": favor_precision, "include_comments": False, "deduplicate": False}

    def extract(self, page: HtmlPage) -> Extraction:
        """Main text of a page, as ``trafilatura.extract`` returns it.

        Raises:
            PageRefused: the markup is over a budget, or the tree deeper than the parser can build it.
        """
        check_page(page)
        tree = _parse(page)
        if tree is None:
            return Extraction("")
        metadata = _metadata(tree, page) if page.wants_metadata else {}
        return Extraction(trafilatura.extract(tree, **self._options) or "", **metadata)


def _parse(page: HtmlPage) -> HtmlElement | None:
    """The tree that ``trafilatura.load_html`` would build, but whole.

    By default libxml2 drops what lies deeper than 256 elements, and text nodes above 10 MB, and says
    so in the parser's log alone. ``huge_tree`` moves the limits beyond every budget: 2,048 elements, 1 GB.
    """
    parser = HTMLParser(collect_ids=False, default_doctype=False, encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    beginning = page.html[:50].lower()
    html = repair_faulty_html(page.html, beginning).encode("utf-8", "surrogatepass")
    try:
        tree = fromstring(html, parser=parser)
    except etree.ParserError:  # nothing in it but white space and comments
        return None
    check_tree(tree, page.max_depth)
    return None if is_dubious_html(beginning) and len(tree) < 2 else tree


def _metadata(tree: HtmlElement, page: HtmlPage) -> dict[str, Any]:
    """Title and day of publication. ``max_date`` would else be the day on which we run."""
    search = {"original_date": True, "extensive_search": False, "max_date": page.latest.isoformat()}
    found = trafilatura.extract_metadata(tree, default_url=page.url, date_config=search)
    return {"title": found.title, "published": date.fromisoformat(found.date) if found.date else None}
