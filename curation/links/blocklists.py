"""Lists of what is left out: subreddits, domains and endings of paths; some come with the package, others are files of the user."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from importlib import resources

from curation import storage
from curation.errors import InputError
from curation.sources.address_lists import SUFFIXES, AddressTable, build_table, list_name, read_list
from curation.sources.domains import registered_domain

OWN = resources.files("curation.links") / "lists"
CACHED_HOSTS = 1 << 16  # hosts whose verdict is remembered


class HostLists:
    """Domains that are left out, by registered domain or by any longer suffix of the host, and addresses below a path."""

    def __init__(self, names: Sequence[str]) -> None:
        """``names``: lists of the package, or files and folders as ``crawl.select.deny_lists`` has them.

        Raises:
            InputError: a list cannot be read, or is empty.
        """
        own = [_own_list(name, "domains") for name in names]
        files = storage.expand_paths([name for name, path in zip(names, own, strict=True) if path is None], SUFFIXES)
        lists = [(list_name(path), list(read_list(path))) for path in [*(path for path in own if path), *files]]
        self._table: AddressTable = build_table(lists)
        self.with_paths = any("/" in entry for _, entries in lists for entry in entries)

    def block(self, place: str) -> bool:
        """Whether an address, given by its canonical key, is left out. Of a key the host is enough, unless lists are ``with_paths``."""
        return self._table.find(place) is not None


def read_extensions(names: Sequence[str]) -> tuple[str, ...]:
    """The endings of lists of the package or of files, each with its dot, in lower case.

    Raises:
        InputError: a list cannot be read, or is empty.
    """
    found = (ending for name in names for ending in _lines(_own_list(name, "extensions") or name, "ending of a path, such as pdf"))
    return tuple(sorted({"." + ending.lower().removeprefix("*").removeprefix(".") for ending in found}))


def read_subreddits(paths: Sequence[str]) -> frozenset[str]:
    """The subreddits of files, in lower case, without ``/r/``.

    Raises:
        InputError: a file cannot be read, or is empty.
    """
    lines = (line.lower().strip("/") for path in paths for line in _lines(path, "subreddit, such as /r/pics"))
    return frozenset(line.removeprefix("r/") for line in lines)


def _own_list(name: str, kind: str) -> str | None:
    path = OWN / f"{name}.{kind}"
    return str(path) if "/" not in name and path.is_file() else None


def _lines(path: str, what: str) -> Iterator[str]:
    """The lines of a file without comments and blank ones."""
    lines = [line.partition("#")[0].strip() for line in storage.read_bytes(path).decode("utf-8-sig", "replace").splitlines()]
    if not any(lines):
        raise InputError(f"{path} holds nothing; a list has a line for each {what}")
    yield from filter(None, lines)


@functools.lru_cache(CACHED_HOSTS)
def domain_of_host(host: str) -> str:
    """The registered domain of a host, remembered: links share a few hosts."""
    return registered_domain(host)
