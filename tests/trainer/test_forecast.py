"""trainer/forecast.py: GPT-3's own numbers, and a time and a price that a person can work out."""

from __future__ import annotations

import pytest

from curation.recipe_train import TrainSettings
from trainer.forecast import duration, make_forecast, measure_tokens_per_second, mixture_lines
from trainer.mixture import Mixture, mixture_weights
from trainer.plan import plan_training
from trainer.processes import Processes

BILLION = 10**9
QUANTITIES = {"commoncrawl": 410, "webtext": 19, "books1": 12, "books2": 55, "wikipedia": 3}  # table 2.2, billions of tokens
WEIGHTS = {"commoncrawl": 60, "webtext": 22, "books1": 8, "books2": 8, "wikipedia": 3}


@pytest.mark.parametrize(
    ("preset", "petaflop_days"),
    [
        ("gpt3-small", 2.60),
        ("gpt3-medium", 7.42),
        ("gpt3-large", 15.8),
        ("gpt3-xl", 27.5),
        ("gpt3-2.7b", 55.2),
        ("gpt3-6.7b", 139),
        ("gpt3-13b", 268),
        ("gpt3-175b", 3640),
    ],
)
def test_operations_are_those_of_table_d1(preset: str, petaflop_days: float) -> None:
    settings = TrainSettings(preset=preset, device="cpu", tokens_per_second=1e5)
    lines = list(make_forecast(plan_training(settings, 50_257), settings, Processes()).lines())
    printed = float(lines[1].split(" operations, ")[1].split(" PF-days")[0])
    assert printed == pytest.approx(petaflop_days, rel=0.005)


def test_time_and_price_by_hand() -> None:
    settings = TrainSettings(
        preset="pico",
        device="cpu",
        tokens=64 * 10_000,
        validation_every_tokens=64 * 1000,
        validation_tokens=300,
        tokens_per_second=100.0,
        cost_per_device_hour=3.0,
    )
    plan = plan_training(settings, 1000)
    forecast = make_forecast(plan, settings, Processes(count=2), samples=4000)
    # 6,000 sequences of 64 are left, and 1 + 6 measurements of 300 tokens at a third of the work: 384,700 tokens at 100 a second.
    assert forecast.seconds == pytest.approx(3847)
    assert forecast.cost == pytest.approx(3847 / 3600 * 2 * 3)
    lines = list(forecast.lines())
    assert "375 steps to 640,000 tokens" in lines[0]  # of 16 sequences
    assert lines[3] == "64.1 minutes at 100 tokens/s by the recipe on 2 devices, cost 6.41"


def test_default_mixture_beside_table_2_2() -> None:
    """300 billion tokens, weights normalised by 101: 300 w / 1.01 / q passes over a source of q billion."""
    sequences = {source: quantity * BILLION // 2048 for source, quantity in QUANTITIES.items()}
    weights = mixture_weights({source: 1 for source in QUANTITIES}, WEIGHTS)
    tokens = {source: quantity * BILLION for source, quantity in QUANTITIES.items()}
    lines = list(mixture_lines(Mixture(sequences, weights, seed=0), weights, tokens, 300 * BILLION // 2048))
    assert lines == [
        "7.9% of the samples from books1: 1.98 passes over its 12,000,000,000 tokens (GPT-3, table 2.2: 8%, 1.9 passes)",
        "7.9% of the samples from books2: 0.43 passes over its 55,000,000,000 tokens (GPT-3, table 2.2: 8%, 0.43 passes)",
        "59.4% of the samples from commoncrawl: 0.43 passes over its 410,000,000,000 tokens (GPT-3, table 2.2: 60%, 0.44 passes)",
        "21.8% of the samples from webtext: 3.44 passes over its 19,000,000,000 tokens (GPT-3, table 2.2: 22%, 2.9 passes)",
        "3.0% of the samples from wikipedia: 2.97 passes over its 3,000,000,000 tokens (GPT-3, table 2.2: 3%, 3.4 passes)",
    ]


def test_speed_is_measured_for_small_and_large_models() -> None:
    small, large = (TrainSettings(preset=name, device="cpu", micro_batch_sequences=1) for name in ("pico", "gpt3-xl"))
    fast, slow = (measure_tokens_per_second(plan_training(settings, 300), settings) for settings in (small, large))
    # 100 thousand parameters a token against 1.2 billion, on the same machine: by far, even while it is busy.
    assert fast > 20 * slow > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "1 second"), (59, "59 seconds"), (150, "2.5 minutes"), (9000, "2.5 hours"), (216_000, "2.5 days"), (10**8, "3.2 years")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
