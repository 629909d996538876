"""Our own extractor: a learned judgement of each block of text, better and several times faster than trafilatura (docs/extraction.md)."""

from __future__ import annotations

from resiliparse.parse.html import HTMLTree

from curation.extraction.blocks.judge import judge
from curation.extraction.blocks.model import ONE, load_model
from curation.extraction.blocks.notices import is_notice
from curation.extraction.blocks.render import page_text
from curation.extraction.blocks.scan import MAX_BLOCKS, Scan
from curation.extraction.extractor import Extraction, HtmlPage, PageRefused
from curation.extraction.markup import LEVELS_OF_A_TABLE, check_page
from curation.extraction.with_resiliparse import published
from curation.ledger import Action, Reason


class BlockExtractor:
    """Main text by the model of the package. ``balance``: precision, balanced or recall."""

    def __init__(self, balance: str = "balanced") -> None:
        self._balance = balance
        load_model()

    def extract(self, page: HtmlPage) -> Extraction:
        """Main text of a page, a line a block.

        Raises:
            PageRefused: the markup is over a budget, no block of the page is likely to be main text, what is kept is a notice that there
                is none, or there are too many blocks to judge.
        """
        found = judge(page.html, self._balance)
        if page.wants_metadata or _may_be_over_budget(found.scan, page):
            check_page(page)
        if len(found.kept) >= MAX_BLOCKS:
            raise PageRefused(Action.QUARANTINED, Reason.TOO_MANY_BLOCKS, limit_blocks=MAX_BLOCKS)
        if len(found.kept) and not found.kept.any():
            best = round(int(found.probabilities.max()) / ONE, 4)
            raise PageRefused(Action.REMOVED, Reason.NO_MAIN_CONTENT, blocks=len(found.kept), best_probability=best)
        text = page_text(found.scan, found.kept)
        if is_notice(text):
            raise PageRefused(Action.REMOVED, Reason.NO_MAIN_CONTENT, blocks=len(found.kept), notice=text)
        if not page.wants_metadata:
            return Extraction(text, confidence=found.confidence)
        tree = HTMLTree.parse(page.html)
        return Extraction(text, tree.title, published(tree, page), found.confidence)


def _may_be_over_budget(scan: Scan, page: HtmlPage) -> bool:
    """The scan counts as ``check_page`` does where that decides whether to look closer, and spares ordinary pages a second walk."""
    return scan.most_open > page.max_depth // LEVELS_OF_A_TABLE or scan.most_attributes > page.max_attributes
