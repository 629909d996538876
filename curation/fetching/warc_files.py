"""Compressed WARC files in a folder: one gzip member a record, a new file at a size, ``.open`` behind the name until it is closed."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".warc.gz"
OPEN = ".open"
COMPRESSION_LEVEL = 6  # zlib's own choice
_NAME = re.compile(r"fetch-(\d{5,})\.warc\.gz(?:\.open)?")


@dataclass(frozen=True)
class Place:
    """Where a record lies: file, and offset of its member in bytes."""

    file: str
    offset: int


class WarcFiles:
    """Writes records; what is in a closed file is on the disk. ``first_record``: makes the warcinfo of a file of that name."""

    def __init__(self, folder: Path, max_bytes: int, first_record: Callable[[str], bytes]) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._first_record = first_record
        self._descriptor = -1
        self._name = ""
        self._size = 0

    def write(self, records: Sequence[bytes]) -> Place:
        """Add records, all or none; returns the place of the first.

        Raises:
            OSError: the disk is full or cannot be written to; the file is as it was.
        """
        if self._size >= self._max_bytes:
            self.close()
        if self._descriptor < 0:
            self._open()
        place = Place(self._name, self._size)
        self._append(b"".join(_member(record) for record in records))
        return place

    def _open(self) -> None:
        names = [match for path in self._folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        self._name = f"fetch-{max((int(match[1]) for match in names), default=-1) + 1:05d}{SUFFIX}"
        self._descriptor = os.open(self._folder / (self._name + OPEN), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._size = 0
        self._append(_member(self._first_record(self._name)))

    def _append(self, content: bytes) -> None:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except BaseException:
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            raise
        self._size += len(content)

    def sync(self) -> Place | None:
        """Put everything on the disk; returns up to where, None without an open file."""
        if self._descriptor < 0:
            return None
        os.fsync(self._descriptor)
        return Place(self._name, self._size)

    def close(self) -> None:
        """Finish the open file, if there is one."""
        if self._descriptor < 0:
            return
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor, self._size = -1, 0
        finish(self._folder / (self._name + OPEN))


def finish(path: Path) -> None:
    """Take ``.open`` from the name of a file, for good."""
    os.replace(path, path.with_name(path.name.removesuffix(OPEN)))
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _member(record: bytes) -> bytes:
    return zlib.compress(record, COMPRESSION_LEVEL, wbits=31)
