"""trainer/cross_entropy.py against PyTorch's own loss of whole logits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from trainer import cross_entropy
from trainer.cross_entropy import linear_cross_entropy

TOKENS, WIDTH, VOCABULARY, ROWS = 37, 12, 50, 64


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TOKENS, WIDTH, generator=generator).requires_grad_()
    weight = torch.randn(ROWS, WIDTH, generator=generator).requires_grad_()
    return x, weight, torch.randint(VOCABULARY, (TOKENS,), generator=generator)


@pytest.mark.parametrize("chunk_logits", [1, 5 * VOCABULARY, TOKENS * VOCABULARY, 1 << 25])
def test_loss_and_gradients_are_those_of_whole_logits(monkeypatch: pytest.MonkeyPatch, chunk_logits: int) -> None:
    monkeypatch.setitem(cross_entropy.CHUNK_LOGITS, "cpu", chunk_logits)
    x, weight, targets = inputs()
    expected = F.cross_entropy(F.linear(x, weight[:VOCABULARY]), targets)
    expected_gradients = torch.autograd.grad(3 * expected, (x, weight))
    loss = linear_cross_entropy(x, weight, targets, VOCABULARY)
    torch.testing.assert_close(loss, expected)
    for gradient, wanted in zip(torch.autograd.grad(3 * loss, (x, weight)), expected_gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)
    assert not torch.autograd.grad(linear_cross_entropy(x, weight, targets, VOCABULARY), weight)[0][VOCABULARY:].any()


def test_without_gradients() -> None:
    x, weight, targets = inputs()
    expected = linear_cross_entropy(x, weight, targets, VOCABULARY)
    with torch.no_grad():
        loss = linear_cross_entropy(x, weight, targets, VOCABULARY)
    assert torch.equal(loss, expected) and not loss.requires_grad


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision(precision: torch.dtype) -> None:
    x, weight, targets = inputs()
    with torch.autocast("cpu", dtype=precision):
        loss = linear_cross_entropy(x, weight, targets, VOCABULARY)
        expected = F.cross_entropy(F.linear(x, weight[:VOCABULARY]).float(), targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    for gradient, wanted in zip(torch.autograd.grad(loss, (x, weight)), torch.autograd.grad(expected, (x, weight)), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=0.02, atol=2e-4)
