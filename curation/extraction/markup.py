"""Budgets of a page's markup: how deep elements nest, and how many attributes one tag has.

Bombs are made of both: 60 KB of tags cost some parsers gigabytes, or minutes, and others drop in silence
what lies too deep. ``check_markup`` comes before any parser: a scan in linear time that passes ordinary
pages, and looks closer at the others. ``check_tree`` asks a tree that lxml has built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from lxml.html import HtmlElement, HTMLParser, fromstring

from curation.extraction.blocks.tags import NAME_BYTES, NEVER_NEST, name_key
from curation.extraction.extractor import HtmlPage, PageRefused
from curation.ledger import Action, Reason

LEVELS_OF_A_TABLE = 4  # table, tbody, tr, td: a count of open tags finds one of them
_SHORTEST_ATTRIBUTE = 2  # bytes: a letter and a blank
_SEPARATORS, _QUOTES = b" \t\n\f\r/", b"\"'"
_RAW_TEXT = "script|style|textarea|title|xmp|iframe|noembed"  # elements that hold no tags
_VALUE = rb"""=\s*+(?:"[^"]*+"|'[^']*+')?"""  # quotes count only behind an equals sign
_TAGS = re.compile(
    rb"<(?:!--.*?(?:-->|\Z)|(?P<raw>%s)(?=[\s/>]).*?(?:</(?P=raw)(?=[\s/>])|\Z)|[a-z][^\s/>]*+(?P<attributes>(?:[^>=]++|%s)*+))"
    % (_RAW_TEXT.encode(), _VALUE),
    re.IGNORECASE | re.DOTALL,
)
_ANY_VALUE = re.compile(rb"""=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+)|/""")


_NEVER_NEST_KEYS = np.sort(np.array([name_key(name) for name in NEVER_NEST.split()], dtype="<u8"))


def check_page(page: HtmlPage) -> None:
    """Refuse a page over its budgets; to be called before a parser builds its tree.

    Raises:
        PageRefused: as ``check_markup``.
    """
    check_markup(page.html, page.max_depth, page.max_attributes)


def check_markup(html: str, max_depth: int, max_attributes: int) -> None:
    """Refuse a page whose elements nest deeper than ``max_depth`` or where one has more than ``max_attributes``.

    Deep nesting that the scan does not see (elements that an HTML parser multiplies) is left to the guard.

    Raises:
        PageRefused: ``page_too_deep`` or ``too_many_attributes``, with the limit.
    """
    markup = html.encode("utf-8", "surrogatepass")
    code = np.frombuffer(markup + b"\0" * (NAME_BYTES + 2), np.uint8)
    tags = np.flatnonzero(code == ord("<"))
    ends = np.append(np.flatnonzero(code == ord(">")), len(markup))
    is_odd = len(ends) - len(tags) > max_attributes  # ends of tags without beginnings may stand in values
    ends = ends[np.searchsorted(ends, tags)]
    if is_odd or any(_may_have_more_attributes(long, max_attributes) for long in _long_tags(markup, code, tags, ends, max_attributes)):
        _check_attributes(markup, max_attributes)
    if _nesting(code, tags, ends) > max_depth // LEVELS_OF_A_TABLE:
        parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
        check_tree(fromstring(markup, parser=parser), max_depth)


def check_tree(tree: HtmlElement, max_depth: int) -> None:
    """Refuse a tree deeper than ``max_depth`` elements, the root included.

    Raises:
        PageRefused: ``page_too_deep``.
    """
    if tree.xpath(f"boolean(//*[count(ancestor::*) >= {max_depth}])"):
        raise PageRefused(Action.QUARANTINED, Reason.PAGE_TOO_DEEP, limit_depth=max_depth)


def _nesting(code: np.ndarray, tags: np.ndarray, ends: np.ndarray) -> int:
    """Most elements that were opened and not yet closed, as far as their tags tell."""
    closing = code[tags + 1] == ord("/")
    keys = _name_keys(code, tags + 1 + closing)
    places = np.searchsorted(_NEVER_NEST_KEYS, keys).clip(max=len(_NEVER_NEST_KEYS) - 1)
    nests = (keys != 0) & (_NEVER_NEST_KEYS[places] != keys) & (code[np.minimum(ends, len(code)) - 1] != ord("/"))
    steps = np.where(nests, np.where(closing, -1, 1), 0)
    running = np.cumsum(steps)
    floor = np.minimum.accumulate(np.minimum(running, 0))  # closing tags of nothing count for nothing
    return int((running - floor).max(initial=0))


def _name_keys(code: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The first bytes of each tag's name in lower case, as one number; 0 where no letter stands."""
    found = code[starts[:, None] + np.arange(NAME_BYTES)]
    ends_name = (found == ord(">")) | (found == ord("/")) | (found <= ord(" "))
    in_name = np.logical_and.accumulate(~ends_name, axis=1) & _is_letter(found[:, :1])
    return np.where(in_name, found | 0x20, 0).astype(np.uint8).view("<u8").ravel()


def _long_tags(markup: bytes, code: np.ndarray, tags: np.ndarray, ends: np.ndarray, limit: int) -> Iterator[bytes]:
    """Whatever stands between a ``<`` and the next ``>``, if that many attributes fit in; it may lie in a script or in a value."""
    long = ends - tags > _SHORTEST_ATTRIBUTE * limit
    if long.any():
        starts = tags[long & _is_letter(code[tags + 1])]
        last, first = np.unique(ends[np.searchsorted(tags, starts)], return_index=True)  # of those with one end, the first holds the others
        for start, end in zip(starts[first].tolist(), last.tolist(), strict=True):
            yield markup[start:end]


def _is_letter(code: np.ndarray) -> np.ndarray:
    return ((code | 0x20) >= ord("a")) & ((code | 0x20) <= ord("z"))


def _may_have_more_attributes(tag: bytes, limit: int) -> bool:
    """Attributes stand between blanks or slashes, or behind quoted values."""
    separators = len(tag) - len(tag.translate(None, _SEPARATORS))
    quotes = len(tag) - len(tag.translate(None, _QUOTES))
    return separators > limit or quotes > 2 * limit


def _check_attributes(markup: bytes, limit: int) -> None:
    for tag in _TAGS.finditer(markup):
        attributes = tag["attributes"] or b""
        if len(attributes) > _SHORTEST_ATTRIBUTE * limit and len(_ANY_VALUE.sub(b" ", attributes).split()) > limit:
            raise PageRefused(Action.QUARANTINED, Reason.TOO_MANY_ATTRIBUTES, limit_attributes=limit)
