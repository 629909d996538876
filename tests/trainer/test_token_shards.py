"""trainer/token_shards.py: the bytes by hand, and what damage is found."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from curation.errors import InputError, IntegrityError
from trainer.token_shards import TokenHeader, build_token_file, open_token_shard, token_dtype

DOCUMENTS = [np.array([1, 2, 3], dtype=np.uint32), np.array([], dtype=np.uint32), np.array([4], dtype=np.uint32)]


def build(vocabulary_size: int = 300) -> tuple[bytes, TokenHeader]:
    return build_token_file(
        DOCUMENTS, end_of_text=9, vocabulary_size=vocabulary_size, tokenizer_sha256="t" * 64, text_bytes=4, source="web", split="train"
    )


def write(folder: Path, content: bytes, header: TokenHeader) -> Path:
    path = folder / "train-00000.tokens"
    path.write_bytes(content)
    path.with_suffix(".json").write_bytes(header.to_bytes())
    return path


@pytest.mark.parametrize(("vocabulary_size", "letter", "width"), [(300, "H", 2), (70_000, "I", 4)])
def test_bytes_by_hand(vocabulary_size: int, letter: str, width: int) -> None:
    content, header = build(vocabulary_size)
    ids = struct.pack(f"<7{letter}", 1, 2, 3, 9, 9, 4, 9)
    padding = b"\0" * (2 if width == 2 else 4)  # 14 and 28 bytes, to 16 and 32
    assert content == b"C2GTOKEN" + struct.pack("<IIQQ", 1, width, 7, 3) + ids + padding + struct.pack("<3Q", 4, 5, 7)
    assert (header.tokens, header.documents, header.dtype) == (7, 3, f"uint{8 * width}")


def test_largest_two_byte_vocabulary() -> None:
    assert (token_dtype(65536), token_dtype(65537)) == (np.dtype("<u2"), np.dtype("<u4"))


@pytest.mark.parametrize("vocabulary_size", [300, 70_000])
def test_reads_back(tmp_path: Path, vocabulary_size: int) -> None:
    content, header = build(vocabulary_size)
    shard = open_token_shard(write(tmp_path, content, header), "t" * 64)
    assert shard.header.sha256 == hashlib.sha256(content).hexdigest()
    assert shard.tokens.tolist() == [1, 2, 3, 9, 9, 4, 9]
    assert shard.document_ends.tolist() == [4, 5, 7]
    assert (shard.header.source, shard.header.split, shard.header.text_bytes) == ("web", "train", 4)


def test_no_documents(tmp_path: Path) -> None:
    content, header = build_token_file(
        [], end_of_text=9, vocabulary_size=10, tokenizer_sha256="t" * 64, text_bytes=0, source="web", split="train"
    )
    assert open_token_shard(write(tmp_path, content, header), "t" * 64).tokens.tolist() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"", "empty"),
        (lambda content: content[:20], "does not begin"),
        (lambda content: content[:-1], "bytes where its header asks"),
        (lambda content: content + b"\0", "bytes where its header asks"),
        (lambda content: b"X" + content[1:], "does not begin"),
        (lambda content: content[:16] + b"\xff" + content[17:], "does not begin"),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    content, header = build()
    path = write(tmp_path, change(content), header)
    with pytest.raises(IntegrityError, match=message):
        open_token_shard(path, "t" * 64)


def test_other_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tokenizer tttttttttttt, the tokenizer here is uuuuuuuuuuuu; run tokenize again"):
        open_token_shard(write(tmp_path, *build()), "u" * 64)


def test_missing_files(tmp_path: Path) -> None:
    path = write(tmp_path, *build())
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        open_token_shard(path, "t" * 64)
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="has no header"):
        open_token_shard(path, "t" * 64)


@pytest.mark.parametrize("text", ["", "[1]", "{}", json.dumps({"surprise": 1})])
def test_bad_header_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, *build())
    path.with_suffix(".json").write_text(text)
    with pytest.raises(IntegrityError, match="no header of a token shard"):
        open_token_shard(path, "t" * 64)


@pytest.mark.parametrize(
    "change",
    [{"tokens": "7"}, {"tokens": -1}, {"documents": 2**64}, {"vocabulary_size": None}, {"source": ["a"]}, {"text_bytes": True}],
)
def test_header_with_values_of_another_kind_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = write(tmp_path, *build())
    header = path.with_suffix(".json")
    header.write_text(json.dumps({**json.loads(header.read_bytes()), **change}))
    with pytest.raises(IntegrityError, match="a value is of another kind"):
        open_token_shard(path, "t" * 64)


def test_other_version_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, *build())
    header = path.with_suffix(".json")
    header.write_text(json.dumps({**json.loads(header.read_bytes()), "version": 2}))
    with pytest.raises(IntegrityError, match="version 2"):
        open_token_shard(path, "t" * 64)
