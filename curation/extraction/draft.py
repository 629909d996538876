"""A draft of a page's text, at a tenth of trafilatura's price: what resiliparse takes for the main content, and all that is visible.

Each of the two misses the text of some pages; a judge who looks at both, and at their long lines, misses few.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from curation.extraction.extractor import HtmlPage
from curation.extraction.markup import check_page

LIBRARIES = ("resiliparse", "lxml")
LONG_LINE_WORDS = (8, 15)  # lines of a menu are shorter; chosen by benchmarks/cascade.py
# Lines of banners, which on some front pages outweigh the text.
BANNER = re.compile("cookie|consent|privacy|partners|newsletter|subscri|sign up|javascript|browser", re.IGNORECASE)


@dataclass(frozen=True)
class PageDraft:
    """The main content as a cheap extractor finds it, and all text, ``noscript`` included; Unicode is not repaired."""

    main: str
    whole: str

    def views(self) -> list[str]:
        """Texts of which one is likely to be close to the page's text: both drafts, their long lines, and these without banners."""
        few, many = LONG_LINE_WORDS
        longest = _long_lines(self.whole, many)
        prose = "\n".join(line for line in longest.splitlines() if not BANNER.search(line))
        views = [self.main, _long_lines(self.main, many), _long_lines(self.whole, few), longest, prose]
        return [view for view in dict.fromkeys(views) if view.strip()]


def _long_lines(text: str, min_words: int) -> str:
    return "\n".join(line for line in text.splitlines() if len(line.split(None, min_words)) >= min_words)


def draft(page: HtmlPage) -> PageDraft:
    """The draft of a page.

    Raises:
        PageRefused: the markup is over a budget.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    check_page(page)
    tree = HTMLTree.parse(page.html)
    return PageDraft(_encodable(extract_plain_text(tree, main_content=True)), _encodable(extract_plain_text(tree, noscript=True)))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
