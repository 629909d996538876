"""Decompressing streams: zstd, xz, bzip2, gzip or none, told apart by the first bytes of the file."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any

from curation.errors import InputError

MAGIC = {"zst": b"\x28\xb5\x2f\xfd", "xz": b"\xfd7zXZ\x00", "bz2": b"BZh", "gz": b"\x1f\x8b"}
ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a frame to be passed over (RFC 8878, section 3.1.2); pzstd begins with one
ZSTD_MAX_WINDOW_BYTES = 1 << 31  # Pushshift's files are made with --long=31
# One block of a hostile file decompresses to at most about 32,000 times its size: 128 MiB.
ZSTD_READ_BLOCK = 1 << 12


@contextlib.contextmanager
def open_decompressed(stream: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """The content of an open file, decompressed as it is read; ``path`` names it in errors.

    Concatenated members and frames are read as one.

    Raises:
        InputError: the content is damaged or cut short, or is not in the format that the name promises.
    """
    try:
        buffered: Any = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
        beginning = buffered.peek(6)
        kind = (
            "zst" if ZSTD_SKIPPABLE.match(beginning) else next((name for name, magic in MAGIC.items() if beginning.startswith(magic)), None)
        )
        promised = next((name for name in MAGIC if path.lower().endswith("." + name)), None)
        if promised and kind != promised:
            raise InputError(f"{path} is no {promised} file: it begins with {beginning[:4].hex(' ') or 'nothing'}; fetch it again")
        yield _decompressor(buffered, kind)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"cannot decompress {path}: {error}; the file is damaged or cut short, fetch it again") from error


def _decompressor(stream: IO[bytes], kind: str | None) -> IO[bytes]:
    if kind == "zst":
        return io.BufferedReader(_ZstdReader(stream))
    if kind == "xz":
        return lzma.open(stream)
    if kind == "bz2":
        return bz2.open(stream)
    return gzip.open(stream) if kind == "gz" else stream  # type: ignore[return-value]


class _ZstdReader(io.RawIOBase):
    """Frames of a zstd stream; unlike the library's own reader it does not take a cut for the end."""

    def __init__(self, stream: IO[bytes]) -> None:
        import zstandard

        self.stream = stream
        self.error = zstandard.ZstdError
        self.context = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW_BYTES)
        self.frame: Any = None  # the decompressor of the frame that is being read
        self.content = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.content:
            block = self.stream.read(ZSTD_READ_BLOCK)
            if not block and self.frame:
                raise EOFError("the last frame has no end")
            if not block:
                return 0
            self.content = memoryview(self._decompress(block))
        count = min(len(buffer), len(self.content))
        buffer[:count] = self.content[:count]
        self.content = self.content[count:]
        return count

    def _decompress(self, block: bytes) -> bytes:
        parts = []
        while block:
            self.frame = self.frame or self.context.decompressobj()
            try:
                parts.append(self.frame.decompress(block))
            except self.error as error:
                raise OSError(str(error)) from error
            block = self.frame.unused_data if self.frame.eof else b""
            if self.frame.eof:
                self.frame = None
        return b"".join(parts)
