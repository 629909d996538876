"""Rules on the address of a document; one without an address passes. All limits are off by default: no paper gives them."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from curation import storage
from curation.ledger import Reason
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.rules import Family, FloatArray, Rule, share

IntArray = npt.NDArray[np.int64]
SEPARATORS = re.compile(r"[^a-z0-9]+")


class Addresses(NamedTuple):
    """Counts of each address (int64)."""

    characters: IntArray
    digits: IntArray
    host_hyphens: IntArray
    numeric_hosts: IntArray
    bad_words: IntArray


def count(_batch: Batch, urls: list[str], settings: Any) -> Addresses:
    """What the rules need."""
    path = settings.bad_words
    listed = _bad_words(path, storage.sha256_of(storage.read_bytes(path))) if path else frozenset()
    hosts = [_host(url) for url in urls]
    columns = (
        [len(url) for url in urls],
        [sum(character.isdigit() for character in url) for url in urls],
        [host.count("-") for host in hosts],
        [_is_numeric(host) for host in hosts],
        [len(listed.intersection(SEPARATORS.split(url.lower()))) for url in urls],
    )
    return Addresses(*(np.array(column, np.int64) for column in columns))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # such as http://[, which no crawler could have fetched
        return ""


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1)
def _bad_words(path: str, _digest: str) -> frozenset[str]:
    lines = storage.read_bytes(path).decode("utf-8", "replace").splitlines()
    return frozenset(SEPARATORS.sub("", line.lower()) for line in lines) - {""}


def characters(counts: Addresses) -> FloatArray:
    """Length of the address."""
    return counts.characters.astype(np.float64)


def digits(counts: Addresses) -> FloatArray:
    """Share of the address's characters that are digits."""
    return share(counts.digits, counts.characters)


def host_hyphens(counts: Addresses) -> FloatArray:
    """Hyphens in the host name."""
    return counts.host_hyphens.astype(np.float64)


def numeric_hosts(counts: Addresses) -> FloatArray:
    """1 where the host is an IP address."""
    return counts.numeric_hosts.astype(np.float64)


def bad_words(counts: Addresses) -> FloatArray:
    """Different words of the list in the address."""
    return counts.bad_words.astype(np.float64)


FAMILY = Family(
    "url",
    count,
    (
        Rule(Reason.URL_TOO_LONG, "max_characters", characters),
        Rule(Reason.URL_DIGITS, "max_digits", digits),
        Rule(Reason.URL_HYPHENS, "max_hyphens", host_hyphens),
        Rule(Reason.URL_NUMERIC_HOST, "max_numeric_hosts", numeric_hosts),
        Rule(Reason.URL_BAD_WORDS, "max_bad_words", bad_words),
    ),
)
