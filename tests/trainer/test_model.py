"""trainer/model.py against the parameter table, a second implementation, and what causality demands."""

from __future__ import annotations

import math

import pytest
import torch

from trainer.model import GPT, ModelConfig, build_model
from trainer.presets import GPT2_VOCABULARY, PRESETS

CONFIG = ModelConfig(vocabulary_size=50, context_length=12, layers=3, width=16, heads=4)


@pytest.mark.parametrize("name", PRESETS)
def test_built_parameters_equal_the_count(name: str) -> None:
    size = PRESETS[name]
    config = ModelConfig(GPT2_VOCABULARY, size.context_length, size.layers, size.width, size.heads)
    with torch.device("meta"):
        model = GPT(config)
    padding = model.token_embedding.num_embeddings - GPT2_VOCABULARY
    assert model.token_embedding.num_embeddings == 50304  # the next multiple of 128
    assert sum(parameter.numel() for parameter in model.parameters()) == config.parameters + padding * size.width


def reference_logits(model: GPT, ids: list[int]) -> torch.Tensor:
    """The same model written out in float64, one head and one position at a time, from the papers' formulas."""
    weights = {name: tensor.detach().double() for name, tensor in model.state_dict().items()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean = x.mean()
        variance = ((x - mean) ** 2).mean()
        return (x - mean) / torch.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    def gelu(x: torch.Tensor) -> torch.Tensor:
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    width, head = model.config.width, model.config.width // model.config.heads
    stream = [weights["token_embedding.weight"][id_] + weights["position_embedding.weight"][place] for place, id_ in enumerate(ids)]
    for layer in range(model.config.layers):
        block = f"blocks.{layer}"
        projected = [linear(norm(x, f"{block}.attention_norm"), f"{block}.attention.input") for x in stream]
        attended = []
        for place in range(len(ids)):
            heads = []
            for start in range(0, width, head):
                query = projected[place][start : start + head]
                scores = [query @ projected[seen][width + start : width + start + head] / math.sqrt(head) for seen in range(place + 1)]
                shares = torch.softmax(torch.stack(scores), dim=0)
                heads.append(sum(shares[seen] * projected[seen][2 * width + start : 2 * width + start + head] for seen in range(place + 1)))
            attended.append(torch.cat(heads))
        stream = [x + linear(mixed, f"{block}.attention.output") for x, mixed in zip(stream, attended, strict=True)]
        stream = [x + linear(gelu(linear(norm(x, f"{block}.mlp_norm"), f"{block}.mlp.input")), f"{block}.mlp.output") for x in stream]
    return torch.stack([weights["token_embedding.weight"] @ norm(x, "final_norm") for x in stream])[:, : model.config.vocabulary_size]


def perturbed_model() -> GPT:
    """A model none of whose parameters is at its initial 0 or 1, so that each one shows in the logits."""
    model = build_model(CONFIG, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


def test_logits_equal_the_written_out_formulas() -> None:
    model, ids = perturbed_model(), [3, 49, 0, 7, 7, 21]
    torch.testing.assert_close(model(torch.tensor([ids]))[0].double(), reference_logits(model, ids), rtol=1e-4, atol=1e-4)


def test_loss_is_the_mean_surprise() -> None:
    model, ids = perturbed_model(), [3, 49, 0, 7, 7, 21]
    shares = torch.log_softmax(reference_logits(model, ids[:-1]), dim=-1)
    expected = -sum(float(shares[place, ids[place + 1]]) for place in range(5)) / 5
    assert model.loss(torch.tensor([ids])).item() == pytest.approx(expected, rel=1e-4)


def test_padding_rows_change_nothing() -> None:
    model = perturbed_model()
    ids = torch.tensor([[1, 2, 3, 4]])
    logits, loss = model(ids), model.loss(ids)
    assert logits.shape == (1, 4, 50)
    loss.backward()
    gradient = model.token_embedding.weight.grad
    assert gradient is not None and not gradient[50:].any() and gradient[:50].any()
    with torch.no_grad():
        model.token_embedding.weight[50:] = 1000.0
    assert torch.equal(model(ids), logits) and torch.equal(model.loss(ids), loss)


def test_no_position_sees_a_later_one() -> None:
    model = perturbed_model()
    one = model(torch.tensor([[1, 2, 3, 4, 5]]))
    two = model(torch.tensor([[1, 2, 3, 9, 5]]))
    assert torch.equal(one[:, :3], two[:, :3])
    assert not torch.equal(one[:, 3:], two[:, 3:])


def test_initial_values() -> None:
    model = build_model(ModelConfig(5000, 256, 8, 256, 4), 0)
    # Standard deviations from the papers; with 2^16 draws and more they are met to 1 %.
    expected = {
        "token_embedding.weight": 0.02,
        "position_embedding.weight": 0.01,
        "blocks.0.attention.input.weight": 0.02,
        "blocks.0.attention.output.weight": 0.02 / 4,  # sqrt(2 * 8) = 4
        "blocks.7.mlp.input.weight": 0.02,
        "blocks.7.mlp.output.weight": 0.02 / 4,
    }
    parameters = dict(model.named_parameters())
    for name, deviation in expected.items():
        assert parameters[name][:5000].std().item() == pytest.approx(deviation, rel=0.01)
    assert not parameters["token_embedding.weight"][5000:].any()
    for name, parameter in parameters.items():
        if parameter.ndim == 1:
            assert (parameter == (1.0 if name.endswith("norm.weight") else 0.0)).all()


def test_seed_decides_the_model_and_global_state_is_untouched() -> None:
    before = torch.random.get_rng_state()
    one, again, other = (build_model(CONFIG, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert not torch.equal(one.token_embedding.weight, other.token_embedding.weight)


def test_untrained_loss_is_that_of_guessing() -> None:
    model = build_model(ModelConfig(1000, 32, 2, 32, 2), 0)
    ids = torch.randint(1000, (8, 33), generator=torch.Generator().manual_seed(0))
    assert model.loss(ids).item() == pytest.approx(math.log(1000), abs=0.05)
