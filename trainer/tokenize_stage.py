"""The tokenize stage: documents in, token shards by source and split out.

``prepare`` learns a tokenizer from a bounded sample of the training documents, or loads GPT-2's;
``process`` encodes one shard of documents.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np
import polars as pl

from curation.errors import UsageError
from curation.recipe import TokenizeSettings
from curation.shards import Shard, read_shard
from curation.stage import Corpus, Outcome, Prepared
from curation.storage import join, sha256_of
from trainer.split import SPLITS, VALIDATION, document_keys, is_validation
from trainer.token_shards import HEADER_SUFFIX, TOKENS_SUFFIX, build_token_file
from trainer.tokenizer import Tokenizer, load_gpt2_tokenizer, read_tokenizer, train_tokenizer

TOKENIZER_FILE = "tokenizer.json"
TOKENS_FOLDER = "tokens"
UNKNOWN_SOURCE = "unknown"
SAMPLE_COLUMNS = ["id", "text", "pieces"]
# The sample is cut by key. 2^16 bins keep what one worker returns at 512 KiB, and what is read
# beyond the budget at 1/65536 of the corpus.
SAMPLE_BIN_BITS = 16
MAX_FOLDER_NAME = 100  # characters; file systems allow 255 bytes


class TokenizeStage:
    """``curation.stage.Stage`` that writes token shards and leaves the documents as they are."""

    name: ClassVar[str] = "tokenize"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("tokenizers", "tiktoken")
    writes_documents: ClassVar[bool] = False

    def __init__(self, settings: TokenizeSettings, seed: int) -> None:
        """The stage for a recipe's section and seed.

        Raises:
            UsageError: only one of GPT-2's two files is given.
        """
        if (settings.vocab_bpe is None) != (settings.encoder_json is None):
            raise UsageError("tokenize.vocab_bpe and tokenize.encoder_json belong together: set both, or neither to train a tokenizer")
        self.settings = settings
        self.seed = seed

    def resources(self) -> list[str]:
        """GPT-2's files, where the recipe names them."""
        return [path for path in (self.settings.vocab_bpe, self.settings.encoder_json) if path is not None]

    def prepare(self, corpus: Corpus) -> Prepared:
        """Commit the tokenizer for ``process``, and publish it as ``tokens/tokenizer.json``."""
        if self.settings.vocab_bpe is not None and self.settings.encoder_json is not None:
            tokenizer = load_gpt2_tokenizer(self.settings.vocab_bpe, self.settings.encoder_json)
        else:
            corpus.progress(f"training a tokenizer on at most {self.settings.training_bytes:,} bytes")
            tokenizer = train_tokenizer(sample_texts(corpus, self.settings, self.seed), self.settings.vocabulary_size)
        content = tokenizer.to_bytes()
        corpus.commit(TOKENIZER_FILE, content)
        corpus.publish(f"{TOKENS_FOLDER}/{TOKENIZER_FILE}", content)
        values = {"tokenizer_sha256": tokenizer.sha256, "vocabulary_size": tokenizer.vocabulary_size}
        return Prepared(folder=corpus.folder, values=values)

    def process(self, documents: pl.DataFrame, prepared: Prepared) -> Outcome:
        """Token files of one shard, one for each source and split in it, documents in a keyed order.

        The documents come back with ``token_count`` (end of text not counted). Statistics:
        ``{"sources": {source: {split: {"documents", "tokens", "text_bytes"}}}}``.
        """
        tokenizer = _cached_tokenizer(prepared.folder, prepared.values["tokenizer_sha256"])
        ids = tokenizer.encode_batch(documents["text"])
        text_bytes = documents["text"].str.len_bytes().to_numpy()
        sources = documents["source"].fill_null(UNKNOWN_SOURCE)
        held_out = is_validation(documents, self.seed, self.settings.validation_fraction)
        # Documents are shuffled before packing: neighbours on the web are not neighbours in a sequence.
        order = np.argsort(document_keys(self.seed, "order", documents["id"]), kind="stable")
        files: dict[str, bytes] = {}
        statistics: dict[str, dict[str, dict[str, int]]] = {}
        for source in sources.unique().sort():
            of_source = (sources == source).to_numpy()
            for split in SPLITS:
                rows = order[(of_source & (held_out == (split == VALIDATION)))[order]]
                if not len(rows):
                    continue
                content, header = build_token_file(
                    [ids[row] for row in rows],
                    end_of_text=tokenizer.end_of_text,
                    vocabulary_size=tokenizer.vocabulary_size,
                    tokenizer_sha256=tokenizer.sha256,
                    text_bytes=int(text_bytes[rows].sum()),
                    source=source,
                    split=split,
                )
                name = f"{TOKENS_FOLDER}/{source_folder(source)}/{split}-{{part}}"
                files |= {name + TOKENS_SUFFIX: content, name + HEADER_SUFFIX: header.to_bytes()}
                counts = {"documents": header.documents, "tokens": header.tokens, "text_bytes": header.text_bytes}
                statistics.setdefault(source, {})[split] = counts
        counted = documents.with_columns(pl.Series("token_count", [len(document) for document in ids], dtype=pl.Int64))
        return Outcome(documents=counted, files=files, statistics={"sources": statistics})


@functools.lru_cache(maxsize=1)
def _cached_tokenizer(folder: str, sha256: str) -> Tokenizer:
    """The committed tokenizer, read once by a worker; ``sha256`` makes a new tokenizer a new entry."""
    del sha256
    return read_tokenizer(join(folder, TOKENIZER_FILE))


def source_folder(source: str) -> str:
    """A folder name for a source, different for different sources, safe on any file system.

    Letters, digits and ``_-.~`` stay, other characters are percent-encoded; a long name is cut and
    ends in a checksum.
    """
    name = quote(source, safe="")
    if not name.strip("."):
        name = name.replace(".", "%2E") or "%"
    return name if len(name) <= MAX_FOLDER_NAME else f"{name[: MAX_FOLDER_NAME - 17]}-{sha256_of(source.encode())[:16]}"


def sample_texts(corpus: Corpus, settings: TokenizeSettings, seed: int) -> list[str]:
    """Texts of training documents, at most ``training_bytes`` in UTF-8, drawn without regard to shards.

    Documents are taken in the order of a key that depends on (seed, id) alone; the last one is cut
    to fit. Two passes: the first counts bytes by key, the second reads the documents below the cut.
    """
    histogram = np.zeros(1 << SAMPLE_BIN_BITS, dtype=np.int64)
    count = functools.partial(_bytes_by_key, seed=seed, fraction=settings.validation_fraction)
    for shard_histogram in corpus.map(count, corpus.shards):
        histogram += shard_histogram
    last_bin = int(np.searchsorted(np.cumsum(histogram), settings.training_bytes))
    select = functools.partial(_texts_below, seed=seed, fraction=settings.validation_fraction, last_bin=last_bin)
    selected = sorted(row for rows in corpus.map(select, corpus.shards) for row in rows)
    return cut_to_bytes((text for _, _, text in selected), settings.training_bytes)


def cut_to_bytes(texts: Iterable[str], max_bytes: int) -> list[str]:
    """The first texts, ``max_bytes`` of UTF-8 in all; the last one is cut between characters."""
    taken: list[str] = []
    left = max_bytes
    for text in texts:
        content = text.encode()
        if len(content) > left:
            return [*taken, content[:left].decode(errors="ignore")]
        taken.append(text)
        left -= len(content)
    return taken


def _training_documents(shard: Shard, seed: int, fraction: float) -> tuple[pl.DataFrame, np.ndarray]:
    documents = read_shard(shard, SAMPLE_COLUMNS)
    documents = documents.filter(~is_validation(documents, seed, fraction))
    return documents, document_keys(seed, "tokenizer", documents["id"])


def _bin_of(keys: np.ndarray) -> np.ndarray:
    return (keys >> np.uint64(64 - SAMPLE_BIN_BITS)).astype(np.int64)


def _bytes_by_key(shard: Shard, seed: int, fraction: float) -> np.ndarray:
    documents, keys = _training_documents(shard, seed, fraction)
    text_bytes: Any = documents["text"].str.len_bytes().to_numpy()
    return np.bincount(_bin_of(keys), weights=text_bytes, minlength=1 << SAMPLE_BIN_BITS).astype(np.int64)


def _texts_below(shard: Shard, seed: int, fraction: float, last_bin: int) -> list[tuple[int, str, str]]:
    documents, keys = _training_documents(shard, seed, fraction)
    chosen = _bin_of(keys) <= last_bin
    rows = documents.filter(chosen)
    return list(zip(keys[chosen].tolist(), rows["id"], rows["text"], strict=True))
