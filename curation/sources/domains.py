"""The registered domain of an address: what one owner holds, by the Public Suffix List.

``http://a.b.example.co.uk/x`` belongs to ``example.co.uk``. The list is the one that the
distribution ``tld`` carries, private suffixes such as ``blogspot.com`` included.
"""

from __future__ import annotations

import functools
from importlib import resources

from curation.sources.urls import WEB_ADDRESS, canonical_key, host_of

LIST = "effective_tld_names.dat.txt"
CACHED_HOSTS = 1 << 16


def site_of(url: str | None) -> str | None:
    """Registered domain of a web address; the host itself where it is an address in numbers or a suffix alone; None for no web address."""
    match = WEB_ADDRESS.match(url.strip()) if url else None
    return _site_of_authority(match[1]) if match else None


@functools.lru_cache(maxsize=CACHED_HOSTS)
def _site_of_authority(authority: str) -> str | None:
    key = canonical_key(f"http://{authority}/")
    return registered_domain(host_of(key)) if key else None


def registered_domain(host: str) -> str:
    """The public suffix of a host and one label more; the host itself where it has no more. ``host``: lower-case ASCII."""
    labels = host.split(".")
    if host.startswith("[") or labels[-1].isdecimal():
        return host
    rules = _rules()
    suffix = 1  # labels of the suffix; the list's default rule is "*"
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        if f"!{name}" in rules:
            suffix = len(labels) - start - 1
            break
        if name in rules or "*." + ".".join(labels[start + 1 :]) in rules:
            suffix = len(labels) - start
            break
    return ".".join(labels[-suffix - 1 :])


@functools.cache
def _rules() -> frozenset[str]:
    """The list's rules, in the ASCII form of host names."""
    lines = resources.files("tld").joinpath("res", LIST).read_text(encoding="utf-8").splitlines()
    rules = (line.split()[0] for line in lines if line.strip() and not line.startswith("//"))
    return frozenset(rule if rule.isascii() else _ascii(rule) for rule in rules)


def _ascii(rule: str) -> str:
    return ".".join(label if label in ("*", "!") else label.encode("idna").decode("ascii") for label in rule.split("."))
