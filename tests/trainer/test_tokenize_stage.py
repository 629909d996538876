"""trainer/tokenize_stage.py: splits, packing and sampling on planted documents, whatever the shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curation.documents import documents_frame
from curation.errors import UsageError
from curation.recipe import TokenizeSettings
from curation.shards import Shard, frame_to_parquet
from curation.stage import Outcome, Prepared
from curation.storage import commit_bytes
from tests.shared_data import shared
from trainer.split import is_validation
from trainer.token_shards import TokenShard, open_token_shard
from trainer.tokenize_stage import TokenizeStage, cut_to_bytes, sample_texts, source_folder
from trainer.tokenizer import Tokenizer, read_tokenizer

SETTINGS = TokenizeSettings(vocabulary_size=400, validation_fraction=0.25)
ROWS = [
    {"id": f"d{number}", "text": f"document {number} says <|endoftext|> and é{number}", "source": ("web", "books", None)[number % 3]}
    for number in range(60)
]


class FolderCorpus:
    """The part of ``curation.stage.Corpus`` that ``prepare`` uses, on a local folder."""

    def __init__(self, folder: Path, frames: list[pl.DataFrame]) -> None:
        self.run = folder
        self.folder = str(folder / "prepared")
        self.shards = []
        for number, frame in enumerate(frames):
            stored = commit_bytes(str(folder / f"documents/part-{number}.parquet"), frame_to_parquet(frame))
            self.shards.append(Shard(stored.path, len(frame), stored.bytes, stored.sha256))

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(function, items)

    def commit(self, name: str, content: bytes) -> str:
        return commit_bytes(f"{self.folder}/{name}", content).path

    def publish(self, name: str, content: bytes) -> str:
        return commit_bytes(str(self.run / name), content).path

    def scratch(self) -> str:
        return str(self.run)

    def progress(self, message: str) -> None:
        del message


def run_stage(
    folder: Path, frame: pl.DataFrame, settings: TokenizeSettings = SETTINGS
) -> tuple[Outcome, Tokenizer, dict[str, TokenShard], Prepared]:
    """The stage on one shard, its files written and opened again."""
    stage = TokenizeStage(settings, 1)
    prepared = stage.prepare(FolderCorpus(folder, [frame]))
    outcome = stage.process(frame, prepared)
    tokenizer = read_tokenizer(str(folder / "tokens/tokenizer.json"))
    for name, content in outcome.files.items():
        commit_bytes(str(folder / name.format(part="00000")), content)
    shards = {
        path.relative_to(folder / "tokens").as_posix(): open_token_shard(path, tokenizer.sha256)
        for path in sorted((folder / "tokens").rglob("*.tokens"))
    }
    return outcome, tokenizer, shards, prepared


def texts_of(shard: TokenShard, tokenizer: Tokenizer) -> list[str]:
    """Documents of a token shard, each of which must end in end of text and hold it nowhere else."""
    texts = []
    for ids in np.split(shard.tokens, shard.document_ends.astype(int)[:-1]):
        assert ids[-1] == tokenizer.end_of_text
        assert tokenizer.end_of_text not in ids[:-1]
        texts.append(tokenizer.decode(ids[:-1]))
    return texts


def test_every_document_is_in_the_file_of_its_source_and_split(tmp_path: Path) -> None:
    frame = documents_frame(ROWS)
    outcome, tokenizer, shards, _ = run_stage(tmp_path, frame)
    held_out = is_validation(frame, 1, 0.25)
    expected: dict[str, list[str]] = {}
    for row, validation in zip(ROWS, held_out, strict=True):
        name = f"{row['source'] or 'unknown'}/{'validation' if validation else 'train'}-00000.tokens"
        expected.setdefault(name, []).append(str(row["text"]))
    assert len(expected) == 6
    assert {name: sorted(texts_of(shard, tokenizer)) for name, shard in shards.items()} == {
        name: sorted(texts) for name, texts in expected.items()
    }
    for shard in shards.values():
        counts = outcome.statistics["sources"][shard.header.source][shard.header.split]
        text_bytes = sum(len(text.encode()) for text in texts_of(shard, tokenizer))
        assert counts == {"documents": len(shard.document_ends), "tokens": len(shard.tokens), "text_bytes": text_bytes}
    assert outcome.ledger == []
    assert outcome.documents["id"].to_list() == frame["id"].to_list()
    assert outcome.documents["token_count"].to_list() == [len(tokenizer.encode(str(row["text"]))) for row in ROWS]


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    frame = documents_frame(ROWS)
    one, *_ = run_stage(tmp_path / "one", frame)
    two, *_ = run_stage(tmp_path / "two", frame.reverse())
    assert one.files == two.files


def test_documents_are_shuffled_before_packing(tmp_path: Path) -> None:
    frame = documents_frame({**row, "source": "web"} for row in ROWS)
    _, tokenizer, shards, _ = run_stage(tmp_path, frame)
    texts = texts_of(shards["web/train-00000.tokens"], tokenizer)
    assert texts != sorted(texts, key=lambda text: int(text.split()[1]))


def test_empty_shard(tmp_path: Path) -> None:
    outcome, *_ = run_stage(tmp_path, documents_frame())
    assert (outcome.files, outcome.statistics, len(outcome.documents)) == ({}, {"sources": {}}, 0)


def test_empty_text_is_one_end_of_text(tmp_path: Path) -> None:
    _, tokenizer, shards, _ = run_stage(tmp_path, documents_frame([{"id": "d", "text": "", "source": "web"}]))
    (shard,) = shards.values()
    assert shard.tokens.tolist() == [tokenizer.end_of_text]


def test_prepared_tokenizer_is_the_published_one(tmp_path: Path) -> None:
    _, tokenizer, _, prepared = run_stage(tmp_path, documents_frame(ROWS))
    assert prepared.values == {"tokenizer_sha256": tokenizer.sha256, "vocabulary_size": tokenizer.vocabulary_size}
    assert (tmp_path / "prepared/tokenizer.json").read_bytes() == (tmp_path / "tokens/tokenizer.json").read_bytes()


def test_gpt2_files_are_used_and_fingerprinted(tmp_path: Path) -> None:
    files = [str(shared("data", "bpe", name)) for name in ("vocab.bpe", "encoder.json")]
    settings = TokenizeSettings(vocab_bpe=files[0], encoder_json=files[1])
    assert TokenizeStage(settings, 0).resources() == files
    _, tokenizer, _, _ = run_stage(tmp_path, documents_frame([{"id": "d", "text": "Hello world", "source": "web"}]), settings)
    assert tokenizer.encode("Hello world").tolist() == [15496, 995]


def test_one_gpt2_file_alone_is_an_error() -> None:
    with pytest.raises(UsageError, match="belong together"):
        TokenizeStage(TokenizeSettings(vocab_bpe="vocab.bpe"), 0)
    assert TokenizeStage(SETTINGS, 0).resources() == []


@pytest.mark.parametrize("training_bytes", [1, 100, 1000, 1 << 20])
def test_sample_is_bounded_and_the_same_for_any_shards(tmp_path: Path, training_bytes: int) -> None:
    settings = TokenizeSettings(training_bytes=training_bytes, validation_fraction=0.25)
    frame = documents_frame(ROWS)
    samples = [
        sample_texts(FolderCorpus(tmp_path / str(number), frames), settings, 1)
        for number, frames in enumerate([[frame], [frame[:7], frame[7:]], [frame[40:].reverse(), frame[:40]]])
    ]
    assert samples[0] == samples[1] == samples[2]
    training = frame.filter(~is_validation(frame, 1, 0.25))["text"].to_list()
    total = sum(len(text.encode()) for text in training)
    # A cut inside "é" leaves one byte of the budget unused.
    assert min(training_bytes, total) - sum(len(text.encode()) for text in samples[0]) in (0, 1)
    assert set(samples[0][:-1]) <= set(training)


def test_cut_falls_between_characters() -> None:
    assert cut_to_bytes(["ab", "éé", "c"], 5) == ["ab", "é"]
    assert cut_to_bytes(["ab"], 5) == ["ab"]
    assert cut_to_bytes([], 5) == []


@pytest.mark.parametrize(
    ("source", "folder"),
    [("web", "web"), ("a/b {part}", "a%2Fb%20%7Bpart%7D"), ("..", "%2E%2E"), ("", "%"), ("v1.5", "v1.5"), ("a%2Fb", "a%252Fb")],
)
def test_source_folder(source: str, folder: str) -> None:
    assert source_folder(source) == folder


def test_long_source_folders_stay_distinct() -> None:
    names = {source_folder("x" * 300 + end) for end in "ab"}
    assert len(names) == 2
    assert all(len(name) == 100 for name in names)
