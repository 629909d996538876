"""How the inputs of a crawl are cut into work items: segments of files, on record boundaries.

One pass over each file hashes it and finds where its records begin, so that a segment never starts on bytes that
only look like a record. Segments depend on the file alone, never on the number of workers.
"""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
from numpy.typing import NDArray

from curation.errors import InputError
from curation.ids import hash_id
from curation.recipe import MIB, CrawlLimits
from curation.sources.cursor import READ_BYTES
from curation.sources.frames import Frame, frames_of, open_archive

PAGE_TYPES = ("response", "conversion")  # record types that can become documents
SEGMENTS_PER_FILE = 32  # our choice: workers that share one file end within a thirtieth of each other
MIN_SEGMENT_BYTES = MIB // 2  # below this, starting and committing cost more than they spread
MAX_SEGMENT_BYTES = 64 * MIB  # about two minutes of extraction, the most that a crash can cost
MAX_SEGMENTS = 1000  # of one file, so that a part's number says of which file it is; files over 64 GB have larger segments
_ID_DRESSING = re.compile("^urn:uuid:", re.IGNORECASE)


@dataclass(frozen=True)
class Segment:
    """Consecutive records of a file: those that begin in the byte range [start, end).

    ``position``: decompressed offset of the first. ``pages``: how many records are pages, by type.
    ``max_pages``: how many of them to read (None: all).
    """

    path: str
    start: int
    end: int | None
    position: int
    pages: int
    max_pages: int | None = None


@dataclass(frozen=True)
class FilePlan:
    """One input file: its identity, its segments, and a 64-bit hash of the id of every page record."""

    path: str
    bytes: int
    sha256: str
    segments: list[Segment]
    id_hashes: NDArray[np.uint64]


def plan_file(path: str, limits: CrawlLimits) -> FilePlan:
    """Read a file once and cut it into segments.

    Raises:
        InputError: the file is missing, empty, or holds no record.
    """
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the name of {path!a} is no UTF-8, so no document can name its file; rename it") from error
    with open_archive(path) as stream:
        hashed = _HashedStream(stream)
        size = stream.seek(0, os.SEEK_END)
        target = min(max(size // SEGMENTS_PER_FILE, MIN_SEGMENT_BYTES), MAX_SEGMENT_BYTES)
        target = max(target, size // (MAX_SEGMENTS - 1) + 1)
        segments: list[Segment] = []
        start, position, pages = 0, 0, 0
        id_hashes = array("Q")
        for frame in frames_of(hashed, path, 0, None, 0, limits):
            if frame.file_offset is not None and frame.file_offset - start >= target:
                segments.append(Segment(path, start, frame.file_offset, position, pages))
                start, position, pages = frame.file_offset, frame.position, 0
            record_id = page_record_id(frame)
            if record_id is not None:
                pages += 1
                id_hashes.append(hash_id(record_id))
        segments.append(Segment(path, start, None, position, pages))
        return FilePlan(path, size, hashed.sha256(), segments, np.array(id_hashes, dtype=np.uint64))


class _HashedStream:
    """A stream whose bytes are hashed as they are read, each once and in order, wherever the reader goes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._hashed = 0  # bytes from the beginning
        self._place = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = self._stream.seek(offset, whence)
        return self._place

    def read(self, size: int = -1) -> bytes:
        if self._place > self._hashed:
            self._hash_up_to(self._place)
        data = self._stream.read(size)
        self._digest.update(memoryview(data)[max(0, self._hashed - self._place) :])
        self._place += len(data)
        self._hashed = max(self._hashed, self._place)
        return data

    def _hash_up_to(self, end: int | None) -> None:
        self._stream.seek(self._hashed)
        while block := self._stream.read(READ_BYTES if end is None else min(READ_BYTES, end - self._hashed)):
            self._digest.update(block)
            self._hashed += len(block)

    def sha256(self) -> str:
        """sha256 of the whole stream in hex."""
        self._hash_up_to(None)
        return self._digest.hexdigest()


def page_record_id(frame: Frame) -> str | None:
    """The bare record id of a page ("" if it has none); None for other records."""
    headers = frame.headers()
    return bare_id(headers.get("warc-record-id", "")) if headers.get("warc-type", "").lower() in PAGE_TYPES else None


def bare_id(record_id: str) -> str:
    """``a1b2`` from ``<urn:uuid:a1b2>``; ids that differ in their dressing alone become one."""
    return _ID_DRESSING.sub("", record_id.strip("<>"))


def limit_segments(segments: list[Segment], limit: int | None) -> list[Segment]:
    """The first segments, with ``max_pages`` set so that together they read ``limit`` page records."""
    if limit is None:
        return segments
    limited = []
    for segment in segments:
        if limit <= 0:
            break
        # A segment that is read whole is the same work item as without a limit, and is not done again.
        limited.append(replace(segment, max_pages=limit) if limit < segment.pages else segment)
        limit -= segment.pages
    return limited
