"""CDX indexes: lines sorted by SURT key, in compressed blocks of files (zipnum), in files that are read whole, or asked of a server.

cluster.idx        com,example)/ 20240518010203\tcdx-00000.gz\t188224\t54012\t1     first line of a block, its file, offset, length
cdx-00000.gz       com,example)/ 20240518010203 {"url": "http://example.com/", ...}  3,000 lines a block, a gzip member each

So Common Crawl has them. cdxj-indexer and WACZ files spell the first of these in JSON, and name the file once:

index.idx          !meta 0 {"format": "cdxj-gzip-1.0", "filename": "index.cdx.gz"}
                   com,example)/ 20240518010203 {"offset": 188224, "length": 54012}
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import polars as pl

from curation import storage
from curation.errors import InputError
from curation.links.captures import CAPTURES
from curation.sources.compressed import open_decompressed
from curation.sources.ranges import read_range
from curation.sources.web import Client, NotThere

BLOCKS_ENDING = ".idx"  # of the file that leads to blocks: cluster.idx, index.idx
LINES_ENDINGS = (".cdxj", ".cdxj.gz", ".cdx.gz", ".cdxj.zst")
LINES_FILES = re.compile(r"cdx-[\d*?]+\.gz")  # Common Crawl's own, and globs of them
HEADER = "!meta"  # sorts before all keys
FLUSH_ROWS = 50_000
MAX_BLOCK_BYTES = 256 << 20  # our choice, packed and unpacked; a block of 3,000 lines has some 1 MB
MAX_OFFSET = 1 << 62
JSON_NAMES = {
    "capture_url": "url",
    "status": "status",
    "mime": "mime",
    "detected_mime": "mime-detected",
    "digest": "digest",
    "truncated": "truncated",
    "file": "filename",
    "offset": "offset",
    "length": "length",
}


@dataclass(frozen=True)
class _Block:
    first: str
    file: str
    offset: int
    length: int


@dataclass(frozen=True)
class ZipnumIndex:
    """An index of blocks, by the path or URL of its ``cluster.idx``, or what it is called; the files of the blocks lie beside it."""

    cluster: str
    client: Client

    @property
    def files(self) -> list[str]:
        """The file that leads to the others."""
        return [self.cluster]

    def find(self, surts: Sequence[str]) -> list[pl.DataFrame]:
        """All captures under the keys, which are sorted; a block is read once, and only if a key may lie in it.

        Raises:
            InputError: a file cannot be read, or is none of such an index.
        """
        return _tables(self._find(surts))

    def _find(self, surts: Sequence[str]) -> Iterator[dict[str, Any]]:
        folder, wanted = self.cluster.rpartition("/")[0], frozenset(surts)
        for block in self._blocks_of(surts):
            path = storage.join(folder, block.file)
            lines = _lines_of_block(read_range(self.client, path, block.offset, block.length), path, block)
            yield from _rows_of(lines, wanted, f"{path}, block at {block.offset}")

    def _blocks_of(self, surts: Sequence[str]) -> Iterator[_Block]:
        """The blocks in which one of the sorted keys may lie: from the last that begins before the key to the last that begins with it."""
        blocks = self._blocks()
        block, place = next(blocks, None), 0
        while block is not None and place < len(surts):
            following = next(blocks, None)
            while place < len(surts) and surts[place] < block.first:
                place += 1  # stands in no block that is left
            if place < len(surts) and (following is None or surts[place] <= following.first):
                yield block
            while following is not None and place < len(surts) and surts[place] < following.first:
                place += 1
            block = following

    def _blocks(self) -> Iterator[_Block]:
        file = None
        for number, line in enumerate(self._cluster_lines(), 1):
            try:
                if line.startswith(HEADER):
                    file = json.loads(line.split(" ", 2)[2])["filename"]
                else:
                    yield _block(line, file)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise InputError(f"{self.cluster}, line {number}: {line:.80} is no line of a cluster.idx; check the path") from error

    def _cluster_lines(self) -> Iterator[str]:
        if not storage.is_remote(self.cluster):
            with storage.open_binary(self.cluster) as stream:
                yield from (line.decode("utf-8", "replace").rstrip("\n") for line in stream)
            return
        yield from self.client.read_all(self.cluster).decode("utf-8", "replace").splitlines()  # some 150 MB of a snapshot


def _block(line: str, file: Any) -> _Block:
    """A line that leads to a block, in ``file`` unless it names another."""
    key, _, rest = line.partition(" ")
    if "\t" in rest:
        _, file, offset, length = rest.split("\t")[:4]
    else:
        fields = json.loads(rest.partition(" ")[2])
        file, offset, length = fields.get("filename", file), fields["offset"], fields["length"]
    block = _Block(key, file, int(offset), int(length))
    if not (isinstance(file, str) and 0 <= block.offset <= MAX_OFFSET and 0 < block.length <= MAX_BLOCK_BYTES):
        raise ValueError(line)
    return block


def _lines_of_block(content: bytes, path: str, block: _Block) -> list[str]:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            lines = stream.read(MAX_BLOCK_BYTES + 1)
        if len(lines) > MAX_BLOCK_BYTES:
            raise OSError(f"more than {MAX_BLOCK_BYTES:,} bytes of lines")
        return lines.decode("utf-8", "replace").splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}, block at {block.offset}: {error}; cluster.idx and {block.file} are not of one index") from error


@dataclass(frozen=True)
class CdxFiles:
    """Files of lines, packed or not, in any order, such as cdxj-indexer writes; read whole for each part of the links."""

    files: list[str]

    def find(self, surts: Sequence[str]) -> list[pl.DataFrame]:
        """All captures under the keys.

        Raises:
            InputError: a file cannot be read, or holds no such lines.
        """
        return _tables(row for path in self.files for row in self._find_in(path, frozenset(surts)))

    def _find_in(self, path: str, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
        with storage.open_binary(path) as stream, open_decompressed(stream, path) as lines:
            yield from _rows_of((line.decode("utf-8", "replace") for line in lines), wanted, path)


@dataclass(frozen=True)
class CdxServer:
    """An index server, such as https://index.commoncrawl.org/CC-MAIN-2024-22-index: one request a key, so for few links.

    Its first page is enough: that has the captures of ten blocks, some 30,000, and a snapshot has few of one key.
    """

    url: str
    client: Client

    @property
    def files(self) -> list[str]:
        """The server."""
        return [self.url]

    def find(self, surts: Sequence[str]) -> list[pl.DataFrame]:
        """All captures under the keys.

        Raises:
            InputError: the server cannot be asked, or gives no such lines.
        """
        return _tables(row for surt in surts for row in self._ask(surt))

    def _ask(self, surt: str) -> list[dict[str, Any]]:
        """The captures of a key; the server answers 404 where it has none."""
        asked = f"{self.url}?{urlencode({'url': _address_of(surt), 'output': 'json'})}"
        try:
            lines = self.client.read_all(asked).decode("utf-8", "replace").splitlines()
        except NotThere:
            return []
        rows = []
        for line in filter(str.strip, lines):
            try:
                found = json.loads(line)
                rows.append(_row(found["urlkey"], f"{found['timestamp']} {line}", asked))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{asked} gave {line:.80}, which is no line of an index; check the URL of the server") from error
        return [row for row in rows if row["surt"] == surt]


def _address_of(surt: str) -> str:
    """An address that has the key: ``example.com/a`` of ``com,example)/a``."""
    host, _, path = surt.partition(")")
    name, colon, port = host.partition(":")
    return ".".join(reversed(name.split(","))) + colon + port + path


def _rows_of(lines: Iterable[str], wanted: frozenset[str], where: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        surt, _, rest = line.partition(" ")
        if surt in wanted:
            yield _row(surt, rest, f"{where}, line {number}")


def _row(surt: str, rest: str, where: str) -> dict[str, Any]:
    """A capture from what stands behind the key in a line: timestamp and JSON."""
    timestamp, _, fields = rest.partition(" ")
    try:
        found = json.loads(fields)
        time = datetime.strptime(timestamp, "%Y%m%d%H%M%S").strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {name: found.get(given) for name, given in JSON_NAMES.items()}
        numbers = {name: int(row[name]) for name in ("offset", "length")}
        if not all(0 <= number <= MAX_OFFSET for number in numbers.values()):
            raise ValueError
        status = int(row["status"]) if str(row["status"]).isdecimal() else None
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: {rest:.80} is no line of a CDX index; check the path") from error
    return {"surt": surt, **row, **numbers, "status": status, "timestamp": time}


def _tables(rows: Iterator[dict[str, Any]]) -> list[pl.DataFrame]:
    """Rows as tables, so that few are Python's objects at a time."""
    return [pl.DataFrame(some, schema=CAPTURES) for some in iter(lambda: list(islice(rows, FLUSH_ROWS)), [])]
