"""The tokens of one source as one long stream over its shards, cut into sequences.

Documents are packed: a sequence may hold many, divided by end of text and not masked from each
other, and a long document continues in the next sequence (GPT-3, appendix B). The end of a shard
is no end of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.errors import InputError
from trainer.token_shards import HEADER_SUFFIX, TOKENS_SUFFIX, TokenShard, open_token_shard, read_header


class TokenStream:
    """All tokens of a source in one split; ``len`` counts sequences.

    Sequence i holds tokens i * T to (i + 1) * T inclusive: T inputs, and T targets one further on,
    so that each token but the first is predicted exactly once. What is left at the end is not used.
    """

    def __init__(self, shards: Sequence[TokenShard], context_length: int) -> None:
        self.shards = list(shards)
        self.context_length = context_length
        self.starts = np.cumsum([0, *(shard.header.tokens for shard in self.shards)])

    @property
    def tokens(self) -> int:
        """Tokens of all shards, end of text included."""
        return int(self.starts[-1])

    def __len__(self) -> int:
        return max(0, (self.tokens - 1) // self.context_length)

    def sequence(self, index: int) -> np.ndarray:
        """Ids of sequence ``index``, int64 of shape (T + 1,).

        Raises:
            IndexError: there is no such sequence.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self)}")
        position = index * self.context_length
        end = position + self.context_length + 1
        parts = []
        number = int(np.searchsorted(self.starts, position, side="right")) - 1
        while position < end:
            shard_start, shard_end = int(self.starts[number]), int(self.starts[number + 1])
            until = min(end, shard_end)
            parts.append(self.shards[number].tokens[position - shard_start : until - shard_start])
            position, number = until, number + 1
        return np.concatenate(parts).astype(np.int64)


def open_streams(
    tokens_folder: Path, split: str, context_length: int, tokenizer_sha256: str, names: Sequence[str] | None = None
) -> dict[str, TokenStream]:
    """Streams of a split by source, sorted by source; shards follow each other by path.

    ``names``: the files that the manifests of tokenize vouch for, relative to ``tokens_folder``;
    None takes all that lie there.

    Raises:
        InputError: the folder holds no shard of the split, or a shard of another tokenizer.
        IntegrityError: a shard is damaged.
    """
    if names is None:
        names = [path.relative_to(tokens_folder).as_posix() for path in tokens_folder.glob(f"*/*{TOKENS_SUFFIX}")]
    by_source: dict[str, list[TokenShard]] = {}
    for name in sorted(names):
        path = tokens_folder / name
        if path.suffix != TOKENS_SUFFIX:
            continue
        header = read_header(path)
        if header.split == split:
            by_source.setdefault(header.source, []).append(open_token_shard(path, tokenizer_sha256))
    if not by_source:
        raise InputError(f"{tokens_folder} holds no {split} shards (*{TOKENS_SUFFIX} with *{HEADER_SUFFIX}); run tokenize first")
    return {source: TokenStream(by_source[source], context_length) for source in sorted(by_source)}
