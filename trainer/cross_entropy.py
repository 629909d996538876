"""The loss from the last layer's output, without all logits at once.

GPT-3 Small makes 65 logits of each number that enters its head. Held for the backward pass, beside their softmax and its
gradient, they take most of the memory of training a small model. Here they are made for some tokens at a time, in the forward
pass, which leaves the two gradients that come of them and nothing else.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CHUNK_LOGITS = 1 << 25  # our choice: logits at a time, 128 MiB as float32


def linear_cross_entropy(x: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, vocabulary_size: int) -> torch.Tensor:
    """Mean cross-entropy of the logits ``x @ weight.T`` in nats a token, scalar.

    ``x``: (tokens, width). ``weight``: (rows, width), of which the first ``vocabulary_size`` count. ``targets``: (tokens).
    Matrix products have the type that autocast gives them, sums are float32.
    """
    loss = _LinearCrossEntropy.apply(x, weight, targets, vocabulary_size, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return cast(torch.Tensor, loss)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, vocabulary_size: int, differentiate: bool
    ) -> torch.Tensor:
        # The padding of the vocabulary suits the matrix units of CUDA; it is neither likely nor changed.
        rows = weight if x.is_cuda else weight[:vocabulary_size]
        total = torch.zeros((), device=x.device)
        if differentiate:
            x_gradient, weight_gradient = torch.empty_like(x), torch.zeros_like(weight)
        step = max(1, CHUNK_LOGITS // len(rows))
        for start in range(0, len(targets), step):
            part, wanted = x[start : start + step], targets[start : start + step, None]
            logits = F.linear(part, rows).float()
            logits[:, vocabulary_size:] = -torch.inf
            logarithms = F.log_softmax(logits, dim=-1)
            total -= logarithms.gather(1, wanted).sum()
            if differentiate:
                # Not yet divided by the tokens: in float16 a share of so many would be zero.
                gradient = logarithms.exp_().scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=torch.float32))
                x_gradient[start : start + step] = gradient @ rows
                weight_gradient[: len(rows)] += gradient.T @ part
        if differentiate:
            context.save_for_backward(x_gradient, weight_gradient)
        return total / len(targets)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x_gradient, weight_gradient = context.saved_tensors
        scale = gradient / len(x_gradient)
        return x_gradient * scale, weight_gradient * scale, None, None, None
