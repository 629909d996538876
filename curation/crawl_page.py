"""One page record of a crawl → its fate: a document, or a ledger row that says why not, or both.

``judge_page`` is the whole way of a page, step by step; the first step that has something against the
page ends it. ``why_no_page`` comes before: records that are no pages are only counted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from curation.cascade import PageJudge, why_unreachable
from curation.dates import iso_date
from curation.extraction.draft import PageDraft
from curation.extraction.extractor import PageRefusal
from curation.extraction.guard import Guard, GuardFailure
from curation.extraction.page import PageRequest, PageText
from curation.ids import hash_id, names_a_piece
from curation.language import Language, load_identifier, why_not_wanted
from curation.ledger import Action, Reason, ledger_row
from curation.links.shared_pages import Match, SharedPages
from curation.recipe import CrawlSettings
from curation.selection import why_not_selected
from curation.sources.http import declared_charset, media_type
from curation.sources.places import Places
from curation.sources.plan import PAGE_TYPES, bare_id
from curation.sources.warc import DAMAGED, REPAIRED, Record

_TOKEN = re.compile(r"\w+|[^\w\s]")  # a word or a punctuation mark; OpenWebText does not say which tokens it counted
PAGE_MEDIA_TYPES = {"text/html": True, "application/xhtml+xml": True, "text/plain": False}  # whether it is HTML
# CC-MAIN-2024-22, and the three of before 2013: CC-MAIN-2008-2009, CC-MAIN-2009-2010, CC-MAIN-2012.
_DUMP = re.compile(r"CC-MAIN-\d{4}(?:-\d{4}|-\d{2})?(?!\d)")


@dataclass(frozen=True)
class PageContext:
    """What is the same for all pages of a file: the recipe, ids that stand twice in the input, the committed links (folder).

    ``addresses``: path and sha256 of the committed tables of domains and addresses, if the recipe selects by such.
    ``judge``: tells of drafts what the filter will say of texts, if the recipe has a cascade. ``places``: of the records, where
    only some of the file are read.
    """

    file_path: str
    settings: CrawlSettings
    repeated: frozenset[int]
    links: str | None
    addresses: tuple[str, str] | None = None
    judge: PageJudge | None = None
    places: Places | None = None


@dataclass(frozen=True)
class Fate:
    """What became of a page: the document, if there is one, and the ledger row, if the page was not simply kept.

    ``characters``: of the decoded page, markup included; 0 where it was not decoded.
    """

    document: dict[str, Any] | None = None
    row: dict[str, str] | None = None
    characters: int = 0


# --- is it a page -----------------------------------------------------------------------------------


def why_no_page(record: Record) -> str | None:
    """The reason for which a record is counted and passed over; None for a page (also a damaged one)."""
    if record.record_type not in PAGE_TYPES:
        return f"{'damaged_record_type' if record.state == DAMAGED else 'record_type'}:{record.record_type or 'none'}"
    if record.record_type == "conversion" or record.state == DAMAGED:
        return None
    if record.http_status != 200:
        return f"http_status:{record.http_status}"
    media = _media_type(record)
    return None if media in PAGE_MEDIA_TYPES else f"content_type:{media or 'none'}"


def _media_type(record: Record) -> str | None:
    declared = _http_header(record, "content-type") or record.headers.get("warc-identified-payload-type")
    if declared is None and record.body.lstrip()[:1] == b"<":
        return "text/html"
    return media_type(declared)


def _page_type(record: Record) -> str:
    """The media type of a page; that of a WET text is plain text."""
    return "text/plain" if record.record_type == "conversion" else _media_type(record) or "text/html"


def _http_header(record: Record, name: str) -> str | None:
    return next((value for key, value in record.http_headers if key.lower() == name), None)


# --- identity ---------------------------------------------------------------------------------------


def document_id_of(record: Record, context: PageContext) -> str:
    """The record's own id, or sha256 of (file, offset) where that is absent or stands twice in the input."""
    record_id = bare_id(record.record_id or "")
    if record_id and hash_id(record_id) not in context.repeated and not names_a_piece(record_id):
        return record_id
    place = f"{context.file_path}\0{record.offset}\0{'compressed' if record.own_member else 'decompressed'}"
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()


def dump_name(path: str) -> str | None:
    """The snapshot that a path names, such as CC-MAIN-2024-22; None if it names none."""
    match = _DUMP.search(path)
    return match.group() if match else None


# --- the way of a page ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Page:
    """A page on its way: the record and what is known of it."""

    record: Record
    context: PageContext
    id: str
    karma: int | None

    def row(self, action: Action, reason: Reason, **detail: Any) -> dict[str, str]:
        """A ledger row that says where the page lies."""
        record = self.record
        return ledger_row(self.id, action, reason, file=self.context.file_path, offset=record.offset, url=record.target_uri, **detail)


def judge_page(record: Record, context: PageContext, guard: Guard) -> Fate:
    """What becomes of one page record; ``guard`` runs ``extract_page``."""
    page = _Page(record, context, document_id_of(record, context), _karma(record.target_uri, context))
    refusal = _refuse_unread(page)
    if refusal is not None:
        return Fate(row=refusal)
    refusal = _refuse_draft(page, guard)
    if refusal is not None:
        return Fate(row=refusal)
    text = guard.call(page_request(record))
    if isinstance(text, GuardFailure):
        return Fate(row=page.row(Action.QUARANTINED, text.reason, **text.detail))
    if isinstance(text, PageRefusal):
        return Fate(row=page.row(text.action, text.reason, **text.detail))
    assert isinstance(text, PageText)
    language = load_identifier(context.settings.language_model).identify(text.text)
    refusal = _refuse_text(page, text, language)
    if refusal is not None:
        return Fate(row=refusal, characters=text.page_characters)
    return Fate(_document(page, text, language), _changed(page, text), text.page_characters)


def _karma(url: str | None, context: PageContext) -> int | None:
    return _load_links(context.links, context.settings.links_match).karma_of(url) if context.links and url else None


@lru_cache(maxsize=1)
def _load_links(folder: str, match: Match) -> SharedPages:
    return SharedPages.open(folder, match)


def _refuse_unread(page: _Page) -> dict[str, str] | None:
    """The ledger row of a page that is not worth extracting, by what is known before its body is read."""
    settings = page.context.settings
    if page.record.state == DAMAGED:
        return page.row(Action.QUARANTINED, Reason.DAMAGED_RECORD, problem=page.record.problem)
    unselected = why_not_selected(
        page.record.target_uri, _page_type(page.record), len(page.record.body), settings.select, page.context.addresses
    )
    if unselected is not None:
        return page.row(Action.REMOVED, unselected[0], **unselected[1])
    if page.karma is None and page.context.links and settings.links_action == "select":
        return page.row(Action.REMOVED, Reason.NOT_SHARED)
    return None


def _refuse_draft(page: _Page, guard: Guard) -> dict[str, str] | None:
    """The ledger row of a page that the filter will remove, by a draft of its text. What is wrong with a draft, the text will show."""
    context, request = page.context, page_request(page.record)
    if context.judge is None or not request.is_html or context.judge.spares(_source(page)):
        return None
    draft = guard.call(replace(request, is_draft=True))
    if not isinstance(draft, PageDraft):
        return None
    unreachable = why_unreachable(draft, page.record.target_uri, page.id, context.settings, context.judge)
    return page.row(Action.REMOVED, unreachable[0], **unreachable[1]) if unreachable else None


def _source(page: _Page) -> str:
    return "webtext" if page.karma is not None else page.context.settings.source


def page_request(record: Record) -> PageRequest:
    """What the extractor gets: WET text is UTF-8 and no HTML, a response is what its headers say."""
    if record.record_type == "conversion":
        return PageRequest(record.body, "utf-8", False)
    is_html = PAGE_MEDIA_TYPES[_page_type(record)]
    return PageRequest(record.body, declared_charset(_http_header(record, "content-type")), is_html, record.target_uri, _day(record))


def _day(record: Record) -> date | None:
    iso = iso_date(record.date)
    return date.fromisoformat(iso[:10]) if iso else None


def _refuse_text(page: _Page, text: PageText, language: Language) -> dict[str, str] | None:
    """The ledger row of a page whose text is not kept."""
    if not text.text:
        return page.row(Action.REMOVED, Reason.EMPTY_TEXT, body_bytes=len(page.record.body))
    settings = page.context.settings
    unwanted = why_not_wanted(language, settings)
    if unwanted:
        return page.row(Action.REMOVED, unwanted[0], **unwanted[1])
    tokens = sum(1 for _ in _TOKEN.finditer(text.text)) if settings.min_tokens else 0
    if tokens < settings.min_tokens:
        return page.row(Action.REMOVED, Reason.TOO_FEW_TOKENS, tokens=tokens, min_tokens=settings.min_tokens)
    return None


def _document(page: _Page, text: PageText, language: Language) -> dict[str, Any]:
    record, settings = page.record, page.context.settings
    return {
        "id": page.id,
        "text": text.text,
        "url": record.target_uri,
        "date": iso_date(record.date),
        "dump": settings.dump or dump_name(page.context.file_path),
        "file_path": page.context.file_path,
        "language": language.code,
        "language_score": language.score,
        "source": _source(page),
        "warc_offset": record.offset,
        "warc_length": record.length,
        "confidence": text.confidence,
        "karma": page.karma,
        **(_metadata(text) if settings.metadata else {}),
    }


def _metadata(text: PageText) -> dict[str, Any]:
    published = text.published.isoformat() if text.published else None
    return {"title": text.title, "published": published, "main_content": text.is_main_content}


def _changed(page: _Page, text: PageText) -> dict[str, str] | None:
    """The ledger row of a page that is kept, but was not whole or not wholly decodable; None for a good one."""
    record = page.record
    decoding = {"replaced_characters": text.replaced_characters, "encoding": text.encoding} if text.replaced_characters else {}
    if record.state == REPAIRED:
        reason = Reason.BODY_OVER_LIMIT if record.body_truncated else Reason.REPAIRED_RECORD
        return page.row(Action.CHANGED, reason, problem=record.problem, **decoding)
    if decoding and "\N{REPLACEMENT CHARACTER}" in text.text:
        return page.row(Action.CHANGED, Reason.CHARACTERS_REPLACED, **decoding)
    return None
