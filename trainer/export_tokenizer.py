"""The tokenizer as transformers reads it: tokenizer.json of the library tokenizers, and its configuration."""

from __future__ import annotations

import itertools
from typing import Any

from curation.errors import InputError
from curation.shards import canonical_json
from trainer.tokenizer import END_OF_TEXT, Tokenizer, byte_alphabet


def tokenizer_files(tokenizer: Tokenizer, context_length: int) -> dict[str, bytes]:
    """Contents of the tokenizer's files by name. There, unlike here, a text that spells end of text means it.

    Raises:
        InputError: the vocabulary is not one of byte-pair encoding.
    """
    from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Written

    character_of = {value: character for character, value in byte_alphabet().items()}

    def name(token: bytes) -> str:
        return "".join(character_of[value] for value in token)

    ids = {name(token): index for index, token in enumerate(tokenizer.tokens)}
    written = Written(models.BPE(vocab=ids, merges=[(name(first), name(second)) for first, second in merges_of(tokenizer)]))
    split: Any = pre_tokenizers.Split(Regex(tokenizer.pattern), "isolated")
    bytes_to_characters: Any = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    sequence: Any = pre_tokenizers.Sequence([split, bytes_to_characters])
    written.pre_tokenizer = sequence
    decoder: Any = decoders.ByteLevel()
    written.decoder = decoder
    written.add_special_tokens([AddedToken(END_OF_TEXT, special=True)])  # gets the next id, which is ours
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": END_OF_TEXT,
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }
    return {"tokenizer.json": written.to_str(pretty=True).encode(), "tokenizer_config.json": canonical_json(settings)}


def merges_of(tokenizer: Tokenizer) -> list[tuple[bytes, bytes]]:
    """The two tokens that each longer token is joined of, in the order of merging.

    They are what the merges before it leave of its bytes.

    Raises:
        InputError: more than two are left.
    """
    rank_of = {token: rank for rank, token in enumerate(tokenizer.tokens)}
    merges = []
    for rank, token in enumerate(tokenizer.tokens):
        if len(token) == 1:
            continue
        parts = [token[place : place + 1] for place in range(len(token))]
        while len(parts) > 2:
            joined = [rank_of.get(first + second, rank) for first, second in itertools.pairwise(parts)]
            best = min(joined)
            if best >= rank:
                raise InputError(f"token {rank}, {token!r}, is joined of no two earlier ones, so that this tokenizer cannot be exported")
            place = joined.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        merges.append((parts[0], parts[1]))
    return merges
