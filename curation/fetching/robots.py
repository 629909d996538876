"""robots.txt as RFC 9309 reads it. Protego matches the patterns; which groups are ours is decided here, by the whole name.

Protego takes a group for ours whose name is only a beginning of ours (``User-agent: crawl`` for CrawlToGPT), and lets unknown
lines end a group. So it is given a file in which every name but ours and ``*`` has been replaced.
"""

from __future__ import annotations

import re

from protego import Protego

MAX_BYTES = 500 << 10  # RFC 9309, section 2.5
_LINES = re.compile(r"\r\n|\r|\n")
_RULE = re.compile(
    r"(?:(?P<agent>user[- ]?agent)|(?P<rule>(?:allow|dis?s?all?[oa]w|diasllow|crawl[- ]delay|request[- ]rate)))(?:\s*:|\s)\s*(?P<value>.*)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_-]+")
_OTHER = "other"


class Robots:
    """What a robots.txt says to one robot."""

    def __init__(self, content: bytes, robot: str) -> None:
        self._robot = "ours"
        if len(content) > MAX_BYTES:  # a rule cut in two could ban or allow more than was meant
            content = content[: content.rfind(b"\n", 0, MAX_BYTES) + 1]
        self._rules = Protego.parse(_for_one(content, robot, self._robot))

    def allows(self, url: str) -> bool:
        """Whether the robot may ask for an address of the site."""
        return bool(self._rules.can_fetch(url, self._robot))

    @property
    def delay_seconds(self) -> float:
        """Pause that is asked for between two requests: Crawl-delay, or what Request-rate leaves; 0 without either."""
        rate = self._rules.request_rate(self._robot)
        return max(self._rules.crawl_delay(self._robot) or 0.0, rate.seconds / rate.requests if rate else 0.0)


def _for_one(content: bytes, robot: str, ours: str) -> str:
    """The file with our name as ``ours`` and all others but ``*`` as another, and without lines that are no rules."""
    text = content.decode("utf-8-sig", "replace")
    lines = []
    for line in _LINES.split(text):
        match = _RULE.match(line.partition("#")[0].strip())
        if match is None:
            continue
        if not match["agent"]:
            lines.append(f"{match['rule']}: {_one_line(match['value'])}")
            continue
        name = _NAME.match(match["value"])
        if re.match(r"\*(\s|$)", match["value"]):
            lines.append("user-agent: *")
        else:
            lines.append(f"user-agent: {ours if name and name[0].lower() == robot.lower() else _OTHER}")
    return "\n".join(lines)


def _one_line(value: str) -> str:
    """A value without the other characters at which Python, but no robot, ends a line."""
    return "%20".join(value.split())
