"""Byte-level BPE as GPT-2 has it: train or load, encode, decode, save.

``tokenizers`` trains, ``tiktoken`` encodes (several times faster, the same ids). Whatever a text
spells, only ``end_of_text`` itself is the end-of-text token: a page that contains the characters
``<|endoftext|>`` is plain text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.errors import InputError
from curation.shards import canonical_json
from curation.storage import read_bytes, sha256_of

if TYPE_CHECKING:
    import tiktoken

FORMAT = "crawl2gpt tokenizer"
FORMAT_VERSION = 1
END_OF_TEXT = "<|endoftext|>"
# GPT-2, src/encoder.py: no merge crosses character classes, except one leading space.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# A pair seen once says nothing about the language; tokenizers' own default is 0.
MIN_PAIR_COUNT = 2
# tiktoken aborts when a run of white space exceeds its regex stack (about a million characters).
# Longer runs are cut here; no shorter text is encoded otherwise than GPT-2 does.
MAX_WHITESPACE_RUN = 100_000

# Learning takes time with the square of the longest piece, minutes for one page of 3 MB without a
# space; so it sees such a run in stretches of this length. They hold whatever is worth merging.
MAX_TRAINING_RUN = 500

LONG_WHITESPACE = re.compile(rf"\s{{{MAX_WHITESPACE_RUN}}}")
LONG_RUN = re.compile(rf"\s{{{MAX_TRAINING_RUN}}}|\S{{{MAX_TRAINING_RUN}}}")


class Tokenizer:
    """A byte-level BPE vocabulary: id i is the byte string ``tokens[i]``, the last id is end of text.

    The order of ``tokens`` is the order of merging: of all adjacent pairs that join to a token, the
    one with the lowest id is joined first.
    """

    def __init__(self, tokens: Sequence[bytes], pattern: str = GPT2_PATTERN) -> None:
        """A vocabulary of ``tokens``, which must be distinct and include all 256 single bytes.

        Raises:
            InputError: they are not.
        """
        if len(set(tokens)) != len(tokens) or not {bytes([value]) for value in range(256)} <= set(tokens):
            raise InputError("a tokenizer needs distinct tokens, all 256 single bytes among them; train it again")
        self.tokens = tuple(tokens)
        self.pattern = pattern

    @property
    def end_of_text(self) -> int:
        """Id that separates documents; no text encodes to it."""
        return len(self.tokens)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, end of text included."""
        return len(self.tokens) + 1

    @cached_property
    def sha256(self) -> str:
        """Checksum of the saved form: names the tokenizer in token shards and checkpoints."""
        return sha256_of(self.to_bytes())

    @cached_property
    def token_bytes(self) -> np.ndarray:
        """Length of each id in UTF-8 bytes, int64 of shape (vocabulary_size,); end of text counts 0."""
        return np.array([len(token) for token in self.tokens] + [0], dtype=np.int64)

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        import tiktoken

        return tiktoken.Encoding(
            name="crawl2gpt",
            pat_str=self.pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(self.tokens)},
            special_tokens={END_OF_TEXT: self.end_of_text},
        )

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, uint32 of shape (tokens,), never with ``end_of_text``.

        Lone surrogates, which have no UTF-8 form, become U+FFFD.
        """
        try:
            parts = [self._encoding.encode_to_numpy(part, disallowed_special=()) for part in _cut_after(LONG_WHITESPACE, text)]
        except UnicodeEncodeError:
            return self.encode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def encode_batch(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Ids of each text. One thread: workers of the engine already fill the processors."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; end of text shows as ``<|endoftext|>``, broken UTF-8 as U+FFFD.

        Raises:
            InputError: an id is outside the vocabulary.
        """
        table = (*self.tokens, END_OF_TEXT.encode())
        values = [int(value) for value in ids]
        if any(not 0 <= value < len(table) for value in values):
            raise InputError(f"an id outside 0..{len(table) - 1} cannot be decoded; the tokens were made by another tokenizer")
        return b"".join(table[value] for value in values).decode("utf-8", errors="replace")

    def to_bytes(self) -> bytes:
        """The saved form, canonical JSON: ``tokens`` lists base64 by id; equal tokenizers give equal bytes."""
        return canonical_json(
            {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "pattern": self.pattern,
                "tokens": [base64.b64encode(token).decode() for token in self.tokens],
                "special": {END_OF_TEXT: self.end_of_text},
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes, path: str = "tokenizer.json") -> Tokenizer:
        """Inverse of ``to_bytes``; ``path`` is named in errors.

        Raises:
            InputError: the content is no saved tokenizer of this version.
        """
        try:
            values = json.loads(content)
            if (values["format"], values["version"]) != (FORMAT, FORMAT_VERSION):
                raise ValueError(f"format {values['format']!r}, version {values['version']!r}")
            tokenizer = cls([base64.b64decode(token, validate=True) for token in values["tokens"]], str(values["pattern"]))
            if values["special"] != {END_OF_TEXT: tokenizer.end_of_text}:
                raise ValueError(f"special tokens {values['special']!r}")
        except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
            raise InputError(f"{path} is no tokenizer of this program ({error}); run tokenize again") from error
        return tokenizer


def _cut_after(run: re.Pattern[str], text: str) -> list[str]:
    """The text, cut after each stretch that the pattern matches."""
    ends = [match.end() for match in run.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """BPE of at most ``vocabulary_size`` ids, end of text included, learned from texts in any order.

    The 256 bytes come first, then merges by falling count (ties by id). A small text yields fewer
    tokens: merging stops when no pair occurs ``MIN_PAIR_COUNT`` times.
    """
    from tokenizers import Tokenizer as Trainable
    from tokenizers import models, pre_tokenizers, trainers

    trainable = Trainable(models.BPE())
    byte_level: Any = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainable.pre_tokenizer = byte_level
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - 1,
        min_frequency=MIN_PAIR_COUNT,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trainable.train_from_iterator(_training_parts(texts), trainer)
    ids = trainable.get_vocab(with_added_tokens=False)
    byte_of = byte_alphabet()
    return Tokenizer([bytes(byte_of[character] for character in name) for name in sorted(ids, key=ids.__getitem__)])


def _training_parts(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from _cut_after(LONG_RUN, text.encode("utf-8", "replace").decode("utf-8"))


def byte_alphabet() -> dict[str, int]:
    """The byte that each printable character stands for (GPT-2, ``bytes_to_unicode``).

    Printable bytes stand for themselves; the others, in order, are the characters from U+0100 on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [value for value in range(256) if value not in printable]
    return {chr(value): value for value in printable} | {chr(256 + index): value for index, value in enumerate(others)}


def load_gpt2_tokenizer(vocab_bpe: str, encoder_json: str) -> Tokenizer:
    """The tokenizer of GPT-2's two files, ``vocab.bpe`` (merges) and ``encoder.json`` (ids).

    Raises:
        InputError: a file is missing or is not such a file, or the two do not belong together.
    """
    byte_of = byte_alphabet()
    merges_text = read_bytes(vocab_bpe)
    ids_text = read_bytes(encoder_json)
    try:
        # The first line is a version; the file ends in a newline (GPT-2, src/encoder.py).
        merges = [tuple(line.split(" ")) for line in merges_text.decode().split("\n")[1:-1]]
        ids: dict[str, int] = json.loads(ids_text)
        names = [*byte_of, *(first + second for first, second in merges)]
        if ids != {name: index for index, name in enumerate([*names, END_OF_TEXT])}:
            raise ValueError("the ids are not the order of the merges")
        return Tokenizer([bytes(byte_of[character] for character in name) for name in names])
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(
            f"{vocab_bpe} and {encoder_json} are not GPT-2's vocab.bpe and encoder.json ({error}); "
            "set tokenize.vocab_bpe and tokenize.encoder_json to the published files, or to null to train a tokenizer"
        ) from error


def read_tokenizer(path: str) -> Tokenizer:
    """The tokenizer saved in a file, a local path or an fsspec URL.

    Raises:
        InputError: the file is missing or holds something else.
    """
    return Tokenizer.from_bytes(read_bytes(path), path)
