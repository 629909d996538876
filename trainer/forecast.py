"""What a training will take before it begins: steps, operations, memory, time and money, and how often each source is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from curation.recipe_train import TrainSettings
from trainer.flops import OPERATIONS_PER_WEIGHT, PETAFLOP_DAY, peak_operations, training_operations, utilisation
from trainer.memory import MemoryNeed, available_bytes, readable_size
from trainer.mixture import Mixture
from trainer.model import GPT, build_model
from trainer.model_config import ModelConfig
from trainer.optimizer import build_optimizer
from trainer.plan import Plan
from trainer.processes import Processes

# Ours: a measurement of a second or two. A model too large for it is measured by two layers of its kind, cut to this size.
MEASURED_LAYERS, MEASURED_PASSES, MEASURED_SECONDS = 2, 3, 1.0


@dataclass(frozen=True)
class Measured:
    """The largest piece of work that a device is measured by."""

    operations: float
    width: int
    vocabulary: int
    tokens: int


MEASURED = {"cpu": Measured(2e10, 1024, 4096, 256), "cuda": Measured(3e13, 4096, 32_768, 2048)}
VALIDATION_OPERATIONS = 1 / 3  # a forward pass, of a training step's forward and backward
# GPT-3, table 2.2: the sources by the names that our recipes use, with their share of the samples and passes at 300 billion tokens.
TABLE_2_2 = {
    "commoncrawl": (0.60, 0.44),
    "webtext": (0.22, 2.9),
    "books1": (0.08, 1.9),
    "books2": (0.08, 0.43),
    "wikipedia": (0.03, 3.4),
}


@dataclass(frozen=True)
class Forecast:
    """Numbers of a run that has ``samples`` sequences behind it."""

    plan: Plan
    settings: TrainSettings
    processes: Processes
    samples: int
    need: MemoryNeed
    available: int  # bytes of memory
    tokens_per_second: float  # of all devices together
    measured: bool  # here, or told by the recipe

    @property
    def seconds(self) -> float:
        """Time that the run still takes, measuring the validation loss included."""
        schedule = self.plan.schedule
        left = max(0, schedule.tokens - self.samples * schedule.context_length)
        measurements = 1 + left // schedule.validation_every_tokens
        return (left + VALIDATION_OPERATIONS * measurements * schedule.validation_tokens) / self.tokens_per_second

    @property
    def cost(self) -> float | None:
        """Price of that time on all devices; None: the recipe names no price."""
        price = self.settings.cost_per_device_hour
        return None if price is None else self.seconds / 3600 * self.processes.count * price

    def lines(self) -> Iterator[str]:
        """The forecast in words."""
        schedule, config = self.plan.schedule, self.plan.config
        steps = schedule.steps(self.samples)
        yield f"{config.parameters:,} parameters, {steps:,} steps to {schedule.tokens:,} tokens"
        # Table D.1 counts 6 operations a parameter and token, embeddings included, attention not.
        paper = OPERATIONS_PER_WEIGHT * config.parameters * schedule.tokens
        exact = training_operations(config) * schedule.tokens
        yield f"{paper:.3g} operations, {paper / PETAFLOP_DAY:.3g} PF-days as GPT-3's table D.1 counts; {exact:.3g} with attention and head"
        yield (
            f"memory about {readable_size(self.need.total)}: {readable_size(self.need.state)} for weights, gradients and moments, "
            f"{readable_size(self.need.activations)} for activations; {readable_size(self.available)} are free on {self.plan.device}"
        )
        speed = f"{_rate(self.tokens_per_second)} tokens/s {'measured here' if self.measured else 'by the recipe'}"
        devices = f" on {self.processes.count} devices" if self.processes.count > 1 else ""
        price = "" if self.cost is None else f", cost {self.cost:,.2f}"
        yield f"{duration(self.seconds)} at {speed}{devices}{price}"


def make_forecast(plan: Plan, settings: TrainSettings, processes: Processes, samples: int = 0) -> Forecast:
    """The forecast of a plan; measures the speed for a second or two where the recipe does not tell it, and the memory allows."""
    need, available = memory_need(plan, settings, processes), available_bytes(plan.device)
    speed = settings.tokens_per_second or processes.count * measure_tokens_per_second(plan, settings)
    return Forecast(plan, settings, processes, samples, need, available, speed, settings.tokens_per_second is None)


def memory_need(plan: Plan, settings: TrainSettings, processes: Processes) -> MemoryNeed:
    """What the plan keeps in memory, at its largest step."""
    parts = processes.count if plan.sharded else 1
    return MemoryNeed(plan.config, plan.micro_batch, plan.precision, settings.activation_checkpointing, parts, plan.device.type)


def measure_tokens_per_second(plan: Plan, settings: TrainSettings) -> float:
    """Training speed of one device, from a few passes on random ids.

    A small model is measured as it is, with its optimizer; of a large one, two layers, and the speed is
    that of as many operations a second.
    """
    config, sequences = plan.config, plan.micro_batch
    tokens = sequences * config.context_length
    measured = MEASURED.get(plan.device.type, MEASURED["cpu"])
    whole = tokens * training_operations(config) <= measured.operations
    if not whole:
        config, sequences = _cut(config, measured), 1
        tokens = config.context_length
    model = build_model(config, 0, plan.device)
    optimizer = build_optimizer(model, settings)
    ids = torch.zeros((sequences, config.context_length + 1), dtype=torch.int64, device=plan.device)
    forward = _mean_seconds(lambda: _pass(model, plan, ids), plan.device)
    update = _mean_seconds(optimizer.step, plan.device) if whole else 0.0
    if whole:
        return 1 / (forward / tokens + update / (plan.schedule.batch_sequences * config.context_length))
    return tokens * training_operations(config) / forward / training_operations(plan.config)


def _cut(config: ModelConfig, measured: Measured) -> ModelConfig:
    heads = max(1, min(config.width, measured.width) // config.head_width)
    return replace(
        config,
        vocabulary_size=min(config.vocabulary_size, measured.vocabulary),
        context_length=min(config.context_length, measured.tokens),
        layers=min(config.layers, MEASURED_LAYERS),
        width=heads * config.head_width,
        heads=heads,
    )


def _pass(model: GPT, plan: Plan, ids: torch.Tensor) -> None:
    with plan.autocast():
        loss = model.loss(ids)
    loss.backward()  # type: ignore[no-untyped-call]


def _mean_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Mean seconds of the calls behind a first one: what else the machine does slows the training too, and so it counts."""
    passes, started = -1, 0.0
    while passes < MEASURED_PASSES or time.perf_counter() - started < MEASURED_SECONDS:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        passes += 1
        if passes == 0:
            started = time.perf_counter()
    return (time.perf_counter() - started) / passes


def model_utilisation(plan: Plan, processes: Processes, tokens_per_second: float) -> float | None:
    """MFU: share of the devices' peak operations that the model makes use of; None: the peak is not known."""
    if plan.device.type != "cuda":
        return None
    peak = peak_operations(torch.cuda.get_device_name(plan.device))
    return None if peak is None else utilisation(plan.config, tokens_per_second, peak * processes.count)


def mixture_lines(mixture: Mixture, weights: Mapping[str, float], tokens: Mapping[str, int], samples: int) -> Iterator[str]:
    """Share and passes of each source after so many samples, beside GPT-3's where it has one of that name."""
    for source, passes in mixture.epochs(samples).items():
        line = f"{weights[source]:.1%} of the samples from {source}: {passes:.2f} passes over its {tokens[source]:,} tokens"
        if source in TABLE_2_2:
            share, epochs = TABLE_2_2[source]
            line += f" (GPT-3, table 2.2: {share:.0%}, {epochs:g} passes)"
        yield line


def duration(seconds: float) -> str:
    """A time for people."""
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
