"""How records begin, are described and end: WARC (ISO 28500, and its drafts), and ARC versions 1 and 2.

From bytes to the place where a record begins in them; from a record's header to its fields, under the names of WARC.
"""

from __future__ import annotations

import contextlib
import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import datetime

from curation.sources.http import parse_headers

_ARC_ADDRESS = rb"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}|none|unknown|null|-|0)"
_ARC_DATE = rb"(?:\d{8,18}[a-z]{0,8}|[0-9a-f]{24,40})"  # digits; files of 2016 have letters behind them, of 1997 a hash in their place
_ARC_URL = rb"(?:https?|ftp|gopher|dns|filedesc|whois|news|nntp|mailto|urn):[^\n]{0,16000}?"
# URL, address, date, media type, length; version 2 has more fields before the length. URL and media type can hold blanks,
# the media type can be empty, and some writers put the date first.
_ARC_FIELDS = rb" +(?:(%b) +(%b)|(%b) +(%b)) ([^\n]*?) ?" % (_ARC_ADDRESS, _ARC_DATE, _ARC_DATE, _ARC_ADDRESS)
_ARC_HEADER = re.compile(rb"(%b)%b([-+\w.]{1,20})\r?\n" % (_ARC_URL, _ARC_FIELDS), re.IGNORECASE)
_ARC_URL_CUT = re.compile(rb"https?:[^\n]{4000,}\Z", re.IGNORECASE)
# Within a line only without blanks in the URL, as where a writer was killed and another went on.
_ARC_NEXT = rb"(?:(?<=\n)%b|https?:[^\s]{1,4000})%b-?\d{1,18}\r?\n" % (_ARC_URL, _ARC_FIELDS)
_ARC_PAGE = re.compile(r"https?:", re.IGNORECASE)
_ARC_DATES = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 10: "%Y%m%d%H", 8: "%Y%m%d", 6: "%Y%m"}
_WARC_VERSION = rb"WARC/\d\.\d{1,2}[ \t]{0,4}\r{0,2}\n"
# A version line; within a line only if a field follows, as where a writer was killed and another went on.
_WARC_NEXT = rb"(?:(?<=\n)%b|%b(?=[a-z-]{1,40}:))" % (_WARC_VERSION, _WARC_VERSION)
_WARC_TYPE = re.compile(rb"\nWARC-Type[ \t]*:", re.IGNORECASE)
# A killed writer's header up to the URL of the record that another appended. Before its address was written nothing shows: URLs hold URLs.
_ARC_CUT = re.compile(rb" \d{1,3}(?:\.\d{1,3}){3} (?:[0-9a-f]{0,40}|%b [^\n]{0,200}?)(?=https?:\S)" % _ARC_DATE, re.IGNORECASE)
_ARC_LENGTH = re.compile(rb" (\d{1,18})\r?\n\Z")
_RECORD_LINE = re.compile(rb"(?<=\n)(?:%b|%b%b\d{1,18}\r?\n)" % (_WARC_VERSION, _ARC_URL, _ARC_FIELDS), re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(?:\r?\n[ \t]+)?(\d{1,18})[ \t]*\r{0,2}$", re.IGNORECASE | re.MULTILINE)
_LEADING_BLANKS = re.compile(rb"(?:%b)?[\r\n\t ]*" % BOM_UTF8)


@dataclass(frozen=True)
class Grammar:
    """``opening``: what a record begins with, where one is expected, in ``opening_bytes`` at most.

    ``next_record``: where one begins within bytes that nobody vouches for; a match and its context have ``search_bytes`` at most.
    ``early_record``: the same in bytes that a length vouches for, which must be wrong then.
    ``header_end``: what ends a header. ``separators``: what writers put behind a block.
    """

    name: str
    opening: re.Pattern[bytes]
    opening_bytes: int
    next_record: re.Pattern[bytes]
    search_bytes: int
    early_record: re.Pattern[bytes]
    header_end: re.Pattern[bytes]
    separators: tuple[bytes, ...]


WARC = Grammar(
    "WARC",
    opening=re.compile(_WARC_VERSION, re.IGNORECASE),
    opening_bytes=17,
    next_record=re.compile(_WARC_NEXT, re.IGNORECASE),
    search_bytes=64,
    early_record=re.compile(rb"\r?\n\r?\n(?=%b)" % _WARC_VERSION, re.IGNORECASE),
    header_end=re.compile(rb"\r{0,2}\n\r{0,2}\n"),  # some writers end lines in CR CR LF
    separators=(b"\r\n\r\n", b"\n\n"),
)
ARC = Grammar(
    "ARC",
    opening=_ARC_HEADER,
    opening_bytes=17_000,
    next_record=re.compile(_ARC_NEXT, re.IGNORECASE),
    search_bytes=17_000,
    early_record=re.compile(_ARC_NEXT, re.IGNORECASE),
    header_end=re.compile(rb"\n"),
    separators=(b"\r\n", b"\n"),
)
EITHER = Grammar(  # where no record was seen yet
    "WARC or ARC",
    opening=re.compile(rb"%b|%b" % (_WARC_VERSION, _ARC_HEADER.pattern), re.IGNORECASE),
    opening_bytes=ARC.opening_bytes,
    next_record=re.compile(rb"%b|%b" % (_WARC_NEXT, _ARC_NEXT), re.IGNORECASE),
    search_bytes=ARC.search_bytes,
    early_record=WARC.early_record,
    header_end=WARC.header_end,
    separators=(),
)


def begins_record(data: bytes) -> bool:
    """Whether decoded bytes begin with a record, or with what can be the first 4,000 bytes of the address of an ARC record."""
    match = _LEADING_BLANKS.match(data)
    data = data[match.end() :] if match else data
    return any(pattern.match(data) for pattern in (WARC.opening, ARC.opening, _ARC_URL_CUT))


def find_record(data: bytes) -> int | None:
    """Where the first record begins in the beginning of a file; None if there is none."""
    if begins_record(data):
        return 0
    match = _RECORD_LINE.search(data)  # within a line it can be the stored content of a member
    return match.start() if match else None


def cut_header(grammar: Grammar, header: bytes) -> int | None:
    """Where another record begins within a header, which was cut there; None in a whole one."""
    if grammar is ARC:
        match = _ARC_CUT.search(header)
        return match.end() if match and ARC.opening.match(header, match.end()) else None  # the location in version 2 is a mere URL
    if header.upper().find(b"WARC/", 1) < 0:  # much faster than the pattern
        return None
    match = WARC.next_record.search(header, 1)
    return match.start() if match and _WARC_TYPE.search(header, match.start()) else None


def declared_lengths(grammar: Grammar, header: bytes) -> set[int]:
    """The lengths that a header gives for its block, in bytes: one, if it is sound."""
    if grammar is ARC:
        return {int(length) for length in _ARC_LENGTH.findall(header)}
    return {int(length) for length in _CONTENT_LENGTH.findall(header)}


def separator(grammar: Grammar, header: bytes) -> bytes:
    """The line ends that must stand behind the block: two in WARC, one in ARC, of the kind that the header has."""
    if grammar is ARC:
        return b"\r\n" if header.endswith(b"\r\n") else b"\n"
    return b"\n\n" if header.endswith(b"\n\n") else b"\r\n\r\n"


def record_headers(grammar: Grammar | None, header: bytes) -> dict[str, str]:
    """The fields of a header, names in lower case; of a repeated field the first value."""
    if grammar is ARC:
        return _arc_headers(header)
    headers: dict[str, str] = {}
    for name, value in parse_headers(header.partition(b"\n")[2]):
        headers.setdefault(name.lower(), value)
    return headers


def _arc_headers(header: bytes) -> dict[str, str]:
    """The fields of an ARC header line as WARC would have them.

    What was fetched over HTTP is a response, whose block is an HTTP message; the file's own header is its warcinfo.
    """
    match = ARC.opening.match(header)
    assert match
    url, address, date, earlier_date, later_address, media_type, length = (
        value.decode("utf-8", "replace") if value else "" for value in match.groups()
    )
    is_page = _ARC_PAGE.match(url) is not None
    headers = {
        "warc-type": "response" if is_page else "warcinfo" if url.lower().startswith("filedesc:") else "resource",
        "warc-target-uri": url,
        "warc-date": arc_date(date or earlier_date) or "",
        "warc-ip-address": address or later_address,
        "warc-identified-payload-type": media_type,
        "content-type": "application/http; msgtype=response" if is_page else media_type,
        "content-length": length,
    }
    return {name: value for name, value in headers.items() if value}


def arc_date(digits: str) -> str | None:
    """An ARC date as ISO 8601, ``2008-06-01T12:34:56Z``; None if it does not begin with a year and a month.

    Fourteen digits count, as far as they are possible in a date. What is missing stands for its beginning; more are
    fractions of a second, or a writer's error.
    """
    for size, pattern in _ARC_DATES.items():
        if len(digits) >= size:  # then a pattern takes all of them only if each of its parts has all of its own
            with contextlib.suppress(ValueError):
                return datetime.strptime(digits[:size], pattern).isoformat() + "Z"
    return None
