"""Markup of a page → the same markup with nothing in it that acts or loads, for people to look at.

It is not copied but written anew: tags and attributes that are known to be harmless, cut as the scan cuts them (``blocks/syntax.py``), so
that a browser reads them as the scan did, however broken they were. All text is left out but blanks: that of the blocks is ``paint.py``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curation.extraction.blocks.tags import NUMBER


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


_RAW_TEXT = _names("script style textarea title xmp noembed iframe")
# With all that is inside: pictures and choices, whose text the scan does not see, and in which other elements mean something else.
_DROPPED_WHOLE = _names("svg template select datalist")
# The tags alone: they load or act, or hide from people what is inside them.
_DROPPED = _names(
    "applet audio base bgsound canvas embed fencedframe frame frameset link math meta meter noframes noscript object optgroup option "
    "param picture plaintext portal progress source track video x-kept x-left"
)
_ATTRIBUTES = _names(
    "abbr align alt bgcolor border cellpadding cellspacing checked class clear color cols colspan dir disabled face height hidden id lang "
    "noshade nowrap open placeholder reversed role rows rowspan rules size span start style summary title type valign value width"
)
_ATTRIBUTES_OF_STYLES = re.compile("(data|aria)-[a-z0-9-]{1,40}")  # styles choose elements by them
_NAME = re.compile("[a-z][a-z0-9:-]{0,40}")
_LOADS = re.compile(rb"(?:(?<=@)import|url\s*\(|image-set\s*\()", re.IGNORECASE)  # in styles
_FIXED = re.compile(rb"position\s*:\s*fixed", re.IGNORECASE)

_MARKUP = re.compile(rb"<[a-zA-Z!/?]")
_COMMENT_END = re.compile(rb"--!?>")
_TAG_NAME = re.compile(rb"</?([^ \t\n\r\f/>]*)")
_BETWEEN = re.compile(rb"[ \t\n\r\f/]*")
# A quote that never closes reaches to the end.
_ATTRIBUTE = re.compile(rb"""([^ \t\n\r\f/>][^ \t\n\r\f/>=]*)(?:[ \t\n\r\f]*=[ \t\n\r\f]*(?:"([^"]*)"?|'([^']*)'?|([^ \t\n\r\f>]*)))?""")


@dataclass(frozen=True)
class _Tag:
    """``name``: in lower case. ``attributes``: names in lower case, values as they stand. ``end``: where the markup goes on."""

    name: str
    is_end: bool
    attributes: list[tuple[str, bytes]]
    closes_itself: bool
    end: int


def harmless(markup: bytes) -> str:
    """The blanks and harmless tags of what stands between two texts of a page."""
    return "".join(_harmless_parts(markup))


def escaped(text: bytes) -> str:
    """Text of a page that cannot be anything but text, nor leave the double quotes around it; its references keep their meaning."""
    return text.decode("utf-8", "replace").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _harmless_parts(markup: bytes) -> Iterator[str]:
    dropped, depth = "", 0  # the element that is dropped whole, and how often it is open
    endless: set[str] = set()  # what was found not to end; to look for its end again and again would take time without bounds
    place = 0
    while found := _MARKUP.search(markup, place):
        if not dropped:
            yield _blanks(markup[place : found.start()])
        if found[0][1] in b"!?":
            place = _end_of_declaration(markup, found.start(), endless)
            continue
        tag = _cut_tag(markup, found.start())
        content, place = b"", tag.end
        if tag.name in _RAW_TEXT and not tag.is_end:
            content, place = _cut_raw_text(markup, tag, endless)
        if tag.name in _DROPPED_WHOLE:
            if dropped in ("", tag.name) and not tag.closes_itself:
                depth = max(0, depth - 1) if tag.is_end else depth + 1
                dropped = tag.name if depth else ""
        elif not dropped:
            yield _written(tag, content)
    if not dropped:
        yield _blanks(markup[place:])


def _blanks(text: bytes) -> str:
    return "" if text.strip() else text.decode()


def _end_of_declaration(markup: bytes, start: int, endless: set[str]) -> int:
    """Where a comment or a declaration ends; a comment that never ends is over at its ``>``."""
    if markup.startswith(b"<!--", start) and not markup.startswith(b"<!-->", start) and "!--" not in endless:
        end = _COMMENT_END.search(markup, start + 4)
        if end:
            return end.end()
        endless.add("!--")
    return _behind(markup, b">", start)


def _behind(markup: bytes, byte: bytes, start: int) -> int:
    place = markup.find(byte, start)
    return place + 1 if place >= 0 else len(markup)


def _cut_tag(markup: bytes, start: int) -> _Tag:
    named = _TAG_NAME.match(markup, start)
    assert named
    attributes: list[tuple[str, bytes]] = []
    place, closes_itself = named.end(), False
    while between := _BETWEEN.match(markup, place):
        closes_itself = between[0].endswith(b"/")
        place = between.end()
        attribute = _ATTRIBUTE.match(markup, place)
        if attribute is None:
            break
        value = next((value for value in attribute.groups()[1:] if value is not None), b"")
        attributes.append((attribute[1].decode("ascii", "replace").lower(), value))
        place = attribute.end()
    name = named[1].decode("ascii", "replace").lower()
    return _Tag(name, markup[start + 1 : start + 2] == b"/", attributes, closes_itself, min(place + 1, len(markup)))


def _cut_raw_text(markup: bytes, tag: _Tag, endless: set[str]) -> tuple[bytes, int]:
    """The content of an element of raw text, and where the markup goes on: behind its end tag, or at the next tag if it has none."""
    end_tag = re.compile(rb"</%s(?=[ \t\n\r\f/>]|\Z)" % tag.name.encode(), re.IGNORECASE)
    end = None if tag.name in endless else end_tag.search(markup, tag.end)
    if end:
        return markup[tag.end : end.start()], _behind(markup, b">", end.end())
    endless.add(tag.name)
    place = _behind(markup, b"<", tag.end)
    place -= markup[place - 1 : place] == b"<"
    return markup[tag.end : place], place


def _styled(style: bytes) -> bytes:
    """A style in which what loads has names that mean nothing, and what would lie over the page stands in it, as high as its text.

    Scripts, or styles that are not here, would have hidden most of what is fixed.
    """
    return _FIXED.sub(rb"height:auto!important;min-height:0!important;none-\g<0>", _LOADS.sub(rb"none-\g<0>", style))


def _written(tag: _Tag, content: bytes) -> str:
    """The tag, if it is harmless, without the attributes that are not; of raw text, styles alone."""
    if tag.name == "style" and not tag.is_end:
        return f"<style>{_styled(content).decode('utf-8', 'replace')}</style>"
    if tag.name in _RAW_TEXT or tag.name in _DROPPED or not _NAME.fullmatch(tag.name):
        return ""
    if tag.is_end:
        return f"</{tag.name}>"
    attributes = [' href="#"' for name, _ in tag.attributes if name == "href" and tag.name == "a"]  # that it looks like a link
    for name, value in tag.attributes:
        if name in _ATTRIBUTES or _ATTRIBUTES_OF_STYLES.fullmatch(name):
            attributes.append(f' {name}="{escaped(_styled(value))}"')
    if tag.name == "details":
        attributes.append(" open")
    end = f"</{tag.name}>" if tag.closes_itself and tag.name not in NUMBER else ""  # which browsers would leave open
    return f"<{tag.name}{''.join(attributes)}>{end}"
