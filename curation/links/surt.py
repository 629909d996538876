"""The key by which Common Crawl's indexes are sorted: SURT, the host turned round, the rest folded to what archives take for one.

``http://www.Example.com/A/?b=2&a=1`` is ``com,example)/a?a=1&b=2``. The rules are those of the Internet Archive's library ``surt``,
with which the indexes are made; many pages that servers tell apart share a key, so what is found by it is compared by address.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from curation.sources.urls import NEEDS_ESCAPING, WEB_ADDRESS, host_of

_WWW = re.compile(r"^www\d*\.")
_ESCAPED = re.compile(rb"[^\x21-\x7e]|[#%]")
_SESSIONS_OF_PATH = (
    re.compile(r"^((?:.*/)?)(?:\((?:[a-z]\([0-9a-z]{24}\))+\)/)([^?]+\.aspx.*)$"),
    re.compile(r"^((?:.*/)?)(?:\([0-9a-z]{24}\)/)([^?]+\.aspx.*)$"),
)
_SESSIONS_OF_QUERY = (
    re.compile(r"^(.*)(?:jsessionid=[0-9a-z]{32})(?:&(.*))?$"),
    re.compile(r"^(.*)(?:phpsessid=[0-9a-z]{32})(?:&(.*))?$"),
    re.compile(r"^(.*)(?:sid=[0-9a-z]{32})(?:&(.*))?$"),
    re.compile(r"^(.*)(?:aspsessionid[a-z]{8}=[a-z]{24})(?:&(.*))?$"),
    re.compile(r"^(.*)(?:cfid=[^&]+&cftoken=[^&]+)(?:&(.*))?$"),
)


def surts_of(url: str, key: str) -> list[str]:
    """The SURT keys under which a page may stand in an index: as its address is spelled, and without what its canonical key drops."""
    return list(
        dict.fromkeys(_surt(key, *match.groups(default="")[1:]) for text in (url, f"http://{key}") if (match := WEB_ADDRESS.match(text)))
    )


def _surt(key: str, path: str, query: str) -> str:
    host = host_of(key)
    port = key.partition("/")[0][len(host) :]
    name = _WWW.sub("", host)
    turned = ",".join(reversed((name if "." in name else host).split(".")))
    path = _without_sessions(_without_dots(_folded(path)), _SESSIONS_OF_PATH)
    query = _without_sessions(_folded(query), _SESSIONS_OF_QUERY)
    query = "&".join("=".join(parameter) for parameter in sorted(tuple(part.split("=", 1)) for part in query.split("&")))
    return f"{turned}{port})/{path}" + (f"?{query}" if query else "")


def _folded(part: str) -> str:
    """Lower case, with escapes of just those bytes that need one."""
    if not NEEDS_ESCAPING.search(part):
        return part.lower()
    content = part.encode()
    while (plain := unquote_to_bytes(content)) != content:
        content = plain
    return _ESCAPED.sub(lambda found: b"%%%02X" % found[0][0], content).decode("ascii").lower()


def _without_dots(path: str) -> str:
    """Without empty steps, ``.`` and ``..``, and without a slash at the end."""
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def _without_sessions(part: str, patterns: tuple[re.Pattern[str], ...]) -> str:
    for pattern in patterns:
        found = pattern.match(part)
        if found:
            part = found[1] + (found[2] or "")
    return part
