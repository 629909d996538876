"""Token shards: a binary file of ids that training maps into memory, and a JSON header beside it.

``NAME.tokens``, little-endian::

    8 bytes   magic "C2GTOKEN"
    uint32    format version
    uint32    bytes of one id: 2 or 4
    uint64    number of tokens
    uint64    number of documents
    ids       of all documents, one after the other, each document ended by end of text
    padding   zeros up to a multiple of 8
    uint64    for each document, the position after its end of text

``NAME.json`` repeats the counts and adds what the ids mean: tokenizer, source, split, checksum.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from curation.errors import InputError, IntegrityError
from curation.shards import canonical_json
from curation.storage import sha256_of

MAGIC = b"C2GTOKEN"
FORMAT_VERSION = 1
BINARY_HEADER = struct.Struct("<8sIIQQ")
COUNT_BITS = 64  # of the counts in it
ALIGNMENT = 8  # bytes; document ends are uint64
TOKENS_SUFFIX = ".tokens"
HEADER_SUFFIX = ".json"


@dataclass(frozen=True)
class TokenHeader:
    """What a token file holds; ``tokens`` counts end of text, ``text_bytes`` (UTF-8) does not.

    ``sha256`` is of the whole ``.tokens`` file.
    """

    source: str
    split: str
    tokens: int
    documents: int
    text_bytes: int
    dtype: str
    vocabulary_size: int
    tokenizer_sha256: str
    sha256: str
    magic: str = MAGIC.decode()
    version: int = FORMAT_VERSION

    def to_bytes(self) -> bytes:
        """Canonical JSON, the content of the header file."""
        return canonical_json(asdict(self))


@dataclass(frozen=True)
class TokenShard:
    """An open token file: its header and read-only views of the file."""

    path: Path
    header: TokenHeader
    tokens: np.ndarray  # ids, uint16 or uint32, shape (tokens,)
    document_ends: np.ndarray  # exclusive, uint64, shape (documents,)


def token_dtype(vocabulary_size: int) -> np.dtype[Any]:
    """Smallest little-endian type that holds every id of the vocabulary."""
    return np.dtype("<u2" if vocabulary_size <= 1 << 16 else "<u4")


def build_token_file(
    documents: Sequence[np.ndarray],
    *,
    end_of_text: int,
    vocabulary_size: int,
    tokenizer_sha256: str,
    text_bytes: int,
    source: str,
    split: str,
) -> tuple[bytes, TokenHeader]:
    """Content of the ``.tokens`` file for documents of ids, end of text added to each, and its header."""
    dtype = token_dtype(vocabulary_size)
    separator = np.array([end_of_text], dtype=dtype)
    tokens = np.concatenate([part for ids in documents for part in (ids.astype(dtype), separator)] or [separator[:0]])
    ends = np.cumsum([len(ids) + 1 for ids in documents], dtype="<u8")
    content = b"".join(
        [
            BINARY_HEADER.pack(MAGIC, FORMAT_VERSION, dtype.itemsize, len(tokens), len(ends)),
            tokens.tobytes(),
            bytes(-tokens.nbytes % ALIGNMENT),
            ends.tobytes(),
        ]
    )
    header = TokenHeader(
        source=source,
        split=split,
        tokens=len(tokens),
        documents=len(ends),
        text_bytes=text_bytes,
        dtype=dtype.name,
        vocabulary_size=vocabulary_size,
        tokenizer_sha256=tokenizer_sha256,
        sha256=sha256_of(content),
    )
    return content, header


def read_header(path: Path) -> TokenHeader:
    """The JSON header beside a ``.tokens`` file.

    Raises:
        InputError: it is missing.
        IntegrityError: it is no such header, or of another version.
    """
    beside = path.with_suffix(HEADER_SUFFIX)
    try:
        values = json.loads(beside.read_bytes())
        header = TokenHeader(**values)
    except FileNotFoundError as error:
        raise InputError(f"{path} has no header {beside.name} beside it; run tokenize again") from error
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{beside} is no header of a token shard ({error}); run tokenize again") from error
    if not _is_typed(header):
        raise IntegrityError(f"{beside} is no header of a token shard (a value is of another kind); run tokenize again")
    if (header.magic, header.version) != (MAGIC.decode(), FORMAT_VERSION):
        raise IntegrityError(f"{beside} has format {header.magic!r}, version {header.version!r}; run tokenize again")
    return header


def _is_typed(header: TokenHeader) -> bool:
    """Whether all texts are texts, and all numbers whole ones that a token file can hold."""
    for field in fields(header):
        value = getattr(header, field.name)
        if type(value).__name__ != field.type or (field.type == "int" and not 0 <= value < 1 << COUNT_BITS):
            return False
    return True


def open_token_shard(path: Path, tokenizer_sha256: str) -> TokenShard:
    """Map a ``.tokens`` file into memory, after checking its header, size and tokenizer.

    Raises:
        InputError: the file or its header is missing, or another tokenizer made the ids.
        IntegrityError: the file is cut short, too long, no token file, or not what its header says.
    """
    header = read_header(path)
    if header.tokenizer_sha256 != tokenizer_sha256:
        raise InputError(
            f"{path} was made by tokenizer {header.tokenizer_sha256[:12]}, "
            f"the tokenizer here is {tokenizer_sha256[:12]}; run tokenize again"
        )
    try:
        content = np.memmap(path, dtype=np.uint8, mode="r")
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}; run tokenize again") from error
    except ValueError as error:  # an empty file cannot be mapped
        raise IntegrityError(f"{path} is empty; run tokenize again") from error
    dtype = np.dtype(token_dtype(header.vocabulary_size))
    expected = BINARY_HEADER.pack(MAGIC, FORMAT_VERSION, dtype.itemsize, header.tokens, header.documents)
    if content[: BINARY_HEADER.size].tobytes() != expected:
        raise IntegrityError(f"{path} does not begin as its header {path.stem}{HEADER_SUFFIX} says; run tokenize again")
    ids_end = BINARY_HEADER.size + header.tokens * dtype.itemsize
    ends_start = ids_end + -(header.tokens * dtype.itemsize) % ALIGNMENT
    size = ends_start + 8 * header.documents
    if len(content) != size:
        raise IntegrityError(f"{path} has {len(content)} bytes where its header asks for {size}; run tokenize again")
    return TokenShard(path, header, content[BINARY_HEADER.size : ids_end].view(dtype), content[ends_start:].view("<u8"))
