"""trainer/generate.py: draws that probability theory fixes."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch

from trainer.cache import Cache
from trainer.generate import Sampling, generate_ids, generate_text
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


def draw(model: GPT, count: int, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, seed: int = 0) -> list[int]:
    return generate_ids(model, [256], count, Sampling(temperature, top_k, top_p, seed), stop_id=256)


def test_shares_are_those_of_the_softmax() -> None:
    # Logits ln 3 and 0 at temperature 1/2: odds 9 to 1. Binomial(1000, 0.9): deviation 9.5; five of them.
    counts = Counter(draw(constant_model({65: 1.0986123, 66: 0.0}), 1000, temperature=0.5))
    assert set(counts) == {65, 66}
    assert abs(counts[65] - 900) < 48


def test_top_k_leaves_the_likeliest() -> None:
    assert set(draw(constant_model({65: 1.0, 66: 0.9, 67: 0.8}), 100, top_k=2)) == {65, 66}
    assert set(draw(constant_model({65: 1.0, 66: 0.9}), 20, top_k=1)) == {65}


def test_temperature_0_takes_the_likeliest() -> None:
    assert set(draw(constant_model({65: 1.0, 66: 0.99}), 20, temperature=0)) == {65}


@pytest.mark.parametrize("temperature", [1e-8, 1e-300, 5e-324])
def test_temperature_near_0_is_as_0(temperature: float) -> None:
    assert set(draw(constant_model({65: 1.0, 66: 0.99}), 20, temperature=temperature)) == {65}


def test_top_p_leaves_the_fewest_that_reach_it() -> None:
    """Probabilities 0.5, 0.3 and 0.2: two are needed for 0.6 and for 0.8, one for 0.5 and below, three above 0.8."""
    model = constant_model({65: math.log(5), 66: math.log(3), 67: math.log(2)})
    for top_p, expected in ((1e-9, {65}), (0.49, {65}), (0.6, {65, 66}), (0.79, {65, 66}), (0.81, {65, 66, 67}), (1.0, {65, 66, 67})):
        assert set(draw(model, 60, top_p=top_p)) == expected
    # Of the two likeliest alone, 0.5 and 0.3 are 0.625 and 0.375.
    assert set(draw(model, 60, top_k=2, top_p=0.62)) == {65}


def test_end_of_text_ends_the_sample() -> None:
    assert draw(constant_model({256: 10.0}), 20) == []


def test_same_seed_same_sample() -> None:
    model = build_model(ModelConfig(257, 8, 1, 8, 1), 0)
    assert draw(model, 30, seed=3) == draw(model, 30, seed=3)
    assert draw(model, 30, seed=3) != draw(model, 30, seed=4)


@pytest.mark.parametrize("architecture", [{}, {"positions": "alibi"}, {"positions": "rope", "norm": "rms_norm", "mlp": "swiglu"}])
def test_cached_logits_equal_those_of_the_whole(architecture: dict[str, Any]) -> None:
    config = ModelConfig(257, 32, 4, 16, 2, attention_window=5, **architecture)
    model, cache = build_model(config, 0), Cache(config)
    ids = torch.randint(257, (1, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        parts = [model(ids[:, start:end], cache) for start, end in [(0, 9), *((place, place + 1) for place in range(9, 32))]]
        torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), rtol=1e-5, atol=1e-5)


def test_a_full_context_goes_on_from_its_last_half() -> None:
    """Greedy ids by the stated rule, every one from all that the model may see, without a cache."""
    model = build_model(ModelConfig(257, 8, 2, 16, 2, attention_window=3), 0)
    with torch.no_grad():
        model.position_embedding.weight.mul_(100)  # so that a wrong position gives another id
        prompt = [3, 1, 4, 1, 5]
        known, seen = list(prompt), list(prompt)
        for _ in range(20):
            seen.append(int(model(torch.tensor([seen]))[0, -1].argmax()))
            known.append(seen[-1])
            if len(seen) > 8:
                seen = seen[-4:]
    assert generate_ids(model, prompt, 20, Sampling(temperature=0), stop_id=256) == known[5:]


def test_of_a_long_prompt_the_end_is_read() -> None:
    model = build_model(ModelConfig(257, 8, 2, 16, 2), 0)
    long, short = list(range(30)), list(range(22, 30))
    greedy = Sampling(temperature=0)
    assert generate_ids(model, long, 6, greedy, stop_id=256) == generate_ids(model, short, 6, greedy, stop_id=256)


@pytest.mark.parametrize(
    ("prompt", "expected"), [("ab", "abCCC"), ("", "CCC"), ("a long prompt over the context", "a long prompt over the contextCCC")]
)
def test_text_continues_the_prompt(prompt: str, expected: str) -> None:
    assert generate_text(constant_model({67: 9.0}), TOKENIZER, prompt, 3, Sampling(top_k=1)) == expected
