"""Wishes that a page states about itself: robots tags and reserved text and data mining, in headers, meta tags and tdmrep.json.

Sources: Google's X-Robots-Tag and robots meta tag; DeviantArt's noai and noimageai; the W3C community report
"TDM Reservation Protocol" of 10 May 2024. Where several of these speak of one page, each reservation counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
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


class TdmRules:
    """What a site's tdmrep.json reserves. Its readers differ on whether the first or the longest match counts: each does."""

    def __init__(self, content: bytes) -> None:
        self._rules = [(pattern, length, reserved) for pattern, length, reserved in _tdm_rules(content)]

    def reserves(self, path: str) -> bool:
        """Whether text and data mining is reserved for a path, its query included."""
        matches = [(length, reserved) for pattern, length, reserved in self._rules if pattern.match(unquote(path))]
        return bool(matches) and (matches[0][1] or any(reserved for length, reserved in matches if length == max(matches)[0]))


def _tdm_rules(content: bytes) -> Iterable[tuple[re.Pattern[str], int, bool]]:
    """Pattern, its length, and whether it reserves, of every rule that can be read; patterns are those of robots.txt."""
    try:
        rules: Any = json.loads(content[:MAX_TDM_FILE_BYTES])
    except (ValueError, RecursionError):
        return
    for rule in (rules if isinstance(rules, list) else [rules])[:MAX_TDM_RULES]:
        location = rule.get("location") if isinstance(rule, dict) else None
        if isinstance(location, str):
            parts = [re.escape(unquote(part)) for part in re.split(r"\*+", location.removesuffix("$"))]
            # Each part but the last takes its first match, which makes a pattern of many stars harmless.
            pattern = "".join(f"(?>.*?{part})" if index else part for index, part in enumerate(parts))
            end = r"\Z" if location.endswith("$") else ""
            if end and len(parts) > 1:
                pattern = pattern[: pattern.rindex("(?>")] + f".*{parts[-1]}"
            yield re.compile(pattern + end, re.DOTALL), len(location), bool(_RESERVED.fullmatch(str(rule.get("tdm-reservation", ""))))
