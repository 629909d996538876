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

# Our choice: logits at a time, 128 MiB as float32. On a GPU four times as many, where each chunk adds its part to the whole gradient
# of the weight: for GPT-3 Small 1 % of a step's time, 5 % with the smaller ones (computed from an H200's bandwidth, not measured).
CHUNK_LOGITS = {"cpu": 1 << 25, "cuda": 1 << 27}
CHUNK_MULTIPLE = 128  # tokens; suits the matrix units of CUDA


def linear_cross_entropy(x: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, vocabulary_size: int) -> torch.Tensor:
    """Mean cross-entropy of the logits ``x @ weight.T`` in nats a token, scalar.

    ``x``: (tokens, width). ``weight``: (rows, width), of which the first ``vocabulary_size`` count. ``targets``: (tokens).
    Matrix products have the type that autocast gives them, sums are float32.
    """
    loss = _LinearCrossEntropy.apply(x, weight, targets, vocabulary_size, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return cast(torch.Tensor, loss)


def chunk_tokens(rows: int, device: str) -> int:
    """For how many tokens logits are made at a time, ``rows`` for each, on a type of device."""
    most = max(1, CHUNK_LOGITS.get(device, CHUNK_LOGITS["cpu"]) // rows)
    return most // CHUNK_MULTIPLE * CHUNK_MULTIPLE or most


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
        step = chunk_tokens(len(rows), x.device.type)
        for start in range(0, len(targets), step):
            part, wanted = x[start : start + step], targets[start : start + step, None]
            logits = F.linear(part, rows).float()
            logits[:, vocabulary_size:] = -torch.inf
            logarithms = F.log_softmax(logits, dim=-1)
            total -= logarithms.gather(1, wanted).sum()
            if differentiate:
                # Not yet divided by the tokens: in float16 a share of so many would be zero.
                if torch.compiler.is_compiling():  # one pass with the softmax, which a scattered addition is not
                    gradient = logarithms.exp() - (torch.arange(len(rows), device=x.device) == wanted).float()
                else:
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
