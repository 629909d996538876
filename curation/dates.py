"""Dates as documents carry them: ISO 8601 in UTC, so that they sort as texts (a fraction of a second does without the Z)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_REDUCED_DATE = re.compile(r"\d{4}(?:-\d{2})?", re.ASCII)
_ARC_DATE = re.compile(r"\d{14}", re.ASCII)
# Python takes any character between day and hour, and so 1012120312300, milliseconds since 1970, for the year 1012.
_NO_DATE = re.compile(r"\d{9,13}|\d{15,}", re.ASCII)


def iso_date(date: str | None) -> str | None:
    """A date as ISO 8601 in UTC, ``2024-05-18T01:02:03Z``; None if it is no date. Without a zone it is UTC.

    A year or a month, which WARC/1.1 allows, stands for its beginning. Fourteen digits are an ARC date.
    """
    date = (date or "").strip()
    if _REDUCED_DATE.fullmatch(date):
        date = f"{date}-01-01"[:10]
    if _NO_DATE.fullmatch(date):
        return None
    try:
        parsed = datetime.strptime(date, "%Y%m%d%H%M%S") if _ARC_DATE.fullmatch(date) else datetime.fromisoformat(date)
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None
