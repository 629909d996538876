"""Compressed members, decoded in steps: gzip members, zstd frames, lz4 frames and bzip2 streams.

Raw bytes of one member go in, at most so many decoded bytes come out of a step, and at the member's
end its checksum has been compared, where the format has one. The libraries stay behind ``Decoder``.
"""

from __future__ import annotations

import bz2
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from isal import isal_zlib

from curation.sources.cursor import SeekableBytes

KIB = 1 << 10
INFLATE_ERROR: Any = isal_zlib.error  # whose stub forgets that it is a class
GZIP_TRAILER = struct.Struct("<II")  # RFC 1952, section 2.3.1: CRC32 and size modulo 2^32
GZIP_FHCRC, GZIP_FEXTRA, GZIP_FNAME, GZIP_FCOMMENT = 2, 4, 8, 16  # RFC 1952, section 2.3.1
GZIP_MAX_HEADER_BYTES = 128 * KIB  # an extra field of up to 64 KiB, and a name and a comment of any sane length
ZSTD_MAX_WINDOW_BYTES = 1 << 27  # the zstd command's own limit
ZSTD_STEP_BYTES = KIB  # decodes to at most 256 blocks of 128 KiB (RFC 8878, section 3.1.1.2)
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
ZSTD_DICTIONARY_MAGIC = b"\x5d\x2a\x4d\x18"  # a skippable frame before the first record (IIPC, "WARC zstd compression")
ZSTD_MAX_DICTIONARY_BYTES = 16 << 20  # our choice; dictionaries in use have about 1 MiB
LONGEST_MAGIC = 10  # bytes of the longest of the formats' magics
SKIPPABLE_FRAME = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18(....)", re.DOTALL)  # RFC 8878, section 3.1.2; also lz4

_ISAL_CODE = re.compile(r"^Error -?\d+ ")


class DecodeError(ValueError):
    """The bytes cannot belong to the member; says why in a few words."""


class Decoder(Protocol):
    """One member from its first byte on.

    ``eof``: the member is whole; then ``unused`` is how many of the bytes taken lie behind it, and ``problem``
    says what its checksum found. ``needs_input``: nothing is left to decode of what was taken.
    """

    eof: bool
    unused: int
    problem: str | None
    needs_input: bool

    def decode(self, raw: bytes, room: int) -> bytes:
        """Take ``raw``, which is empty unless ``needs_input``; at most about ``room`` decoded bytes.

        Raises:
            DecodeError: the member is damaged.
        """


@dataclass(frozen=True)
class Format:
    """``signature`` and ``magic``: what its members begin with, loosely and closely. ``probe_bytes``: enough of a member
    to see its first decoded bytes. ``noun``: what one of its members is called.
    """

    noun: str
    signature: bytes
    magic: re.Pattern[bytes]
    probe_bytes: int
    new_decoder: Callable[[], Decoder]


def formats(stream: SeekableBytes) -> list[Format]:
    """The formats that members of a file can have. Its zstd dictionary, if it begins with one, is read."""
    dictionary = _zstd_dictionary(stream)
    return [
        Format("gzip member", b"\x1f\x8b", re.compile(rb"\x1f\x8b\x08"), 64 * KIB, _GzipDecoder),
        Format("zstd frame", ZSTD_MAGIC, re.compile(re.escape(ZSTD_MAGIC)), 256 * KIB, _zstd_decoders(dictionary)),
        Format("lz4 frame", LZ4_MAGIC, re.compile(re.escape(LZ4_MAGIC)), 256 * KIB, _lz4_decoder),
        # A block of up to 900 kB is decoded as a whole; its magic, or that of the end, follows the stream's.
        Format("bzip2 stream", b"BZh", re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"), 1024 * KIB, _bzip2_decoder),
    ]


class _GzipDecoder:
    """A gzip member. Its framing is read here, so that after a wrong checksum the member's end is still known."""

    def __init__(self) -> None:
        self.eof = False
        self.unused = 0
        self.problem: str | None = None
        self.needs_input = True
        self._inflater = isal_zlib.decompressobj(wbits=-15)
        self._pending = b""
        self._in_header = True
        self._checksum = 0
        self._size = 0

    def decode(self, raw: bytes, room: int) -> bytes:
        raw = self._pending + raw if self._pending else raw
        self._pending = b""
        if self._in_header:
            header_bytes = _gzip_header_bytes(raw)
            if header_bytes is None:
                self._pending = raw
                return b""
            self._in_header = False
            raw = raw[header_bytes:]
        data = b""
        if not self._inflater.eof:
            try:
                data = self._inflater.decompress(raw, room)
            except INFLATE_ERROR as error:
                raise DecodeError(_ISAL_CODE.sub("", str(error)).lower()) from error
            self._checksum = isal_zlib.crc32(data, self._checksum)
            self._size += len(data)
            if not self._inflater.eof:
                self._pending = self._inflater.unconsumed_tail
                self.needs_input = not self._pending
                return data
            raw = self._inflater.unused_data
        self._read_trailer(raw)
        return data

    def _read_trailer(self, raw: bytes) -> None:
        self.needs_input = True
        if len(raw) < GZIP_TRAILER.size:
            self._pending = raw
            return
        checksum, size = GZIP_TRAILER.unpack_from(raw)
        if checksum != self._checksum:
            self.problem = "incorrect data check"
        elif size != self._size & 0xFFFFFFFF:
            self.problem = "incorrect length check"
        self.eof, self.unused = True, len(raw) - GZIP_TRAILER.size


def _gzip_header_bytes(raw: bytes) -> int | None:
    """Length of a member's header; None if more bytes are needed."""
    if len(raw) < 10:
        return None
    if raw[:3] != b"\x1f\x8b\x08" or raw[3] & 0xE0:
        raise DecodeError("incorrect header")
    flags, size = raw[3], 10
    if flags & GZIP_FEXTRA:
        size += 2 + int.from_bytes(raw[size : size + 2], "little")
    for _ in range(bool(flags & GZIP_FNAME) + bool(flags & GZIP_FCOMMENT)):
        end = raw.find(b"\0", size)
        size = end + 1 if end >= 0 else len(raw) + 1
    size += 2 if flags & GZIP_FHCRC else 0
    if size > GZIP_MAX_HEADER_BYTES:
        raise DecodeError("endless header")
    return size if size <= len(raw) else None


def _zstd_dictionary(stream: SeekableBytes) -> bytes:
    """The dictionary that a file begins with, in a skippable frame and perhaps compressed itself; empty if there is none."""
    import zstandard

    stream.seek(0)
    match = SKIPPABLE_FRAME.match(stream.read(8))
    size = int.from_bytes(match.group(1), "little") if match else 0
    if match is None or not match.group().startswith(ZSTD_DICTIONARY_MAGIC) or size > ZSTD_MAX_DICTIONARY_BYTES:
        return b""
    content = stream.read(size)
    if not content.startswith(ZSTD_MAGIC):
        return content
    try:
        return zstandard.ZstdDecompressor().stream_reader(content).read(ZSTD_MAX_DICTIONARY_BYTES)
    except zstandard.ZstdError:
        return b""  # every frame that needs it will say so


def _zstd_decoders(dictionary: bytes) -> Callable[[], Decoder]:
    import zstandard

    known = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
    context = zstandard.ZstdDecompressor(dict_data=known, max_window_size=ZSTD_MAX_WINDOW_BYTES)
    return lambda: _ZstdDecoder(context.decompressobj(), zstandard.ZstdError)  # whose buffers serve one frame after the other


class _ZstdDecoder:
    """A zstd frame. Its library bounds no output, so the input comes to it in small steps."""

    def __init__(self, frame: Any, error: type[Exception]) -> None:
        self.eof = False
        self.unused = 0
        self.problem: str | None = None
        self.needs_input = True
        self._frame = frame
        self._error = error
        self._pending = b""
        self._failure: DecodeError | None = None

    def decode(self, raw: bytes, room: int) -> bytes:
        if self._failure:
            raise self._failure
        raw = self._pending or raw
        parts: list[bytes] = []
        place = produced = 0
        while place < len(raw) and produced < room and not self._frame.eof:
            step = raw[place : place + ZSTD_STEP_BYTES]
            try:
                parts.append(self._frame.decompress(step))
            except self._error as error:
                self._failure = DecodeError(str(error).rpartition(": ")[2].lower())
                if not produced:
                    raise self._failure from error
                break  # what was decoded comes first, the failure with the next call
            place += len(step)
            produced += len(parts[-1])
        self.eof = self._frame.eof
        self.unused = len(raw) - place + len(self._frame.unused_data) if self.eof else 0
        self._pending = b"" if self.eof else raw[place:]
        self.needs_input = not self._pending
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _StreamDecoder:
    """A member for whose library all of ``Decoder`` but its names and errors is the same."""

    def __init__(self, member: Any, error: type[Exception]) -> None:
        self.eof = False
        self.unused = 0
        self.problem: str | None = None
        self.needs_input = True
        self._member = member
        self._error = error

    def decode(self, raw: bytes, room: int) -> bytes:
        try:
            data: bytes = self._member.decompress(raw, room)
        except self._error as error:
            raise DecodeError(str(error).rpartition(": ")[2].lower()) from error
        self.eof = self._member.eof
        self.unused = len(self._member.unused_data or b"") if self.eof else 0
        self.needs_input = bool(self._member.needs_input)
        return data


def _lz4_decoder() -> Decoder:
    import lz4.frame

    return _StreamDecoder(lz4.frame.LZ4FrameDecompressor(), RuntimeError)


def _bzip2_decoder() -> Decoder:
    return _StreamDecoder(bz2.BZ2Decompressor(), OSError)
