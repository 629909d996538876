"""Replace personal data in a text: e-mail addresses, public IP addresses, telephone numbers.

What replaces them is reserved for documentation by RFC 2606, 5737 and 3849 and the North American
numbering plan, so that the text reads as before, nobody is reached, and a second pass finds nothing.
Every pattern begins where no character of it can stand before, and every repetition is bounded: the
time is linear in the text. Numbers are replaced only if they look like telephone numbers by their
form or by the word before them; versions, dates and book numbers are to stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from typing import Any

PLACEHOLDERS = {"email": "email@example.com", "ipv6": "2001:db8::1", "ipv4": "192.0.2.1", "phone": "555-0100"}
KINDS = tuple(PLACEHOLDERS)  # in the order in which they are looked for

# Local part of 64 characters at most, labels of 63 (RFC 5321, 4.5.3.1; RFC 1035, 2.3.4).
EMAIL = re.compile(
    r"(?<![\w.%+'-])\w[\w.%+'-]{0,63}@((?:[^\W_](?:[^\W_]|-(?!\.)){0,62}\.){1,8}(?:xn--[a-z0-9]{1,59}|[^\W\d_]{2,24}))(?![\w-]|\.\w)"
)
RESERVED_DOMAIN = re.compile(r"(?i)(?:^|\.)(?:example\.(?:com|org|net)|example|test|invalid|localhost)$")
FILE_NAME = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|avif|bmp|ico|css|js|json|html?|php|pdf|zip|mp3|mp4|webm)$")  # image@2x.png

IPV4 = re.compile(r"(?<![\w.-])(?<!\w/)(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
VERSION = re.compile(
    r"(?i)(?:\b(?:versions?|ver|v|releases?|rev|revision|build|firmware|driver|section|sect|chapter|clause|update|patch)\b\.?|§)"
    r"[ :#(]{0,3}$"
)
VERSION_WORDS = 16  # characters before a number in which such a word is looked for
SMALL_PART = 40  # our choice: four parts below it are a version or a section number; one public address in 1,700 is lost by it

IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291, 2.4: all public addresses of today

PHONE = re.compile(
    # +49 (0)30 1234-567; 15 digits at most (ITU-T E.164)
    r"(?<![\w+])\+[1-9](?:[ .()/\u00a0-]{0,2}\d){7,14}(?!\d)"
    # (212) 555-0123, 1-212-555-0123, 212.555.0123: area code and exchange begin with 2 to 9
    r"|(?<![\w.,+/$€£-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d(?P<separator>[ .-]))"
    r"[2-9]\d\d(?(separator)(?P=separator)|[ .-])\d{4}(?![\w-]|[.,]\d)"
    # a number of any form after a word that announces it
    r"|(?i:(?<!\w)(?:tel|telephone|telefon|phone|mobile|cell|fax|hotline|whatsapp|call (?:us|me|at|on))"
    r"(?: ?(?:no|nr|number)\b)?[.:]{0,2} ?(?:at |on )?)"
    r"(?P<announced>\(?\d(?:[ .()/\u00a0-]{0,2}\d){6,14})(?!\d)"
)
RANGE_OF_YEARS = re.compile(r"(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d$")


def replace_personal_data(text: str, kinds: Collection[str]) -> tuple[str, dict[str, int]]:
    """The text with placeholders, and how many of each kind were replaced (kinds without any are left out).

    ``kinds``: of ``KINDS``; their order does not matter.
    """
    counts = {}
    for kind in KINDS:
        if kind in kinds:
            text, count = _REPLACERS[kind](text)
            if count:
                counts[kind] = count
    return text, counts


def _replace(pattern: re.Pattern[str], kind: str, is_personal: Callable[[re.Match[str]], bool], text: str) -> tuple[str, int]:
    count = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal count
        if not is_personal(match):
            return match[0]
        count += 1
        return PLACEHOLDERS[kind]

    return pattern.sub(replacement, text), count


def _replace_emails(text: str) -> tuple[str, int]:
    if "@" not in text:
        return text, 0
    return _replace(EMAIL, "email", _is_email, text)


def _is_email(match: re.Match[str]) -> bool:
    return not RESERVED_DOMAIN.search(match[1]) and not FILE_NAME.search(match[1])


def _replace_ipv6(text: str) -> tuple[str, int]:
    return _replace(IPV6, "ipv6", _is_public_ipv6, text)


def _is_public_ipv6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match[0])
    except ValueError:  # a time, or something else with colons
        return False
    return address in GLOBAL_UNICAST and address.is_global


def _replace_ipv4(text: str) -> tuple[str, int]:
    return _replace(IPV4, "ipv4", _is_public_ipv4, text)


def _is_public_ipv4(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:  # a number over 255, or with a leading zero
        return False
    if not address.is_global or address.is_multicast:
        return False
    parts = address.packed
    looks_like_a_version = max(parts) < SMALL_PART or parts[1] == parts[2] == 0
    named_a_version = VERSION.search(match.string, max(0, match.start() - VERSION_WORDS), match.start())
    return not looks_like_a_version and not named_a_version


def _replace_phones(text: str) -> tuple[str, int]:
    count = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal count
        number = match["announced"] or match[0]
        before, bracket = match[0].removesuffix(number), "(" if number.startswith("(") and ")" not in number else ""
        plain = number.removeprefix("(")
        if plain.startswith(PLACEHOLDERS["phone"]) or RANGE_OF_YEARS.match(plain):
            return match[0]
        count += 1
        return before + bracket + PLACEHOLDERS["phone"]

    return PHONE.sub(replacement, text), count


_REPLACERS: dict[str, Callable[[str], Any]] = {
    "email": _replace_emails,
    "ipv6": _replace_ipv6,
    "ipv4": _replace_ipv4,
    "phone": _replace_phones,
}
