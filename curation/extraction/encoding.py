"""Bytes of a page to text: byte order mark, HTTP charset, meta or XML declaration (the order of the WHATWG standard), then detection.

Unlike a browser, a crawl meets declarations that are plainly wrong and nobody to notice. So valid UTF-8 is
UTF-8 whatever the label says, and a label counts only if the detector thinks it nearly as likely as its best guess.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
_DECLARATION = re.compile(rb"(?:charset|encoding)\s{0,9}=\s{0,9}[\"']?\s{0,9}[a-z0-9_:.-]{2,40}", re.IGNORECASE)
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
META_SCAN_BYTES = 4096  # the standard scans 1,024; real pages put scripts before their meta
DETECTION_BYTES = 64 * 1024
DETECTION_LEAD_BYTES = 1024
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

# What a page may be without saying so; the rest of the standard's encodings would only win by chance.
_RARE = {"iso8859-3", "iso8859-4", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "mac-roman", "cp1258"}
_KNOWN_BEFORE = {"utf-8", "iso2022_jp"}  # such bytes are recognised for certain
_DETECTED_AS = {"shift_jis_2004": "cp932", "euc_jis_2004": "euc_jp"}  # the detector's names where they are not ours
_DETECTOR_NAMES = {ours: theirs for theirs, ours in _DETECTED_AS.items()}
# Chosen by us: docs/crawl.md says how the pages were made on which these were measured.
MIN_CREDIBLE_SHARE = 0.96  # of the best guess's confidence, from which a label is obeyed
MIN_DIFFERENCE = 0.02  # of confidences (0 to 1); less says nothing, as on pages with a few accents
MAX_DAMAGED_SHARE = 0.1  # of the characters beyond ASCII that are undecodable, above which the encoding was another
MIN_NUL_SHARE = 0.2  # of every second byte, above which a page is UTF-16: its markup alone reaches it


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
    if b"\x1b" in body and b"\x1b$" in body and _mostly_decoded(shifted := _lenient(body, "iso2022_jp")):
        return shifted
    if body.isascii():
        return _lenient(body, "utf-8")
    unicode = _lenient(body, "utf-8")
    if _mostly_decoded(unicode):
        return unicode
    declared = [encoding for encoding in (_codec(http_charset), _codec(_own_charset(body))) if encoding]
    confidence = _detect(body, (_ENCODINGS - _RARE).union(declared) - _KNOWN_BEFORE)
    likeliest = next(iter(confidence), LAST_RESORT)
    for encoding in declared:
        if _is_credible(encoding, confidence) and _mostly_decoded(obedient := _lenient(body, encoding)):
            return obedient
    return _lenient(body, likeliest)


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
    """Whether few of the characters beyond ASCII are undecodable, and some are there."""
    if not decoded.replaced:
        return not decoded.text.isascii()
    foreign = _foreign(decoded.text)
    return decoded.replaced < foreign and decoded.replaced <= MAX_DAMAGED_SHARE * foreign


def _detect(body: bytes, candidates: frozenset[str]) -> dict[str, float]:
    """Confidence in each candidate that is possible, best first; judged by what stands around the first byte beyond ASCII.

    What the page declares itself is blanked out: the detector would believe it.
    """
    import chardet

    first = _BEYOND_ASCII.search(body)
    start = max(0, first.start() - DETECTION_LEAD_BYTES) if first else 0
    sample = _DECLARATION.sub(b" ", body[start : start + DETECTION_BYTES])
    names = [_DETECTOR_NAMES.get(encoding, encoding) for encoding in candidates]
    guesses = chardet.detect_all(sample, ignore_threshold=True, compat_names=False, include_encodings=names)
    confidence = {_DETECTED_AS.get(guess["encoding"], guess["encoding"]): guess["confidence"] for guess in guesses if guess["encoding"]}
    return dict(sorted(confidence.items(), key=lambda guess: (-guess[1], guess[0] != LAST_RESORT)))


def _is_credible(encoding: str, confidence: dict[str, float]) -> bool:
    """Whether a declared encoding is nearly as likely as the likeliest one."""
    best, own = max(confidence.values(), default=0.0), confidence.get(encoding, 0.0)
    return own >= MIN_CREDIBLE_SHARE * best or (own > 0 and best - own < MIN_DIFFERENCE)
