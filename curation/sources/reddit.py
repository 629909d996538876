"""Reddit submission dumps → the links that readers shared, as WebText chose them (GPT-2, section 2.1).

Comes in: Pushshift's monthly files (``RS_2015-01.zst``, ``.xz``, ``.bz2``, ``.gz`` or plain), one
JSON object a line. Goes out: the best score of every linked page, and what became of every row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from curation import storage
from curation.sources.compressed import open_decompressed
from curation.sources.urls import canonical_key, host_is_below, host_of, path_of

MAX_ROW_BYTES = 16 << 20  # our choice; a submission's text ends at 40,000 characters

# Domains that jcpeterson/openwebtext and openwebtext2 both leave out: pages without prose.
_BLOCKED_DOMAINS = """
    imgur.com redd.it instagram.com discord.gg gfycat.com giphy.com reddituploads.com redditmedia.com twimg.com sli.mg magaimg.net
    flickr.com imgflip.com youtube.com youtu.be youtubedoubler.com vimeo.com twitch.tv streamable.com bandcamp.com soundcloud.com
    reddit.com gyazo.com github.com xkcd.com twitter.com spotify.com itunes.apple.com facebook.com gunprime.com strawpoll.me
    voyagefusion.com rollingstone.com google.com timeanddate.com walmart.com roanoke.com spotrac.com battleforthenet.com
"""
BLOCKED_DOMAINS = frozenset(_BLOCKED_DOMAINS.split())

# "We removed all Wikipedia documents from WebText" (GPT-2, section 2.1); with mirrors that have a host of their own, our choice.
WIKIPEDIA_DOMAINS = frozenset(["wikipedia.org", "wikipedia.com", "wikiwand.com", "secure.wikimedia.org"])

# Endings of paths that lead to no page, as openwebtext2 has them.
_BLOCKED_EXTENSIONS = """
    png jpg jpeg gif gifv pdf mp4 mp3 ogv webm doc docx log csv dat iso bin exe apk jar app ppt pps pptx xml gz xz bz2 tgz tar zip
    wma mov wmv 3gp svg rar wav avi 7z
"""
BLOCKED_EXTENSIONS = tuple("." + extension for extension in _BLOCKED_EXTENSIONS.split())


class RowFate(StrEnum):
    """What became of a row; the first that holds, in this order."""

    UNREADABLE_ROW = "unreadable_row"  # no JSON object, or over ``MAX_ROW_BYTES``
    SELF_POST = "self_post"
    OVER_18 = "over_18"
    NO_URL = "no_url"  # absent, empty, or "[deleted]"
    ODD_URL = "odd_url"  # no address of a web page
    NO_SCORE = "no_score"  # absent, or no whole number
    LOW_SCORE = "low_score"
    WIKIPEDIA = "wikipedia"
    BLOCKED_DOMAIN = "blocked_domain"
    BLOCKED_EXTENSION = "blocked_extension"
    SELECTED = "selected"


@dataclass(frozen=True)
class Links:
    """Shared pages: canonical key (``urls.canonical_key``) to the best score; and rows counted by fate, zeros included."""

    karma: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def karma_of(self, url: str) -> int | None:
        """Best score among the selected submissions that link to the page; None if there is none."""
        key = canonical_key(url)
        return None if key is None else self.karma.get(key)


def select_links(paths: Iterable[str], min_karma: int = 3) -> Links:
    """Links of the dumps with a score of at least ``min_karma`` in one submission (scores are not summed).

    Every row is counted under one fate; an odd row costs nothing but itself. Memory: one entry a page.

    Raises:
        InputError: a dump is missing, cut short, or cannot be decompressed.
    """
    links = Links(counts=Counter({fate.value: 0 for fate in RowFate}))
    for path in paths:
        for row in read_submissions(path):
            fate, key, score = judge(row, min_karma)
            links.counts[fate.value] += 1
            if fate is RowFate.SELECTED:
                links.karma[key] = max(score, links.karma.get(key, score))
    return links


def read_submissions(path: str) -> Iterator[Mapping[str, Any] | None]:
    """The rows of a dump, streamed; None stands for a row that is no JSON object. Blank lines are no rows.

    Raises:
        InputError: the file is missing, cut short, or cannot be decompressed.
    """
    with storage.open_binary(path) as stream, open_decompressed(stream, path) as lines:
        while line := lines.readline(MAX_ROW_BYTES):
            too_long = False
            while not line.endswith(b"\n") and len(line) == MAX_ROW_BYTES:
                too_long, line = True, lines.readline(MAX_ROW_BYTES)
            if too_long:
                yield None
            elif not line.isspace():
                yield _parse(line)


def _parse(line: bytes) -> Mapping[str, Any] | None:
    try:
        # A broken character in a title must not cost the link.
        row = json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def judge(row: Mapping[str, Any] | None, min_karma: int) -> tuple[RowFate, str, int]:
    """Fate of a row, with the canonical key of its link and its score where it is selected ("" and 0 elsewhere)."""
    if row is None:
        return RowFate.UNREADABLE_ROW, "", 0
    if _is_true(row.get("is_self")):
        return RowFate.SELF_POST, "", 0
    if _is_true(row.get("over_18")):
        return RowFate.OVER_18, "", 0
    url = row.get("url")
    if not isinstance(url, str) or url.strip() in ("", "[deleted]", "[removed]"):
        return RowFate.NO_URL, "", 0
    key = canonical_key(_unescape(url))
    if key is None:
        return RowFate.ODD_URL, "", 0
    score = _whole_number(row.get("score"))
    if score is None:
        return RowFate.NO_SCORE, "", 0
    if score < min_karma:
        return RowFate.LOW_SCORE, "", 0
    host = host_of(key)
    if host_is_below(host, WIKIPEDIA_DOMAINS):
        return RowFate.WIKIPEDIA, "", 0
    if host_is_below(host, BLOCKED_DOMAINS):
        return RowFate.BLOCKED_DOMAIN, "", 0
    if path_of(key).lower().endswith(BLOCKED_EXTENSIONS):
        return RowFate.BLOCKED_EXTENSION, "", 0
    return RowFate.SELECTED, key, score


def _is_true(value: Any) -> bool:
    """Flags are booleans in Pushshift's files and strings or numbers in files made from tables."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("true", "1"))


def _unescape(url: str) -> str:
    """The address behind the five entities that Reddit's interface escapes.

    Not ``html.unescape``: that reads ``&copy=1`` and ``&lang=de`` as characters without semicolon.
    """
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        url = url.replace(entity, character)
    return url


def _whole_number(value: Any) -> int | None:
    """A score as an integer of 64 bits; scores come as 12, "12" or 12.0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):  # "many", NaN, infinity
        return None
    if isinstance(value, float) and number != value:
        return None
    return number if abs(number) < 1 << 63 else None
