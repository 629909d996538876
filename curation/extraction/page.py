"""One page to text; runs inside the guarded process, so it imports nothing heavy but the extractor."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from curation.extraction.encoding import decode
from curation.normalize import normalize


@dataclass(frozen=True)
class PageRequest:
    """What the extractor gets: the decoded body, the charset that HTTP declared, and whether it is HTML."""

    body: bytes
    charset: str | None
    is_html: bool


@dataclass(frozen=True)
class PageText:
    """What it returns: normalised text, the length of the page that it was found in, how the bytes were decoded."""

    text: str
    page_characters: int
    encoding: str
    replaced_characters: int


def warm_up() -> None:
    """Import the extractor and call it once, so that the first page is not charged for it."""
    logging.disable(logging.CRITICAL)  # trafilatura logs what the ledger already says
    extract_html("<html><body><article><p>Warm-up sentence of an ordinary page.</p></article></body></html>")
    normalize("Warm\u2028up")


def extract_page(request: PageRequest) -> PageText:
    """Main text of an HTML page, or all of a plain text, normalised."""
    decoded = decode(request.body, request.charset)
    text = extract_html(decoded.text) if request.is_html else decoded.text
    return PageText(normalize(text), len(decoded.text), decoded.encoding, decoded.replaced)


def extract_html(html: str) -> str:
    """Main text as trafilatura finds it; "" if it finds none.

    Comments are left out, and ``deduplicate`` is off because it remembers earlier pages, which
    would make the text of a page depend on what its worker saw before.
    """
    import trafilatura

    return trafilatura.extract(html.replace("\0", ""), include_comments=False, deduplicate=False) or ""
