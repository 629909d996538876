"""Lists of domains and addresses → one small table that tells which entry, if any, holds an address.

A list has one entry a line: a domain (``example.org``, with all below it), a name under any public suffix
(``example.*``), or an address (``example.org/forum``, with all below it on that host). Lines of hosts files
(``0.0.0.0 example.org``) and comments (``#``) are understood. A folder such as UT1's, with ``domains`` and
``urls`` files in a folder a category, is as many lists. The table takes 10 bytes an entry; a look-up costs the
same for ten entries and for millions.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation import storage
from curation.errors import InputError
from curation.ids import hash_id
from curation.sources.compressed import open_decompressed
from curation.sources.domains import registered_domain
from curation.sources.urls import canonical_key, host_of

SUFFIXES = tuple(name + packed for name in ("domains", "urls", ".txt", ".list", ".hosts") for packed in ("", ".gz"))
MAX_LINE_BYTES = 1 << 16  # our choice; longer lines are no entries
MAX_PATH_PARTS = 64  # of an address that entries are looked for; our choice
MAX_LISTS = 1 << 16  # so that two bytes name one
ANY_SUFFIX = ".*"
_PLAIN_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_HOSTS_LINE = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(\S+)")


@dataclass(frozen=True)
class AddressTable:
    """Hashes of entries, sorted, and for each the number of its list in ``names``."""

    hashes: npt.NDArray[np.uint64]
    lists: npt.NDArray[np.uint16]
    names: list[str]

    def find(self, key: str) -> tuple[str, str] | None:
        """The widest entry that holds an address, given by its canonical key, and the name of its list; None if none does."""
        if not len(self.hashes):
            return None
        entries = _entries_that_hold(key)
        wanted = np.array([hash_id(entry) for entry in entries], np.uint64)
        places = np.minimum(np.searchsorted(self.hashes, wanted), len(self.hashes) - 1)
        found = np.flatnonzero(self.hashes[places] == wanted)
        return (entries[found[0]], self.names[self.lists[places[found[0]]]]) if len(found) else None

    def to_bytes(self) -> bytes:
        """The table as a file; the same entries give the same bytes."""
        stream = io.BytesIO()
        np.savez(stream, hashes=self.hashes, lists=self.lists, names=np.array(self.names, dtype=np.str_))
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> AddressTable:
        """Inverse of ``to_bytes``."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(arrays["hashes"], arrays["lists"], arrays["names"].tolist())


def _entries_that_hold(key: str) -> list[str]:
    """All entries that an address falls under, widest first: domains, name of the registered domain, beginnings of the address."""
    host, place = host_of(key), key.partition("?")[0].rstrip("/")
    labels = host.split(".")
    domains = [".".join(labels[start:]) for start in range(len(labels) - 1, -1, -1)]
    name = registered_domain(host).partition(".")[0] + ANY_SUFFIX
    parts = place.split("/", MAX_PATH_PARTS)
    beginnings = ["/".join(parts[:size]) + "/" for size in range(1, len(parts) + 1)]
    return [*domains, name, *beginnings, *([key] if "?" in key else [])]


def entry_of(line: str) -> str | None:
    """A line of a list as an entry of the table; None for one that holds none.

    Domains stay as they are, in the canonical form of hosts. Addresses end in ``/``, or hold ``?``.
    """
    line = re.sub(r"(?:^|\s)#.*", "", line.strip(), flags=re.DOTALL).strip()
    hosts_line = _HOSTS_LINE.match(line)
    if hosts_line:
        line = hosts_line[1]
    if _PLAIN_DOMAIN.fullmatch(line) and not line.startswith("www."):
        return line
    if line.endswith(ANY_SUFFIX):
        name = line.removesuffix(ANY_SUFFIX).lower()
        return name + ANY_SUFFIX if _PLAIN_DOMAIN.fullmatch(f"{name}.com") and "." not in name else None
    with_scheme = "://" in line
    key = canonical_key(line if with_scheme else f"http://{line.removeprefix('*.').removeprefix('.')}")
    if key is None:
        return None
    if not with_scheme and "/" not in line:
        return host_of(key)
    return key if "?" in key else key.rstrip("/") + "/"


def read_list(path: str) -> Iterator[str]:
    """The entries of one list, in its order, repeated ones too; lines that are none are passed over.

    Raises:
        InputError: the file cannot be read, or holds no entry at all.
    """
    empty = True
    with storage.open_binary(path) as stream, open_decompressed(stream, path) as lines:
        while line := lines.readline(MAX_LINE_BYTES):
            entry = entry_of(line.decode("utf-8", "replace"))
            if entry is not None:
                empty = False
                yield entry
    if empty:
        raise InputError(f"{path} holds no domain and no address; a list has one a line, such as example.org or example.org/forum")


def list_name(path: str) -> str:
    """What a list is called in the ledger: its file, with the category before it where that is a folder's name (``adult/domains``)."""
    parts = path.replace("\\", "/").rstrip("/").split("/")
    return "/".join(parts[-2:]) if parts[-1].partition(".")[0] in ("domains", "urls") else parts[-1]


def build_table(lists: Sequence[tuple[str, Iterable[str]]]) -> AddressTable:
    """The table of lists, each a name and its entries; of an entry in two lists, the first list counts.

    Raises:
        InputError: there are too many lists.
    """
    if len(lists) > MAX_LISTS:
        raise InputError(f"{len(lists)} lists of addresses are more than {MAX_LISTS}; join some of them")
    hashes = [np.fromiter(map(hash_id, entries), np.uint64) for _, entries in lists]
    numbers = [np.full(len(some), number, np.uint16) for number, some in enumerate(hashes)]
    unique, first = np.unique(np.concatenate([np.empty(0, np.uint64), *hashes]), return_index=True)
    return AddressTable(unique, np.concatenate([np.empty(0, np.uint16), *numbers])[first], [name for name, _ in lists])
