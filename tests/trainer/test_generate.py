"""trainer/generate.py: draws that probability theory fixes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from trainer.generate import generate_ids, generate_text
from trainer.model import GPT, build_model
from trainer.model_config import ModelConfig
from trainer.tokenizer import Tokenizer

TOKENIZER = Tokenizer([bytes([value]) for value in range(256)])


@pytest.fixture(autouse=True)
def one_thread():  # type: ignore[no-untyped-def]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are too small to share
    yield
    torch.set_num_threads(before)


def constant_model(logits: dict[int, float]) -> GPT:
    """A model whose next id has these logits (others -100) whatever came before.

    Gain 0 and bias e0 in the last norm make its output the first unit vector, so that the logits are
    the first column of the embedding.
    """
    model = build_model(ModelConfig(257, 8, 1, 8, 1), 0)
    with torch.no_grad():
        model.final_norm.weight.zero_()
        model.final_norm.bias.zero_()
        model.final_norm.bias[0] = 1.0
        model.token_embedding.weight[:, 0] = -100.0
        for identifier, logit in logits.items():
            model.token_embedding.weight[identifier, 0] = logit
    return model


def draw(model: GPT, count: int, temperature: float = 1.0, top_k: int = 40, seed: int = 0) -> list[int]:
    return generate_ids(model, [256], count, temperature=temperature, top_k=top_k, seed=seed, stop_id=256)


def test_shares_are_those_of_the_softmax() -> None:
    # Logits ln 3 and 0 at temperature 1/2: odds 9 to 1. Binomial(1000, 0.9): deviation 9.5; five of them.
    counts = Counter(draw(constant_model({65: 1.0986123, 66: 0.0}), 1000, temperature=0.5))
    assert set(counts) == {65, 66}
    assert abs(counts[65] - 900) < 48


def test_top_k_leaves_the_likeliest() -> None:
    assert set(draw(constant_model({65: 1.0, 66: 0.9, 67: 0.8}), 100, top_k=2)) == {65, 66}
    assert set(draw(constant_model({65: 1.0, 66: 0.9}), 20, top_k=1)) == {65}


def test_end_of_text_ends_the_sample() -> None:
    assert draw(constant_model({256: 10.0}), 20) == []


def test_same_seed_same_sample() -> None:
    model = build_model(ModelConfig(257, 8, 1, 8, 1), 0)
    assert draw(model, 30, seed=3) == draw(model, 30, seed=3)
    assert draw(model, 30, seed=3) != draw(model, 30, seed=4)


@pytest.mark.parametrize(
    ("prompt", "expected"), [("ab", "abCCC"), ("", "CCC"), ("a long prompt over the context", "a long prompt over the contextCCC")]
)
def test_text_continues_the_prompt(prompt: str, expected: str) -> None:
    assert generate_text(constant_model({67: 9.0}), TOKENIZER, prompt, 3, temperature=1.0, top_k=1, seed=0) == expected
