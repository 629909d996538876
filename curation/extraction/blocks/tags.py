"""What the scan knows of HTML's elements: their numbers, how they nest, and which of them part blocks of text.

Tables for compiled code: a name is found by its first eight lower-case bytes, as one number in a sorted array, and the eight behind them.
Nesting follows the HTML standard as far as text depends on it (13.2.6, "generate implied end tags").
"""

from __future__ import annotations

import numpy as np

NAME_BYTES = 8
OTHER = 0  # the number of every element that is not named below

_PARTING = (  # display: block in the standard's style sheet (15.3), and what parts text in the same way
    "address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "frameset h1 h2 h3 h4 h5 h6 header hgroup hr html iframe legend li listing main menu nav noscript object ol optgroup option p "
    "plaintext pre search section select summary table tbody td tfoot th thead tr ul video audio canvas label"
)
_INLINE = (
    "a b strong em i span time code small sup sub abbr cite q u s ins del mark font kbd samp var tt big dfn svg math img input br picture"
)
_UNSEEN = "script style template textarea title xmp noembed"  # their text is not part of the page
_FALLBACK = "noframes"  # parts text, too; browsers show none of it, but old pages have all of their text there
_EMPTY = "area base basefont bgsound br col embed frame hr img input link meta param source track wbr"
# Elements without content, and those that their next sibling closes: left open, they do not nest.
NEVER_NEST = "area base br col embed frame hr img input link meta param source track wbr p li dd dt tr td th option"
_NAMES = tuple(dict.fromkeys(f"{_PARTING} {_INLINE} {_UNSEEN} {_FALLBACK} {_EMPTY}".split()))
NUMBER = {name: number for number, name in enumerate(_NAMES, 1)}

# Bits of PROPERTIES, one entry an element number:
# 1 parts text: what stands before and behind its tags belongs to different blocks
# 2 has no content
# 4 holds raw text up to its own end tag, whatever stands there
# 8 hides its text
# 16 ends a paragraph: its start tag closes an open p
# 32 is a scope: implied end tags do not reach beyond it
# 64 is part of a table
# 128 its start tag closes other elements, too


def numbers(names: str) -> list[int]:
    """The numbers of the elements that a blank-separated list names."""
    return [NUMBER[name] for name in names.split()]


def name_key(name: str) -> int:
    """The first eight bytes of a lower-case name as one number, as the scan reads them; 0 if it has none."""
    return int.from_bytes(name.encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0"), "little")


_RAW = "script style textarea title xmp noembed iframe"
_CLOSES_NO_PARAGRAPH = (
    "body html button iframe label legend noscript object option optgroup select caption tbody td tfoot th thead tr video audio canvas"
)
_SCOPES = "html body table td th caption button object template"
_GROUPS = (
    f"{_PARTING} {_FALLBACK}",
    _EMPTY,
    _RAW,
    f"{_RAW} template svg option",
    " ".join(name for name in _PARTING.split() if name not in _CLOSES_NO_PARAGRAPH.split()),
    _SCOPES,
    "table tbody thead tfoot tr td th caption",
    "li dt dd option optgroup tr td th tbody thead tfoot a",
)
# A start tag closes the nearest of these that is open, as long as none of its fences lies between.
_CLOSED_BY = {
    "li": ("li", "ul ol menu dir"),
    "dt": ("dt dd", "dl"),
    "dd": ("dt dd", "dl"),
    "option": ("option", "select"),
    "optgroup": ("option optgroup", "select"),
    "tr": ("tr", "table"),
    "td": ("td th", "table tr"),
    "th": ("td th", "table tr"),
    "tbody": ("tbody thead tfoot caption", "table"),
    "thead": ("tbody thead tfoot caption", "table"),
    "tfoot": ("tbody thead tfoot caption", "table"),
    "a": ("a", "table td th caption button object"),
}


def _properties() -> np.ndarray:
    bits = np.zeros(len(_NAMES) + 1, np.uint8)
    for place, names in enumerate(_GROUPS):
        bits[numbers(names)] |= 1 << place
    return bits


def _relations(column: int) -> np.ndarray:
    """[element, other]: whether the element's start tag closes the other (column 0), or stops looking at it (column 1)."""
    table = np.zeros((len(_NAMES) + 1, len(_NAMES) + 1), np.bool_)
    for name, rule in _CLOSED_BY.items():
        table[NUMBER[name], [NUMBER[other] for other in rule[column].split()]] = True
    return table


_BY_KEY = sorted(NUMBER, key=name_key)  # no two begin with the same eight bytes
KEYS = np.array([name_key(name) for name in _BY_KEY], np.uint64)
TAIL_KEYS = np.array([name_key(name[NAME_BYTES:]) for name in _BY_KEY], np.uint64)
KEY_NUMBERS = np.array([NUMBER[name] for name in _BY_KEY], np.uint8)
PROPERTIES = _properties()
CLOSES = _relations(0)
FENCES = _relations(1)
NESTS = np.ones(len(_NAMES) + 1, np.bool_)
NESTS[numbers(f"{NEVER_NEST} {_RAW}")] = False
