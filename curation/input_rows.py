"""Rows of a file that somebody else made: JSONL, Parquet or text, streamed from the whole file or from a span of its lines.

Strings of a row never hold lone surrogates, which UTF-8 cannot hold: each becomes a replacement character.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import orjson
import polars as pl

from curation import storage
from curation.errors import InputError
from curation.parquet import parquet_source, reading_parquet
from curation.sources.compressed import MAGIC, open_decompressed

TABLE_KINDS = (".jsonl", ".ndjson", ".json")
TEXT_KINDS = (".txt", ".md")
COMPRESSIONS = ("", ".gz", ".zst", ".xz", ".bz2")
SUFFIXES = (*(kind + compression for kind in (*TABLE_KINDS, *TEXT_KINDS) for compression in COMPRESSIONS), ".parquet")
PARQUET_SLICE_ROWS = 2000
MAX_EXACT_FLOAT = 1 << 53  # integers beyond are no longer exact as doubles
# Of a file, for one worker: so that a large file is shared by them, and what one makes of its part is no large shard. Part of
# what makes the output: each span becomes a part of its own.
SPAN_BYTES = 32 << 20

Row = dict[str, Any]
Span = tuple[int, int]  # bytes of a file, end exclusive; stands for the lines that begin there


def spans_of(path: str) -> list[Span | None]:
    """The spans that workers may read apart; one None, the whole file, where it cannot be parted.

    Raises:
        InputError: the file is missing.
    """
    if storage.is_remote(path) or not path.lower().endswith(TABLE_KINDS):
        return [None]
    with storage.open_binary(path) as stream:
        beginning = stream.read(max(map(len, MAGIC.values())))
    if beginning.startswith(tuple(MAGIC.values())):  # compressed, whatever its name says
        return [None]
    size = storage.file_size(path)
    return [(start, min(start + SPAN_BYTES, size)) for start in range(0, size, SPAN_BYTES)] or [None]


def read_rows(path: str, span: Span | None = None) -> Iterator[Row | None]:
    """Rows of a file or span, streamed; None for a line that is no JSON object. A text file is one row.

    Raises:
        InputError: the file is missing, damaged, or of an unknown kind.
    """
    if path.lower().endswith(".parquet"):
        yield from _parquet_rows(path)
    elif _kind(path).endswith(TEXT_KINDS):
        with storage.open_binary(path) as stream, open_decompressed(stream, path) as content:
            yield {"text": content.read().decode("utf-8", "replace")}
    else:
        for line in read_lines(path, span):
            if not line.isspace():
                yield parse_row(line)


def read_lines(path: str, span: Span | None) -> Iterator[bytes]:
    """Lines of a JSONL file or span as they are, blank ones and their ends included.

    Raises:
        InputError: as ``read_rows``.
    """
    with storage.open_binary(path) as stream:
        if not _kind(path).endswith(TABLE_KINDS):
            kinds, packings = ", ".join((*TABLE_KINDS, *TEXT_KINDS)), ", ".join(COMPRESSIONS[1:])
            raise InputError(f"{path} is of no known kind; give .parquet, or {kinds}, also with {packings}")
        if span is None:
            with open_decompressed(stream, path) as content:
                yield from content
            return
        position = _first_line(stream, span)
        stream.seek(position)
        while position < span[1] and (line := stream.readline()):
            yield line
            position += len(line)


def _kind(path: str) -> str:
    """The file's name without what says how it is compressed."""
    name = path.lower()
    for compression in COMPRESSIONS[1:]:
        name = name.removesuffix(compression)
    return name


def _first_line(stream: IO[bytes], span: Span) -> int:
    """Where the first line of a span begins; its end if none does."""
    start, end = span
    if start == 0:
        return 0
    position = start - 1  # a line begins at ``start`` if the byte before ends one
    stream.seek(position)
    while position < end and (block := stream.read(min(storage.READ_BLOCK, end - position))):
        place = block.find(b"\n")
        if place >= 0:
            return position + place + 1
        position += len(block)
    return end


def parse_row(line: bytes) -> Row | None:
    """The JSON object of a line as ``json.loads`` reads it, in a third of its time; None if it is none."""
    try:
        row = orjson.loads(line)
        if not isinstance(row, dict):
            return None
        if all(map(_is_exact, row.values())):
            return row
    except (orjson.JSONDecodeError, RecursionError):
        pass
    # What orjson refuses and Python takes: NaN, lone surrogates, a byte order mark; and numbers that orjson rounds.
    try:
        row = json.loads(line)
        return _storable(row) if isinstance(row, dict) else None
    except (ValueError, RecursionError):
        return None


def _is_exact(value: Any) -> bool:
    """Whether orjson reads a value as Python does: not if it may be a whole number of more than 64 bits, or beyond all doubles."""
    if isinstance(value, float):
        return abs(value) <= MAX_EXACT_FLOAT
    if isinstance(value, list):
        return all(map(_is_exact, value))
    return not isinstance(value, dict) or all(map(_is_exact, value.values()))


def _storable(value: Any) -> Any:
    """The value with a replacement character for each lone surrogate in its strings."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    return {storable(key): _storable(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def storable(text: str) -> str:
    """The text with a replacement character for each lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def _parquet_rows(path: str) -> Iterator[Row]:
    if not storage.exists(path):
        raise InputError(f"no such file: {path}; check the path")
    with reading_parquet(path, "write it again or leave it out"):
        table = pl.scan_parquet(parquet_source(path))
        height = table.select(pl.len()).collect().item()
        for start in range(0, height, PARQUET_SLICE_ROWS):
            yield from table.slice(start, PARQUET_SLICE_ROWS).collect().iter_rows(named=True)
