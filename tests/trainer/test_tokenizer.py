"""trainer/tokenizer.py: ids against GPT-2's published ones and a second encoder, damage, hostile text."""

from __future__ import annotations

import base64
import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import InputError
from tests.shared_data import shared
from trainer.tokenizer import (
    MAX_TRAINING_RUN,
    MAX_WHITESPACE_RUN,
    Tokenizer,
    byte_alphabet,
    load_gpt2_tokenizer,
    read_tokenizer,
    train_tokenizer,
)

BYTES = [bytes([value]) for value in range(256)]
TEXTS = ["the cat sat on the mat, the cat's hat", "naïve café – 数 据 😀", "the the the cat cat"] * 3


@cache
def trained() -> Tokenizer:
    return train_tokenizer(TEXTS, 300)


@cache
def gpt2() -> Tokenizer:
    return load_gpt2_tokenizer(str(shared("data", "bpe", "vocab.bpe")), str(shared("data", "bpe", "encoder.json")))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # Published ids of GPT-2: nanoGPT and tiktoken READMEs, transformers' documentation.
        ("Hello world", [15496, 995]),
        ("hello world", [31373, 995]),
        ("Hello, my dog is cute", [15496, 11, 616, 3290, 318, 13779]),
        ("", []),
        # The 256 bytes come first, from "!" = 0 on; "Ċ" (newline) is 198 and "Ġ" (space) 220.
        ("!", [0]),
        ("\n", [198]),
        (" ", [220]),
    ],
)
def test_known_gpt2_ids(text: str, ids: list[int]) -> None:
    assert gpt2().encode(text).tolist() == ids


def test_gpt2_sizes() -> None:
    # 256 bytes + 50,000 merges + end of text (GPT-2, section 2.2).
    assert (gpt2().vocabulary_size, gpt2().end_of_text) == (50257, 50256)


def test_gpt2_agrees_with_a_second_encoder() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    names = {character: value for character, value in byte_alphabet().items()}
    by_byte = {value: character for character, value in names.items()}
    vocabulary = {"".join(by_byte[byte] for byte in token): index for index, token in enumerate(gpt2().tokens)}
    lines = shared("data", "bpe", "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:-1]
    other = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [tuple(line.split(" ")) for line in lines]))
    other.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in [*TEXTS, "I'll DON'T we've  two   spaces\n\n\ttab 12345 3.14!!! <|endoftext|>", "\u00a0\u2003 ﬁ ẞ"]:
        assert gpt2().encode(text).tolist() == other.encode(text).ids


def test_byte_alphabet_is_gpt2s() -> None:
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert (alphabet["A"], alphabet["Ġ"], alphabet["Ċ"], alphabet["Ā"]) == (65, 32, 10, 0)


def test_merges_by_hand() -> None:
    # "ab" occurs 3 times, then "ab"+"c" twice: two merges, then no pair occurs twice.
    tokenizer = train_tokenizer(["abc", "abc", "ab"], 1000)
    assert tokenizer.tokens[256:] == (b"ab", b"abc")
    assert tokenizer.encode("abcab").tolist() == [257, 256]
    assert (tokenizer.end_of_text, tokenizer.vocabulary_size) == (258, 259)


def test_training_does_not_depend_on_order() -> None:
    assert train_tokenizer(TEXTS[::-1], 300).to_bytes() == trained().to_bytes()


@pytest.mark.parametrize("text", ["a" * 1_000_000, " " * 1_000_000 + "x"])
def test_training_cuts_endless_runs(text: str) -> None:
    # Uncut, learning from a run takes the square of its length: minutes for each of these.
    tokenizer = train_tokenizer([text, "hello hello"], 1000)
    assert max(len(token) for token in tokenizer.tokens) <= MAX_TRAINING_RUN
    assert b"hello" in tokenizer.tokens


def test_training_on_nothing_leaves_the_bytes() -> None:
    assert train_tokenizer([], 5000).vocabulary_size == 257


def test_text_that_spells_end_of_text_is_text() -> None:
    for tokenizer in (trained(), gpt2()):
        ids = tokenizer.encode("a<|endoftext|>b")
        assert tokenizer.end_of_text not in ids
        assert tokenizer.decode(ids) == "a<|endoftext|>b"


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_decode_inverts_encode(text: str) -> None:
    ids = trained().encode(text)
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert trained().decode(ids) == expected
    assert trained().token_bytes[ids].sum() == len(expected.encode())


def test_batch_equals_single() -> None:
    batch = trained().encode_batch(TEXTS)
    assert all(np.array_equal(ids, trained().encode(text)) for ids, text in zip(batch, TEXTS, strict=True))
    assert batch[0].dtype == np.uint32


@pytest.mark.parametrize("text", [" " * 1_200_000 + "x", "\n" * 1_200_000, "a" * 300_000, "x" + " \t" * 600_000])
def test_long_runs_do_not_abort(text: str) -> None:
    assert trained().decode(trained().encode(text)) == text


def test_whitespace_up_to_the_limit_is_one_run() -> None:
    # GPT-2's pattern leaves the last space of a run to the word that follows.
    run = " " * (MAX_WHITESPACE_RUN - 1)
    assert gpt2().encode(run + "x").tolist() == [*gpt2().encode(run[:-1]).tolist(), *gpt2().encode(" x").tolist()]


def test_saved_form_round_trips(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "tokenizer.json"
    path.write_bytes(trained().to_bytes())
    again = read_tokenizer(str(path))
    assert again.to_bytes() == trained().to_bytes()
    assert again.sha256 == trained().sha256
    assert again.encode(TEXTS[1]).tolist() == trained().encode(TEXTS[1]).tolist()


def damaged(**changes: object) -> bytes:
    return json.dumps({**json.loads(trained().to_bytes()), **changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        damaged(version=2),
        damaged(format="other"),
        damaged(tokens=["?"]),
        damaged(tokens=[base64.b64encode(b"a").decode()] * 300),
        damaged(special={"<|endoftext|>": 5}),
    ],
)
def test_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"some/tokenizer\.json is no tokenizer .* run tokenize again"):
        Tokenizer.from_bytes(content, "some/tokenizer.json")


def test_tokens_must_hold_every_byte_once() -> None:
    with pytest.raises(InputError, match="256"):
        Tokenizer(BYTES[1:])
    with pytest.raises(InputError, match="distinct"):
        Tokenizer([*BYTES, b"a"])


@pytest.mark.parametrize("identifier", [-1, 300])
def test_unknown_id_is_refused(identifier: int) -> None:
    with pytest.raises(InputError, match="outside"):
        trained().decode([identifier])


def test_gpt2_files_must_belong_together(tmp_path) -> None:  # type: ignore[no-untyped-def]
    merges, ids = tmp_path / "vocab.bpe", tmp_path / "encoder.json"
    merges.write_text("#version: 0.2\na b\n", encoding="utf-8")
    names = [*byte_alphabet(), "ab", "<|endoftext|>"]
    ids.write_text(json.dumps({name: index for index, name in enumerate(names)}), encoding="utf-8")
    assert load_gpt2_tokenizer(str(merges), str(ids)).encode("ab").tolist() == [256]
    ids.write_text(json.dumps({name: index for index, name in enumerate(names[:-1])}), encoding="utf-8")
    with pytest.raises(InputError, match=r"not GPT-2's vocab\.bpe and encoder\.json"):
        load_gpt2_tokenizer(str(merges), str(ids))
    with pytest.raises(InputError, match="no such file"):
        load_gpt2_tokenizer(str(tmp_path / "absent"), str(ids))
