"""The canonical key of a web address: equal for the spellings under which one page is linked and crawled.

``http://WWW.Example.com:80/%7Euser?utm_source=x&id=1#top`` and ``https://example.com/~user?id=1``
have the same key, ``example.com/~user?id=1``.
"""

from __future__ import annotations

import functools
import re

CACHED_AUTHORITIES = 1 << 16  # hosts whose canonical form is remembered; links share a few hosts
IGNORED_BY_BROWSERS = re.compile(r"[\t\r\n]")  # anywhere in an address (WHATWG URL, 4.4)
WEB_ADDRESS = re.compile(r"https?://([^/?#\\]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
# Most addresses: printable ASCII without escapes, fragment, or backslash in the path; only host and parameters are to be normalised.
_PLAIN_ADDRESS = re.compile(r"https?://([!-\"$&-.0->@-\[\]-~]*)(/[!-\"$&->@-\[\]-~]*)?(?:\?([!-\"$&-~]*))?")
HOST_AND_PORT = re.compile(r"(?:.*@)?(\[[0-9a-f:.]+\]|[^:\[\]@]+)(?::(\d{0,5}))?")
PORT = re.compile(r":\d+$")
HOST_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")  # RFC 1123, and the underscore that is seen in the wild
MAX_PORT = 65535
DEFAULT_PORTS = frozenset({80, 443})
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986, section 2.3
ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}|%|[^!-~]")
NEEDS_ESCAPING = re.compile(r"%|[^!-~]")

# Parameters that campaign and click tracking adds to an address and that choose no other page; our choice.
TRACKING_PREFIX = "utm_"
TRACKING_PARAMETERS = frozenset(
    [
        *("fbclid", "gclid", "gclsrc", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "twclid", "ttclid", "igsh", "igshid", "_ga", "_gl"),
        *("mc_cid", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "wt.mc_id"),
    ]
)


def canonical_key(url: str) -> str | None:
    """Canonical key of an http or https address, without scheme: ``host[:port]/path[?query]``; None for anything else.

    Dropped: scheme, user name, a leading ``www.``, default port, the host's final dot, fragment,
    tracking parameters, empty parameters. The host becomes lower-case ASCII (IDNA); percent escapes
    are normalised as RFC 3986, section 6.2.2 has it; a backslash of the path is a slash. Path and parameters keep case and order, since
    servers tell them apart. ``canonical_key("http://" + key) == key``.
    """
    plain = _PLAIN_ADDRESS.fullmatch(url)
    match = plain or WEB_ADDRESS.match(IGNORED_BY_BROWSERS.sub("", url).strip())
    if not match:
        return None
    authority, path, query = match.groups("")
    host = _canonical_host(authority)
    if host is None or not (plain or is_text(path + query)):
        return None
    if not plain:
        path = _normalise_escapes(path.replace("\\", "/"))  # as browsers read it (WHATWG URL, 4.4): else one would hide the host
        query = _normalise_escapes(query)
    key: str = host + (path or "/")
    if not query:
        return key
    parameters = [part for part in query.split("&") if part and not _is_tracking(part)]
    return f"{key}?{'&'.join(parameters)}" if parameters else key


def host_of(key: str) -> str:
    """Host of a canonical key, without port."""
    host = key.partition("/")[0]
    return PORT.sub("", host) if ":" in host else host


def path_of(key: str) -> str:
    """Path of a canonical key, without query."""
    return "/" + key.partition("/")[2].partition("?")[0]


def host_is_below(host: str, domains: frozenset[str]) -> bool:
    """Whether the host is one of the domains or a subdomain of one."""
    labels = host.split(".")
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))


@functools.lru_cache(CACHED_AUTHORITIES)
def _canonical_host(authority: str) -> str | None:
    match = HOST_AND_PORT.fullmatch(authority.lower())
    if not match:
        return None
    host, port = match[1], int(match[2] or 80)
    if port > MAX_PORT:
        return None
    if not host.startswith("["):
        try:
            host = host.rstrip(".").encode("idna").decode("ascii").lower()
        except UnicodeError:  # an empty label, one over 63 bytes, or a lone surrogate
            return None
        if not HOST_LABELS.fullmatch(host):
            return None
        while host.startswith("www.") and "." in host[4:]:
            host = host[4:]
    return host if port in DEFAULT_PORTS else f"{host}:{port}"


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8; JSON may spell lone surrogates."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _normalise_escapes(value: str) -> str:
    return ESCAPE.sub(_escape, value.encode()).decode("ascii") if NEEDS_ESCAPING.search(value) else value


def _escape(match: re.Match[bytes]) -> bytes:
    """The one spelling of a percent escape, of a lone percent sign, or of a byte that must be escaped."""
    found = match[0]
    byte = int(found[1:], 16) if len(found) == 3 else found[0]
    return bytes([byte]) if byte in UNRESERVED else b"%%%02X" % byte


def _is_tracking(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name.startswith(TRACKING_PREFIX) or name in TRACKING_PARAMETERS
