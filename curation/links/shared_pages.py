"""Tables of links → which pages were shared, for the workers of a crawl: two sorted arrays that they map into memory together."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from curation import storage
from curation.ids import hash_id
from curation.links.blocklists import domain_of_host
from curation.links.table import read_link_slices
from curation.sources.urls import canonical_key, host_of

Match = Literal["url", "domain"]
READ_ROWS = 1 << 20
HASHES, KARMA = "hashes.npy", "karma.npy"  # the two files


@dataclass(frozen=True)
class SharedPages:
    """Hashes of canonical keys, or of registered domains, sorted, and the best karma of each; 16 bytes a link."""

    hashes: npt.NDArray[np.uint64]
    karma: npt.NDArray[np.int64]
    match: Match

    def karma_of(self, url: str) -> int | None:
        """The karma of a page, or the best of its domain; None if it was not shared."""
        key = canonical_key(url)
        if key is None or not len(self.hashes):
            return None
        wanted = np.uint64(hash_id(_name(key, self.match)))
        place = min(int(np.searchsorted(self.hashes, wanted)), len(self.hashes) - 1)
        return int(self.karma[place]) if self.hashes[place] == wanted else None

    def to_files(self) -> dict[str, bytes]:
        """The arrays as files, by name."""
        return {HASHES: _array_bytes(self.hashes), KARMA: _array_bytes(self.karma)}

    @classmethod
    def open(cls, folder: str, match: Match) -> SharedPages:
        """The arrays of a folder, mapped into memory where it is local."""
        return cls(_open_array(storage.join(folder, HASHES)), _open_array(storage.join(folder, KARMA)), match)


def gather_shared_pages(tables: Sequence[str], match: Match) -> SharedPages:
    """The pages of tables of links; of a page in several of them the best karma counts.

    Raises:
        InputError: there is no such table, or it is none.
    """
    parts = [part for path in tables for part in _read_parts(path, match)]
    hashes = np.concatenate([np.empty(0, np.uint64), *(part[0] for part in parts)])
    karma = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
    order = np.lexsort((-karma, hashes))
    hashes, karma = hashes[order], karma[order]
    first = np.ones(len(hashes), bool)
    first[1:] = hashes[1:] != hashes[:-1]
    return SharedPages(hashes[first], karma[first], match)


def _read_parts(path: str, match: Match) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]:
    for part in read_link_slices(path, ["key", "karma"], READ_ROWS):
        yield _hashes(part["key"], match), part["karma"].to_numpy()


def _hashes(keys: Iterable[str], match: Match) -> npt.NDArray[np.uint64]:
    return np.fromiter((hash_id(_name(key, match)) for key in keys), np.uint64)


def _name(key: str, match: Match) -> str:
    return key if match == "url" else domain_of_host(host_of(key))


def _array_bytes(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _open_array(path: str) -> npt.NDArray[Any]:
    if storage.is_remote(path):
        array: npt.NDArray[Any] = np.load(io.BytesIO(storage.read_bytes(path)), allow_pickle=False)
        return array
    mapped: npt.NDArray[Any] = np.load(storage.local_path(path), mmap_mode="r", allow_pickle=False)
    return mapped
