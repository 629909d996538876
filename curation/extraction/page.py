"""One page to text; runs inside the guarded process.

Bytes → text (encoding) → main text (an extractor, which holds the budgets of its markup) → repaired Unicode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from curation.extraction.draft import PageDraft, draft
from curation.extraction.encoding import decode
from curation.extraction.extractor import Extraction, HtmlPage, PageRefusal, PageRefused, load_extractor
from curation.ledger import Action, Reason
from curation.normalize import normalize

# First bytes of what servers send as text and is none: images, PDF, archives, Office, sound, video, fonts, programs.
_BINARY_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}(?:WEBP|WAVE|AVI )|\0\0\0.ftyp|\x1aE\xdf\xa3|FLV\x01"
    rb"|ID3[\x02-\x04]|OggS\0|fLaC\0|[CF]WS.|%PDF-|%!PS-|\xd0\xcf\x11\xe0|PK[\x03\x05][\x04\x06]|\x1f\x8b\x08|Rar!\x1a\x07|7z\xbc\xaf"
    rb"|wOF[F2]|\0asm|\x7fELF|MZ\x90\0",
    re.DOTALL,
)
_CONTROLS = re.compile("[\x01-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # random bytes are a tenth of them; ESC begins Japanese codes
MAX_CONTROL_SHARE = 0.05  # our choice, half of what random bytes hold
BINARY_SCAN_CHARACTERS = 16 * 1024
MAX_TITLE_CHARACTERS = 1000  # longer ones are no titles


@dataclass(frozen=True)
class PageOptions:
    """What is the same for all pages of a run. ``drafts``: drafts will be asked for, too."""

    extractor: str
    metadata: bool = False
    max_depth: int = 512
    max_attributes: int = 1000
    drafts: bool = False


@dataclass(frozen=True)
class PageRequest:
    """One page: the decoded body, the charset that HTTP declared, whether it is HTML, address and day of the crawl.

    ``is_draft``: not the text is wanted, but a draft of it.
    """

    body: bytes
    charset: str | None
    is_html: bool
    url: str | None = None
    crawled: date | None = None
    is_draft: bool = False


@dataclass(frozen=True)
class PageText:
    """Normalised text, the length of the page that it was found in, how the bytes were decoded; title and date where asked; the F1 that the
    extractor expects of the text, if it says.

    ``replaced_characters`` of the page could not be decoded, be they in the text or not.
    """

    text: str
    page_characters: int
    encoding: str
    replaced_characters: int
    title: str | None = None
    published: date | None = None
    is_main_content: bool = False
    confidence: float | None = None


def warm_up(options: PageOptions) -> None:
    """Import the extractor and call it once, so that the first page is not charged for it."""
    page = b"<html><head><title>Warm-up</title></head><body><article><p>Sentence of an ordinary page.</p></article></body></html>"
    extract_page(options, PageRequest(page, None, True))
    if options.drafts:
        extract_page(options, PageRequest(page, None, True, is_draft=True))


def extract_page(options: PageOptions, request: PageRequest) -> PageText | PageDraft | PageRefusal:
    """Main text of an HTML page, or all of a plain text, or a draft of it; or why there is none."""
    decoded = decode(request.body, request.charset)
    try:
        _refuse_binary(request.body, decoded.text)
        page = _html_page(decoded.text, request, options) if request.is_html else None
        if request.is_draft:
            return draft(page) if page else PageDraft(decoded.text, decoded.text)
        found = load_extractor(options.extractor).extract(page) if page else Extraction(decoded.text)
    except PageRefused as refused:
        return refused.refusal
    return PageText(
        _visible(normalize(found.text)),
        len(decoded.text),
        decoded.encoding,
        decoded.replaced,
        _title(found.title),
        found.published,
        request.is_html,
        found.confidence,
    )


def _refuse_binary(body: bytes, text: str) -> None:
    magic = _BINARY_MAGIC.match(body)
    sample = text[:BINARY_SCAN_CHARACTERS]
    if magic or len(_CONTROLS.findall(sample)) > MAX_CONTROL_SHARE * len(sample):
        raise PageRefused(Action.REMOVED, Reason.NOT_TEXT, begins_with=body[:8].hex())


def _html_page(html: str, request: PageRequest, options: PageOptions) -> HtmlPage:
    latest = request.crawled + timedelta(days=1) if request.crawled else date.max  # where it was written, the next day may have begun
    return HtmlPage(html.replace("\0", ""), request.url, latest, options.metadata, options.max_depth, options.max_attributes)


def _visible(text: str) -> str:
    """The text, or "" if nothing in it can be seen: blanks, zero-width characters and the like."""
    return text if any(character.isprintable() and not character.isspace() for character in text) else ""


def _title(title: str | None) -> str | None:
    """A title as one line of normalised text."""
    return _visible(" ".join(normalize((title or "")[:MAX_TITLE_CHARACTERS]).split())) or None
