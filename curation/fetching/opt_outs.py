"""Wishes that a page states about itself: robots tags and reserved text and data mining, in headers, meta tags and tdmrep.json.

Sources: Google's X-Robots-Tag and robots meta tag; DeviantArt's noai and noimageai; the W3C community report
"TDM Reservation Protocol" of 10 May 2024. Where several of these speak of one page, each reservation counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

from curation.fetching.outcomes import FetchReason
from curation.recipe_fetch import RespectSettings

BANS = frozenset({"noindex", "none", "noai", "noimageai"})
META_BYTES = 1 << 20  # our choice: tags are looked for in so much of a decoded page
MAX_TDM_FILE_BYTES = 1 << 20  # our choice
MAX_TDM_RULES = 10_000  # our choice
_RESERVED = re.compile(r"\s*(1|true)\s*", re.IGNORECASE)
_VALUED_RULES = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_LIKELY_META = re.compile(rb"<meta[\s/]", re.IGNORECASE)


def header_wish(robots_tags: Iterable[str], reservations: Iterable[str], robot: str, respect: RespectSettings) -> FetchReason | None:
    """The wish in the values of the headers X-Robots-Tag and tdm-reservation; None if there is none, or it is not respected."""
    if respect.robots_tags and any(_tag_bans(value, robot) for value in robots_tags):
        return FetchReason.ROBOTS_HEADER
    if respect.tdm_reservation and any(_RESERVED.fullmatch(value) for value in reservations):
        return FetchReason.TDM_HEADER
    return None


def _tag_bans(value: str, robot: str) -> bool:
    """Whether one X-Robots-Tag header bans; rules behind ``name:`` are for the robot of that name."""
    ours = True
    for rule in value.lower().split(","):
        name, colon, rest = rule.partition(":")
        if colon and name.strip() not in _VALUED_RULES:
            ours = name.strip() in (robot.lower(), "*")
            rule = rest
        if ours and rule.strip() in BANS:
            return True
    return False


def meta_wish(body: bytes, robot: str, respect: RespectSettings) -> FetchReason | None:
    """The wish in the meta tags of a decoded page; None if there is none, or it is not respected."""
    body = body[:META_BYTES]
    text = body.decode("utf-16", "replace") if body.startswith((b"\xff\xfe", b"\xfe\xff")) else body.decode("latin-1")
    if not _LIKELY_META.search(text.encode("latin-1", "replace")):
        return None
    tags = _MetaTags()
    tags.feed(text)
    for name, content in tags.found:
        if respect.robots_tags and name in ("robots", robot.lower()) and not BANS.isdisjoint(re.split(r"[\s,;]+", content.lower())):
            return FetchReason.ROBOTS_META
        if respect.tdm_reservation and name == "tdm-reservation" and _RESERVED.fullmatch(content):
            return FetchReason.TDM_META
    return None


class _MetaTags(HTMLParser):
    """Name and content of the meta tags of a page; those in comments and scripts are none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a meta tag that has a name."""
        values: dict[str, str] = {}
        for name, value in attrs:
            values.setdefault(name, value or "")
        if tag == "meta" and values.get("name"):
            self.found.append((values["name"].strip().lower(), values.get("content", "")))


@dataclass(frozen=True)
class _TdmRule:
    """One rule; its pattern is that of robots.txt, cut at its stars. ``length``: of the pattern."""

    parts: tuple[str, ...]
    to_end: bool
    length: int
    reserved: bool

    def matches(self, path: str) -> bool:
        """Whether the path begins as the pattern does and holds its parts in order.

        No regular expressions: compiling and matching those of a hostile file held all other hosts up for seconds.
        """
        first, *others = self.parts
        if not path.startswith(first):
            return False
        place = len(first)
        if not others:
            return not self.to_end or place == len(path)
        *between, last = others
        for part in between:
            found = path.find(part, place)
            if found < 0:
                return False
            place = found + len(part)
        return len(path) - len(last) >= place and path.endswith(last) if self.to_end else path.find(last, place) >= 0


class TdmRules:
    """What a site's tdmrep.json reserves. Its readers differ on whether the first or the longest match counts: each does."""

    def __init__(self, content: bytes) -> None:
        self._rules = list(_tdm_rules(content))

    def reserves(self, path: str) -> bool:
        """Whether text and data mining is reserved for a path, its query included."""
        plain = unquote(path)
        matches = [rule for rule in self._rules if rule.matches(plain)]
        longest = max((rule.length for rule in matches), default=0)
        return bool(matches) and (matches[0].reserved or any(rule.reserved for rule in matches if rule.length == longest))


def _tdm_rules(content: bytes) -> Iterable[_TdmRule]:
    """Every rule that can be read."""
    try:
        rules: Any = json.loads(content[:MAX_TDM_FILE_BYTES])
    except (ValueError, RecursionError):
        return
    for rule in (rules if isinstance(rules, list) else [rules])[:MAX_TDM_RULES]:
        location = rule.get("location") if isinstance(rule, dict) else None
        if isinstance(location, str):
            parts = tuple(unquote(part) for part in re.split(r"\*+", location.removesuffix("$")))
            yield _TdmRule(parts, location.endswith("$"), len(location), bool(_RESERVED.fullmatch(str(rule.get("tdm-reservation", "")))))
