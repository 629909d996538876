"""Bytes of a page to text: byte order mark, HTTP charset, meta, then detection (WHATWG order)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
META_SCAN_BYTES = 4096  # the standard scans 1,024; real pages put scripts before their meta
DETECTION_BYTES = 64 * 1024
# Pages label supersets by the name of the subset (WHATWG Encoding Standard, 4.2).
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
    "big5": "big5hkscs",
}
LAST_RESORT = "cp1252"


@dataclass(frozen=True)
class DecodedText:
    """``encoding`` is Python's name of the codec; ``replaced`` counts characters that could not be decoded."""

    text: str
    encoding: str
    replaced: int


def decode(body: bytes, http_charset: str | None) -> DecodedText:
    """Text of a page. A declaration that the bytes contradict gives way to valid UTF-8, then to detection."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _lenient(body[len(mark) :], encoding)
    declared = _codec(http_charset) or _codec(_meta_charset(body))
    for encoding in filter(None, (declared, "utf-8")):
        decoded = _strict(body, encoding)
        if decoded is not None:
            return decoded
    detected = _detect(body)
    # An almost right declaration (a few bad bytes in a long page) beats a guess.
    return min(
        (_lenient(body, encoding) for encoding in (declared, detected, LAST_RESORT) if encoding),
        key=lambda candidate: candidate.replaced,
    )


def _meta_charset(body: bytes) -> str | None:
    match = _META.search(body, 0, META_SCAN_BYTES)
    return match.group(1).decode("ascii") if match else None


def _codec(label: str | None) -> str | None:
    """Codec for a charset label, or None if there is no such text encoding."""
    if not label:
        return None
    try:
        info = codecs.lookup(label.strip())
    except (LookupError, ValueError):
        return None
    if not getattr(info, "_is_text_encoding", True) or info.name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"):
        return None  # a meta tag that could be read is not UTF-16; UTF-7 is a way to hide markup
    return _SUPERSETS.get(info.name, info.name)


def _strict(body: bytes, encoding: str) -> DecodedText | None:
    try:
        return DecodedText(body.decode(encoding), encoding, 0)
    except (UnicodeDecodeError, LookupError):
        return None


def _lenient(body: bytes, encoding: str) -> DecodedText:
    text = body.decode(encoding, "replace")
    return DecodedText(text, encoding, text.count("\N{REPLACEMENT CHARACTER}"))


def _detect(body: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(body[:DETECTION_BYTES]).best()
    return _codec(best.encoding) if best else None
