"""Bytes of a page to text: byte order mark, HTTP charset, meta or XML declaration (the order of the WHATWG standard), then detection.

Unlike a browser, a crawl meets declarations that are plainly wrong and nobody to notice. So valid
UTF-8 is UTF-8 whatever the label says, and a text that reads like no language sends the page to detection.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
META_SCAN_BYTES = 4096  # the standard scans 1,024; real pages put scripts before their meta
DETECTION_BYTES = 64 * 1024
LAST_RESORT = "cp1252"

# What a label may name: the encodings of the WHATWG Encoding Standard, by Python's names. Others that
# Python knows are no text of a page (punycode, unicode_escape) or hide markup (UTF-7, HZ).
_LATIN_PARTS = (2, 3, 4, 10, 13, 14, 15, 16)  # of ISO 8859
_LATIN = frozenset(["cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "mac-roman", *(f"iso8859-{part}" for part in _LATIN_PARTS)])
_CYRILLIC = ("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp866", "mac-cyrillic")
_EAST_ASIAN = ("gb18030", "cp932", "euc_jp", "big5hkscs", "cp949", "iso2022_jp")
_OTHER_SCRIPTS = ("cp1253", "iso8859-7", "cp1255", "iso8859-8", "cp1256", "iso8859-6", "cp874")
_ENCODINGS = _LATIN.union(["utf-8"], _CYRILLIC, _EAST_ASIAN, _OTHER_SCRIPTS)
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
    "utf-8-sig": "utf-8",
}
# Labels of the standard that Python does not know.
_LABELS = {
    "cp874": "windows-874 dos-874",
    "cp932": "windows-31j x-sjis",
    "cp949": "windows-949 ks_c_5601-1989 ksc_5601 iso-ir-149 cseuckr",
    "big5hkscs": "cn-big5 x-x-big5",
    "euc_jp": "x-euc-jp",
    "gb18030": "gb_2312 gb_2312-80 x-gbk csgb2312",
    "iso8859-6": "iso-8859-6-i iso-8859-6-e",
    "iso8859-8": "iso-8859-8-i iso-8859-8-e logical visual",
    "koi8-r": "koi koi8",
    "koi8-u": "koi8-ru",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "mac-roman": "mac x-mac-roman",
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}

# Chosen by us, on the pages of tests/curation/test_encoding.py and the odd pages of real crawls.
MIN_FOREIGN = 16  # fewer characters beyond ASCII prove nothing
MAX_DAMAGED_SHARE = 0.1  # of them undecodable, above which the encoding was another
MIN_NUL_SHARE = 0.2  # of every second byte, above which a page is UTF-16: its markup alone reaches it
# Accented letters stand alone among others. Dashes, quotes and no-break spaces may stand in rows.
_ROW_OF_ACCENTS = re.compile("[^\x00-\xa0\u2010-\u203a]{3,}")
_CYRILLIC_LETTERS = re.compile("[\u0400-\u04ff]+")
FREQUENT_CYRILLIC = "оеаинтсрвл"  # the ten most frequent letters of Russian, frequent in its relatives, too
MIN_FREQUENT_SHARE = 0.48
_KANA = re.compile("[\u3041-\u30ff]+")
MIN_KANA_SHARE = 0.15  # of Japanese text
_HANGUL = re.compile("[\uac00-\ud7a3]+")
MIN_HANGUL_SHARE = 0.3  # of Korean text; the rest may be Chinese characters
_HAN = re.compile("[\u3400-\u9fff]+")
MIN_COMMON_HAN_SHARE = 0.7  # of Chinese text in GB 2312, the characters of every day


@dataclass(frozen=True)
class DecodedText:
    """``encoding`` is Python's name of the codec; ``replaced`` counts characters that could not be decoded."""

    text: str
    encoding: str
    replaced: int


def decode(body: bytes, http_charset: str | None) -> DecodedText:
    """Text of a page. A declaration that the bytes contradict gives way to UTF-8, then to detection."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _lenient(body[len(mark) :], encoding)
    wide = _utf_16(body)
    if wide:
        return _lenient(body, wide)
    declared = _codec(http_charset) or _codec(_own_charset(body))
    if body.isascii():
        return _lenient(body, "iso2022_jp" if b"\x1b$" in body else "utf-8")
    unicode = _lenient(body, "utf-8")
    if _mostly_decoded(unicode):
        return unicode
    if declared:
        obedient = _lenient(body, declared)
        if (obedient.replaced == 0 or _mostly_decoded(obedient)) and _reads_like_text(obedient):
            return obedient
    candidates = [_lenient(body, encoding) for encoding in (_detect(body), declared, LAST_RESORT) if encoding]
    # A few bad bytes in a long page do not make another encoding right; a text that nobody writes does.
    return min(candidates, key=_badness)


def _utf_16(body: bytes) -> str | None:
    """UTF-16 without byte order mark: every second byte of its markup is NUL."""
    probe = body[:META_SCAN_BYTES]
    even, odd = probe[::2].count(0), probe[1::2].count(0)
    least = max(1, len(probe) // 2 * MIN_NUL_SHARE)
    if odd >= least and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even >= least and odd == 0 else None


def _own_charset(body: bytes) -> str | None:
    """What the page says of itself, in a meta tag or an XML declaration."""
    match = _META.search(body, 0, META_SCAN_BYTES) or _XML.match(body)
    return match.group(1).decode("ascii") if match else None


def _codec(label: str | None) -> str | None:
    """Codec for a charset label, or None if no page should be read by it."""
    label = (label or "").strip().lower()
    try:
        name = _CODECS.get(label) or codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    name = _SUPERSETS.get(name, name)
    return name if name in _ENCODINGS else None


def _lenient(body: bytes, encoding: str) -> DecodedText:
    try:
        return DecodedText(body.decode(encoding), encoding, 0)
    except UnicodeDecodeError:
        text = body.decode(encoding, "replace")
        return DecodedText(text, encoding, text.count("\N{REPLACEMENT CHARACTER}"))


def _foreign(text: str) -> int:
    """How many characters lie beyond ASCII."""
    return len(text) - len(text.encode("ascii", "ignore"))


def _mostly_decoded(decoded: DecodedText) -> bool:
    """Whether few of the characters beyond ASCII are undecodable."""
    foreign = _foreign(decoded.text)
    return decoded.replaced < foreign and decoded.replaced <= MAX_DAMAGED_SHARE * foreign


def _badness(candidate: DecodedText) -> tuple[bool, int]:
    return not _reads_like_text(candidate), candidate.replaced


def _reads_like_text(decoded: DecodedText) -> bool:
    """Whether somebody may have written this; False if it looks like a text read by a wrong encoding."""
    sample = decoded.text[:DETECTION_BYTES]
    foreign = _foreign(sample)
    if foreign < MIN_FOREIGN:
        return True
    if decoded.encoding in _LATIN:
        return 2 * _count(_ROW_OF_ACCENTS, sample) <= foreign
    if decoded.encoding in _CYRILLIC:
        letters = "".join(_CYRILLIC_LETTERS.findall(sample)).lower()
        return 2 * len(letters) >= foreign and sum(map(letters.count, FREQUENT_CYRILLIC)) >= MIN_FREQUENT_SHARE * len(letters)
    if decoded.encoding in ("cp932", "euc_jp"):
        return _count(_KANA, sample) >= MIN_KANA_SHARE * foreign
    if decoded.encoding == "cp949":
        return _count(_HANGUL, sample) >= MIN_HANGUL_SHARE * foreign
    if decoded.encoding == "gb18030":
        han = "".join(_HAN.findall(sample))
        is_common = len(han.encode("gb2312", "ignore")) // 2 >= MIN_COMMON_HAN_SHARE * len(han)  # two bytes a character
        return is_common and _count(_KANA, sample) < MIN_KANA_SHARE * foreign  # EUC-JP puts its kana in the same places
    return True


def _count(pattern: re.Pattern[str], text: str) -> int:
    """Characters of all matches."""
    return sum(map(len, pattern.findall(text)))


def _detect(body: bytes) -> str:
    """The encoding that makes most sense of the beginning: what charset-normalizer finds, and what it tends to miss."""
    from charset_normalizer import from_bytes

    sample = body[:DETECTION_BYTES]
    found = [encoding for encoding in (_codec(match.encoding) for match in from_bytes(sample)) if encoding]
    candidates = [_lenient(sample, encoding) for encoding in [*found, LAST_RESORT, *_CYRILLIC, *_EAST_ASIAN]]
    return min(candidates, key=_badness).encoding
