"""trainer/sequences.py: with ids 0, 1, 2, ... the right sequence is arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from trainer.sequences import TokenStream, open_streams
from trainer.token_shards import TokenHeader, TokenShard, build_token_file


def stream_of(sizes: list[int], context_length: int) -> TokenStream:
    shards, start = [], 0
    for size in sizes:
        header = TokenHeader("s", "train", size, 1, 0, "uint16", 60_000, "", "")
        shards.append(TokenShard(Path("s"), header, np.arange(start, start + size, dtype=np.uint16), np.array([], dtype=np.uint64)))
        start += size
    return TokenStream(shards, context_length)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(1, 20))
def test_sequences_run_on_over_shards(sizes: list[int], context_length: int) -> None:
    stream = stream_of(sizes, context_length)
    total = sum(sizes)
    assert len(stream) == max(0, (total - 1) // context_length)
    for index in range(len(stream)):
        expected = range(index * context_length, (index + 1) * context_length + 1)
        assert stream.sequence(index).tolist() == list(expected)
    # Targets cover each token but the first exactly once, up to the last whole sequence.
    targets = [token for index in range(len(stream)) for token in stream.sequence(index)[1:].tolist()]
    assert targets == list(range(1, len(stream) * context_length + 1))


@pytest.mark.parametrize("index", [-1, 2])
def test_outside_is_an_error(index: int) -> None:
    with pytest.raises(IndexError):
        stream_of([9], 4).sequence(index)


def write(folder: Path, source: str, name: str, ids: list[int]) -> None:
    content, header = build_token_file(
        [np.array(ids)], end_of_text=0, vocabulary_size=100, tokenizer_sha256="t", text_bytes=1, source=source, split=name.split("-")[0]
    )
    (folder / source).mkdir(exist_ok=True)
    (folder / source / f"{name}.tokens").write_bytes(content)
    (folder / source / f"{name}.json").write_bytes(header.to_bytes())


def test_shards_are_ordered_by_path_and_split(tmp_path: Path) -> None:
    write(tmp_path, "b", "train-00001", [3, 4])
    write(tmp_path, "b", "train-00000", [1, 2])
    write(tmp_path, "a", "train-00000", [5])
    write(tmp_path, "a", "validation-00000", [6])
    streams = open_streams(tmp_path, "train", 5, "t")
    assert list(streams) == ["a", "b"]
    assert streams["b"].sequence(0).tolist() == [1, 2, 0, 3, 4, 0]
    assert open_streams(tmp_path, "validation", 5, "t")["a"].tokens == 2


def test_only_named_files_are_read(tmp_path: Path) -> None:
    write(tmp_path, "a", "train-00000", [1])
    write(tmp_path, "a", "train-00001", [2])
    streams = open_streams(tmp_path, "train", 1, "t", ["a/train-00000.json", "a/train-00000.tokens"])
    assert streams["a"].tokens == 2


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no train shards"):
        open_streams(tmp_path, "train", 5, "t")
