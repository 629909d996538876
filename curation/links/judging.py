"""One submission → what becomes of it: the link that it shares, or the first reason that holds against it."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from curation.links.blocklists import CACHED_HOSTS, HostLists, read_extensions, read_subreddits
from curation.links.submissions import Submission
from curation.recipe_links import LinksSettings
from curation.sources.urls import canonical_key, is_text

DELETED_TEXTS = frozenset(["[deleted]", "[removed]", "[deleted by user]"])  # what Reddit puts in the place of a title or an address
MAX_SCORE = (1 << 31) - 1  # so that the sum of all of Reddit's submissions fits 64 bits
MAX_SECONDS = 1 << 35  # of an instant since 1970: the year 3058; Python's calendar ends in 9999


class RowFate(StrEnum):
    """What became of a row; the first that holds, in this order."""

    UNREADABLE_ROW = "unreadable_row"  # no JSON object, or over ``MAX_ROW_BYTES``
    SELF_POST = "self_post"
    OVER_18 = "over_18"
    NO_URL = "no_url"  # absent or empty
    DELETED = "deleted"
    NO_SCORE = "no_score"  # absent, or no whole number of 32 bits
    LOW_SCORE = "low_score"  # with karma rule "any": below the least score
    BLOCKED_SUBREDDIT = "blocked_subreddit"
    OTHER_DATE = "other_date"  # outside the days asked for, or without a date where days are asked for
    ODD_URL = "odd_url"  # no address of a web page
    WIKIPEDIA = "wikipedia"
    BLOCKED_DOMAIN = "blocked_domain"
    BLOCKED_EXTENSION = "blocked_extension"
    REPEATED_SUBMISSION = "repeated_submission"  # its id was there before with the same link, as in dumps that overlap
    LOW_KARMA = "low_karma"  # with karma rules "sum" and "max": the link as a whole is below the least karma
    SELECTED = "selected"

    __hash__ = str.__hash__  # that of enumerations is no compiled code, and every row is counted


class SharedLink(msgspec.Struct, frozen=True, gc=False):
    """What a selected row says of a link. ``key``: canonical; ``created``: seconds since 1970, None if unknown."""

    key: str
    url: str
    score: int
    subreddit: str | None
    created: int | None
    id: str | None


class Judge:
    """The rules of a recipe, with the lists that they name."""

    def __init__(self, settings: LinksSettings) -> None:
        """Read the lists.

        Raises:
            InputError: a list cannot be read, or is empty.
        """
        self._settings = settings
        self._min_score = settings.min_karma if settings.karma == "any" else -MAX_SCORE
        self._subreddits = read_subreddits(settings.blocked_subreddits)
        self._wikipedia = HostLists([] if settings.wikipedia else ["wikipedia"])
        self._domains = HostLists(settings.blocked_domains)
        self._extensions = read_extensions(settings.blocked_extensions)
        self._last_parts = frozenset(ending[ending.rfind(".") :] for ending in self._extensions)
        with_paths = self._wikipedia.with_paths or self._domains.with_paths
        self._why_place = self._look_up if with_paths else functools.lru_cache(CACHED_HOSTS)(self._look_up)
        self._with_paths = with_paths
        self._has_days = settings.first_day is not None or settings.last_day is not None
        self._first_second = _midnight(settings.first_day) if settings.first_day else 0
        self._end_second = _midnight(settings.last_day, days_later=1) if settings.last_day else MAX_SECONDS

    def judge(self, row: Submission | None) -> RowFate | SharedLink:
        """The reason against a row, or what it says of the link that it shares."""
        if row is None:
            return RowFate.UNREADABLE_ROW
        settings = self._settings
        if row.is_self and not settings.self_posts and _is_true(row.is_self):
            return RowFate.SELF_POST
        if row.over_18 and not settings.over_18 and _is_true(row.over_18):
            return RowFate.OVER_18
        url = row.url.strip() if isinstance(row.url, str) else ""
        if not url:
            return RowFate.NO_URL
        if url in DELETED_TEXTS or (not settings.deleted and _is_deleted(row)):
            return RowFate.DELETED
        score = whole_number(row.score)
        if score is None or not -MAX_SCORE <= score <= MAX_SCORE:
            return RowFate.NO_SCORE
        if score < self._min_score:
            return RowFate.LOW_SCORE
        if self._subreddits and (_name(row.subreddit) or "").lower() in self._subreddits:
            return RowFate.BLOCKED_SUBREDDIT
        if self._has_days and not self._is_in_days(_instant(row.created_utc)):
            return RowFate.OTHER_DATE
        if "&" in url or "#" in url:
            url = _unescape(url).partition("#")[0]
        key = canonical_key(url)
        if key is None or not (url.isascii() or is_text(url)):
            return RowFate.ODD_URL
        host, _, path = key.partition("/")
        reason = self._why_place(key if self._with_paths else host)
        if reason is None and self._has_blocked_extension(path.partition("?")[0].lower()):
            reason = RowFate.BLOCKED_EXTENSION
        return reason or SharedLink(key, url, score, _name(row.subreddit), _instant(row.created_utc), _name(row.id))

    def _is_in_days(self, created: int | None) -> bool:
        return created is not None and self._first_second <= created < self._end_second

    def _has_blocked_extension(self, path: str) -> bool:
        return path[path.rfind(".") :] in self._last_parts and path.endswith(self._extensions)  # the set first: it is faster

    def _look_up(self, place: str) -> RowFate | None:
        if self._wikipedia.block(place):
            return RowFate.WIKIPEDIA
        return RowFate.BLOCKED_DOMAIN if self._domains.block(place) else None


def _midnight(day: str, days_later: int = 0) -> int:
    """Seconds from 1970 to the beginning of a day in UTC."""
    beginning = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return int((beginning - datetime.fromtimestamp(0, UTC) + timedelta(days=days_later)).total_seconds())


def _name(value: Any) -> str | None:
    """A subreddit or an id; their names are ASCII."""
    return value if isinstance(value, str) and value.isascii() and value else None


def _instant(value: Any) -> int | None:
    """A time of submission, in seconds since 1970."""
    seconds = whole_number(value)
    return seconds if seconds is not None and 0 < seconds < MAX_SECONDS else None


def _is_deleted(row: Submission) -> bool:
    """Whether a submission was taken back. That its author's account is gone says nothing of the link."""
    title = row.title
    return isinstance(row.removed_by_category, str) or (isinstance(title, str) and title[:1] == "[" and title.strip() in DELETED_TEXTS)


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


def whole_number(value: Any) -> int | None:
    """An integer; scores and dates come as 12, "12" or 12.0."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, (float, str)):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):  # "many", NaN, infinity
        return None
    return number if not isinstance(value, float) or number == value else None
