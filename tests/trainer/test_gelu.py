"""trainer/gelu.py against the formula in float64, and where it hands over to PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from trainer.gelu import MOST_VALUES, gelu


def formula(x: torch.Tensor) -> torch.Tensor:
    """GPT-2, src/model.py, in float64."""
    x = x.double()
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_value_and_gradient_are_those_of_the_formula() -> None:
    x = torch.cat((torch.linspace(-12, 12, 4001), torch.tensor([-1e20, -1e4, 1e4, 1e20]))).requires_grad_()
    weights = torch.linspace(1, 2, len(x))
    found, expected = gelu(x), formula(x)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    ours = torch.autograd.grad((found * weights).sum(), x)[0][:4001]
    theirs = torch.autograd.grad((expected * weights).sum(), x)[0][:4001]
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=2e-6)


def test_what_is_not_finite_stays_so() -> None:
    assert gelu(torch.tensor([math.nan, math.inf])).isnan().tolist() == [True, False]
    assert F.gelu(torch.tensor([math.nan, math.inf]), approximate="tanh").isnan().tolist() == [True, False]


def test_without_gradients_nothing_is_kept() -> None:
    x = torch.randn(50, requires_grad=True)
    expected = gelu(x)
    with torch.no_grad():
        assert torch.equal(gelu(x), expected) and not gelu(x).requires_grad


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64])
def test_other_types_are_pytorchs(precision: torch.dtype) -> None:
    """In bfloat16 each of our steps would round."""
    x = torch.randn(50, dtype=precision)
    assert torch.equal(gelu(x), F.gelu(x, approximate="tanh"))


def test_what_leaves_the_cache_is_pytorchs() -> None:
    """There ours was up to twice as slow, since it passes over memory more often."""
    x = torch.randn(MOST_VALUES + 1, generator=torch.Generator().manual_seed(0))
    expected = F.gelu(x, approximate="tanh")
    assert torch.equal(gelu(x), expected)
    assert not torch.equal(gelu(x[:-1]), expected[:-1])  # ours rounds otherwise
