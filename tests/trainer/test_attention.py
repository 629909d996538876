"""trainer/attention.py and flex_attention.py against attention written out pair by pair in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.attention import CausalAttention
from trainer.cache import LayerCache
from trainer.flex_attention import FlexAttention
from trainer.model_config import ModelConfig

TOLERANCE = 1e-5
Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def attention(window: int | None, heads: int, head_width: int, positions: str = "learned", longest: int = 1 << 20) -> CausalAttention:
    """Layer 1, which is banded where there is a window."""
    config = ModelConfig(10, longest, 2, heads * head_width, heads, attention_window=window or longest, positions=positions)  # type: ignore[arg-type]
    assert config.window(1) == window
    return CausalAttention(config, 1)


def reference(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, window: int | None, alibi: bool) -> torch.Tensor:
    """Softmax over what each of the last positions may see, in float64; with slopes 2^(-8 h / n), h from 1 to n."""
    heads, count, total = queries.shape[1], queries.shape[2], keys.shape[2]
    scores = queries.double() @ keys.double().transpose(-1, -2) / math.sqrt(queries.shape[3])
    slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)], dtype=torch.float64)[:, None]
    for row in range(count):
        own = total - count + row
        scores[:, :, row, own + 1 :] = -math.inf
        if window is not None:
            scores[:, :, row, : max(0, own - window + 1)] = -math.inf
        if alibi:
            scores[:, :, row] -= slopes * torch.tensor([own - key for key in range(total)])
    return torch.softmax(scores, dim=-1) @ values.double()


def random_heads(positions: int, heads: int, head_width: int, batch: int = 2, seed: int = 0) -> Heads:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(batch, heads, positions, head_width, generator=generator).requires_grad_() for _ in range(3)]
    return made[0], made[1], made[2]


def assert_equal_with_gradients(found: torch.Tensor, expected: torch.Tensor, inputs: Heads) -> None:
    torch.testing.assert_close(found.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(9))  # a sum would hide swapped positions
    ours = torch.autograd.grad((found * weights).sum(), inputs)
    theirs = torch.autograd.grad((expected * weights).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=TOLERANCE, atol=TOLERANCE)


@given(
    positions=st.integers(1, 40),
    window=st.none() | st.integers(1, 45),
    heads=st.integers(1, 3),
    head_width=st.sampled_from([1, 2, 8, 17]),
    alibi=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_equals_the_reference(positions: int, window: int | None, heads: int, head_width: int, alibi: bool) -> None:
    inputs = random_heads(positions, heads, head_width)
    found = attention(window, heads, head_width, "alibi" if alibi else "learned")(*inputs)
    assert_equal_with_gradients(found, reference(*inputs, window, alibi), inputs)


# Lengths beside multiples of the window; FlexAttention works in blocks of 128.
@pytest.mark.parametrize("alibi", [False, True])
@pytest.mark.parametrize(("positions", "window"), [(127, 32), (128, 32), (129, 32), (257, 256), (140, 1), (150, None)])
def test_every_way_gives_the_same(positions: int, window: int | None, alibi: bool) -> None:
    queries, keys, values = (x.detach() for x in random_heads(positions, 2, 16, batch=1))
    chosen = attention(window, 2, 16, "alibi" if alibi else "learned")
    expected = reference(queries, keys, values, window, alibi)
    ways: list[Any] = [chosen, chosen.masked, FlexAttention(window, chosen.slope)]
    for way in ways:
        torch.testing.assert_close(way(queries, keys, values).double(), expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlexAttention has no gradients on a CPU")
@pytest.mark.parametrize("alibi", [False, True])
@pytest.mark.parametrize(("positions", "window"), [(128, 32), (512, 256), (384, None)])
def test_flex_on_cuda_equals_the_reference(positions: int, window: int | None, alibi: bool) -> None:
    made = [x.detach().cuda().requires_grad_() for x in random_heads(positions, 2, 32)]
    inputs = (made[0], made[1], made[2])
    chosen = attention(window, 2, 32, "alibi" if alibi else "learned")
    assert window is None or chosen.flex is not None
    found = FlexAttention(window, chosen.slope)(*inputs)
    copies = [x.detach().cpu().requires_grad_() for x in inputs]
    expected = reference(copies[0], copies[1], copies[2], window, alibi)
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(found.cpu().double(), expected, rtol=TOLERANCE, atol=TOLERANCE)
    for one, other in zip(inputs, copies, strict=True):
        torch.testing.assert_close(one.grad.cpu(), other.grad, rtol=TOLERANCE, atol=TOLERANCE)  # type: ignore[union-attr]


def test_blocks_are_used_for_more_positions_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    original = CausalAttention.in_blocks
    monkeypatch.setattr(CausalAttention, "in_blocks", lambda self, *heads: used.append(heads[0].shape[2]) or original(self, *heads))
    for positions in (5, 6, 7):
        attention(6, 1, 4)(*random_heads(positions, 1, 4))
    assert used == [7]


@pytest.mark.parametrize("window", [None, 1, 4, 100])
@pytest.mark.parametrize("alibi", [False, True])
def test_a_cache_changes_nothing_and_keeps_the_window(window: int | None, alibi: bool) -> None:
    queries, keys, values = (x.detach() for x in random_heads(23, 2, 8))
    chosen, cache = attention(window, 2, 8, "alibi" if alibi else "learned"), LayerCache(window)
    found, start = [], 0
    for count in (7, 1, 1, 5, 1, 8):
        part = slice(start, start + count)
        found.append(chosen(queries[:, :, part], *cache.extend(keys[:, :, part], values[:, :, part])))
        start += count
        assert cache.keys is not None and cache.keys.shape[2] == min(start, start if window is None else window - 1)
    torch.testing.assert_close(torch.cat(found, dim=2).double(), reference(queries, keys, values, window, alibi), rtol=1e-5, atol=1e-5)


def test_layers_take_turns_and_a_long_window_is_dense() -> None:
    config = ModelConfig(10, 64, 5, 8, 2, attention_window=16)
    assert [config.window(layer) for layer in range(5)] == [None, 16, None, 16, None]
    assert [ModelConfig(10, 16, 5, 8, 2, attention_window=16).window(layer) for layer in range(5)] == [None] * 5
    assert [ModelConfig(10, 64, 5, 8, 2, attention="dense", attention_window=16).window(layer) for layer in range(5)] == [None] * 5
