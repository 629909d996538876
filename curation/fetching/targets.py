"""From a link, or the place of a redirect, to the address that is asked for: one reading of it, and no odd one.

Programs disagree about what some addresses mean (``http://2130706433/``, ``http://0x7f.1/``, ``http://a\\@b/``). Such an address
could pass a check as one host and be connected to as another, so it is refused. What passes is a ``yarl.URL``, which both the
check and the client use.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

from yarl import URL

from curation.fetching.outcomes import FetchProblem, FetchReason
from curation.sources.urls import DEFAULT_PORTS, HOST_LABELS, WEB_ADDRESS

MAX_URL_CHARACTERS = 8000  # RFC 9110, section 4.1: what every server should be able to read
HOST_KEY_BYTES = 8

_BLANKS = "".join(map(chr, range(0x21)))  # cut off at both ends, as browsers do (WHATWG URL, 4.4)
_IGNORED = re.compile(r"[\t\r\n]")
_RAW_BYTE = re.compile("[\udc80-\udcff]")  # as aiohttp gives a header's byte that is no UTF-8
_ODD_IN_AUTHORITY = re.compile(r"[\x00-\x20\\%\x7f]")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")  # the host is an IPv4 address to a browser (WHATWG URL, 3.5)


def parse_target(link: str, base: URL | None = None, any_port: bool = False) -> URL:
    """The address to ask for: http or https, without user name and fragment, its host in lower-case ASCII.

    ``base``: address of the answer that holds the link. ``any_port``: not only 80 and 443.

    Raises:
        FetchProblem: there is no such address, or its host or port is one that must not be asked.
    """
    text = _IGNORED.sub("", link.strip(_BLANKS)).partition("#")[0]
    text = _RAW_BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", text)  # yarl would leave them out, which is another page
    try:
        if base is not None and not re.match(r"[a-z][a-z0-9+.-]*:", text, re.IGNORECASE):
            if "\\" in text.partition("?")[0]:
                raise FetchProblem(FetchReason.ODD_ADDRESS, link)
            text = str(base.join(URL(text)))
        match = WEB_ADDRESS.match(text)
        if not match or len(text) > MAX_URL_CHARACTERS:
            raise FetchProblem(FetchReason.NO_WEB_ADDRESS, link[:MAX_URL_CHARACTERS])
        authority = text[match.start(1) :].partition("/")[0].partition("?")[0]
        path_start = match.start(1) + len(authority)
        target = URL(f"{text[:path_start]}/{text[path_start:].removeprefix('/')}").with_user(None)
        host = (target.raw_host or "").lower().removesuffix(".")
        if _ODD_IN_AUTHORITY.search(authority) or not _is_plain(host) or ("[" in authority and ":" not in host):
            raise FetchProblem(FetchReason.ODD_ADDRESS, link)
        target = target.with_host(host)
    except (ValueError, TypeError, IndexError) as error:  # what yarl says of impossible ports, brackets and names
        raise FetchProblem(FetchReason.ODD_ADDRESS, f"{link[:MAX_URL_CHARACTERS]!a}: {error}") from error
    if target.port not in DEFAULT_PORTS and not any_port:
        raise FetchProblem(FetchReason.OTHER_PORT, str(target))
    return target


def _is_plain(host: str) -> bool:
    """Whether a host is a name, four decimal numbers, or an IPv6 address without an interface."""
    if ":" in host:
        return "%" not in host and _is_address(host)
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return _is_address(host)
    return HOST_LABELS.fullmatch(host) is not None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host_key(host: str) -> int:
    """A number of 63 bits for a host, 0 or more. Its order mixes the hosts of one site with all others, which spreads load."""
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=HOST_KEY_BYTES).digest(), "big") >> 1
