"""The training loop: sequences in, checkpoints, metrics and a sample of text out.

Everything is counted in tokens. A run that is stopped, at whatever step, and run again continues
from its newest checkpoint; on a CPU it then ends with the same bits as one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from curation.errors import InterruptedRun, PipelineError, UsageError
from curation.recipe_train import TrainSettings
from curation.shards import canonical_json
from curation.storage import commit_bytes, is_remote, local_path
from trainer.checkpoint import Checkpoint, TrainingState, newest_checkpoint, save_checkpoint
from trainer.data import TrainingData, ValidationData, open_data
from trainer.generate import generate_text
from trainer.metrics import METRICS_FILE, MetricsLog, read_metrics
from trainer.model import GPT, ModelConfig, build_model
from trainer.optimizer import build_optimizer, optimizer_tensors, restore_optimizer, set_learning_rate
from trainer.plan import Plan, plan_training
from trainer.schedule import learning_rate
from trainer.tokenizer import Tokenizer, read_tokenizer
from trainer.validation import validation_loss

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"
SAMPLE_FILE = "sample.txt"
# Ours: near what GPT-2's own samples used (top 40), a little cooler for small models.
SAMPLE_TEMPERATURE = 0.8
SAMPLE_TOP_K = 40

Progress = Callable[[Mapping[str, Any]], None]


def train(
    settings: TrainSettings,
    seed: int,
    tokens_folder: str,
    model_folder: str,
    *,
    fingerprint: str,
    stop: Callable[[], int | None],
    progress: Progress,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Train a model on token shards; returns the summary (see ``summarise``).

    Args:
        tokens_folder: local folder with ``tokenizer.json`` and ``<source>/<split>-<part>.tokens``.
        model_folder: local folder for ``checkpoint-*/``, ``metrics.jsonl``, ``config.json``,
            ``tokenizer.json`` and ``sample.txt``.
        fingerprint: of everything the run depends on; checkpoints of another one are not used.
        stop: asked before each step; an exit code ends the run after a checkpoint.
        progress: called with each row of the metrics, and with ``{"message": ...}``.
        names: token files that manifests vouch for, relative to ``tokens_folder``; None: all.

    Raises:
        UsageError: the recipe does not fit the machine or the sources.
        InputError, IntegrityError: token shards are missing, too short or damaged.
        InterruptedRun: ``stop`` asked for it.
        PipelineError: the loss is not finite, or the disk is full.
    """
    for place in (tokens_folder, model_folder):
        if is_remote(place):
            raise UsageError(f"training reads and writes local folders, and {place} is none; copy the run to a disk first")
    folder = local_path(model_folder)
    tokenizer = read_tokenizer(str(local_path(tokens_folder) / TOKENIZER_FILE))
    plan = plan_training(settings, tokenizer.vocabulary_size)

    def note(message: str) -> None:
        progress({"message": message})

    training, validation = open_data(
        local_path(tokens_folder),
        settings,
        context_length=plan.config.context_length,
        tokenizer_sha256=tokenizer.sha256,
        seed=seed,
        names=names,
        note=note,
    )
    commit_bytes(str(folder / TOKENIZER_FILE), tokenizer.to_bytes())
    commit_bytes(str(folder / CONFIG_FILE), describe_model(plan.config, tokenizer))
    checkpoint = newest_checkpoint(folder, fingerprint, note)
    with MetricsLog(folder / METRICS_FILE, checkpoint.state.tokens if checkpoint else None, note) as metrics:
        run = Run(settings, seed, fingerprint, folder, plan, training, validation, tokenizer, metrics, progress)
        if checkpoint is not None:
            run.resume(checkpoint)
            note(f"continuing from {checkpoint.path}")
        run.until_done(stop)
        return run.summarise()


def describe_model(config: ModelConfig, tokenizer: Tokenizer) -> bytes:
    """``config.json``: what is needed to build the model again."""
    return canonical_json(asdict(config) | {"parameters": config.parameters, "tokenizer_sha256": tokenizer.sha256})


@dataclass
class Run:
    """A training run in progress: what it works with, and how far it has come."""

    settings: TrainSettings
    seed: int
    fingerprint: str
    folder: Path
    plan: Plan
    training: TrainingData
    validation: ValidationData
    tokenizer: Tokenizer
    metrics: MetricsLog
    progress: Progress
    step: int = 0
    samples: int = 0
    checkpoint: Path | None = None  # of this very state, if there is one
    resumed_tokens: int = 0
    validated_tokens: int | None = None  # where the validation loss was last measured
    step_seconds: float = 0.0  # spent in steps by this process

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.model: GPT = build_model(self.plan.config, self.seed, self.plan.device)
        self.optimizer = build_optimizer(self.model, self.settings)

    @property
    def tokens(self) -> int:
        """Training tokens so far."""
        return self.samples * self.plan.config.context_length

    def resume(self, checkpoint: Checkpoint) -> None:
        """Take up where the checkpoint stands."""
        self.model.load_state_dict(checkpoint.model_tensors())
        restore_optimizer(self.model, self.optimizer, checkpoint.optimizer_tensors())
        self.step, self.samples = checkpoint.state.step, checkpoint.state.samples
        self.started = time.monotonic() - checkpoint.state.elapsed_seconds
        self.checkpoint = checkpoint.path
        self.resumed_tokens = self.tokens
        measured = [row["tokens"] for row in read_metrics(self.metrics.path) if "validation_loss" in row]
        self.validated_tokens = measured[-1] if measured else None

    def until_done(self, stop: Callable[[], int | None]) -> None:
        """Train to the end of the recipe, then measure, save and write a sample."""
        settings = self.settings
        if self.step == 0:
            self.validate()  # what the untrained model knows
        while self.tokens < settings.tokens:
            exit_code = stop()
            if exit_code is not None:
                self.save()
                raise InterruptedRun(f"stopped after {self.tokens:,} tokens; run again to continue from {self.checkpoint}", exit_code)
            before = self.tokens
            self.train_step()
            if self.tokens // settings.validation_every_tokens > before // settings.validation_every_tokens:
                self.validate()
            if self.tokens // settings.checkpoint_every_tokens > before // settings.checkpoint_every_tokens:
                self.save()
        self.validate()
        self.save()
        self.write_sample()

    def train_step(self) -> None:
        """One optimizer update on one batch, accumulated over micro-batches."""
        settings, plan = self.settings, self.plan
        started = time.monotonic()
        batch = torch.from_numpy(self.training.batch(self.samples, plan.batch_sequences)).to(plan.device)
        self.step += 1
        self.samples += plan.batch_sequences
        rate = learning_rate(
            self.tokens,
            peak=plan.peak_learning_rate,
            warmup_tokens=settings.warmup_tokens,
            decay_tokens=settings.decay_tokens,
            min_ratio=settings.min_learning_rate_ratio,
        )
        set_learning_rate(self.optimizer, rate)
        total = torch.zeros((), device=plan.device)
        for first in range(0, len(batch), settings.micro_batch_sequences):
            part = batch[first : first + settings.micro_batch_sequences]
            with plan.precision():
                loss = self.model.loss(part) * (len(part) / len(batch))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_clip)
        if not math.isfinite(float(total)) or not math.isfinite(float(norm)):
            raise PipelineError(
                f"the loss is {float(total)} and its gradient norm {float(norm)} at step {self.step} ({self.tokens:,} tokens); "
                "lower train.learning_rate or raise train.warmup_tokens and train again"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.checkpoint = None
        seconds = time.monotonic() - started
        self.step_seconds += seconds
        speed = plan.batch_tokens / seconds
        self.report({"loss": float(total), "learning_rate": rate, "gradient_norm": float(norm), "tokens_per_second": speed})

    def validate(self) -> None:
        """Measure the validation loss, once for each state of the model."""
        if self.validated_tokens == self.tokens:
            return
        sequences = self.settings.micro_batch_sequences
        self.report(validation_loss(self.model, self.validation, self.tokenizer.token_bytes, sequences, self.plan.precision()))
        self.validated_tokens = self.tokens

    def report(self, values: Mapping[str, Any]) -> None:
        """Write a row of metrics and show it."""
        row = {"step": self.step, "tokens": self.tokens, "elapsed_seconds": time.monotonic() - self.started, **values}
        self.metrics.write(row)
        self.progress({**row, "total_tokens": self.settings.tokens})

    def save(self) -> None:
        """Save a checkpoint, unless the newest one is of this very state."""
        if self.checkpoint is not None:
            return
        self.metrics.sync()
        elapsed = time.monotonic() - self.started
        state = TrainingState(self.fingerprint, self.step, self.tokens, self.samples, elapsed, self.settings.model_dump(mode="json"))
        tensors = optimizer_tensors(self.model, self.optimizer)
        self.checkpoint = save_checkpoint(self.folder, state, self.model.state_dict(), tensors, self.settings.keep_checkpoints)

    def write_sample(self) -> None:
        """Write the sample text: the prompt and what the model makes of it."""
        settings = self.settings
        text = generate_text(
            self.model,
            self.tokenizer,
            settings.sample_prompt,
            settings.sample_tokens,
            temperature=SAMPLE_TEMPERATURE,
            top_k=SAMPLE_TOP_K,
            seed=self.seed,
        )
        commit_bytes(str(self.folder / SAMPLE_FILE), (text + "\n").encode())

    def summarise(self) -> dict[str, Any]:
        """The run in numbers: losses in nats a token, first and last of the log; epochs in passes over each source.

        A loss is None where the log has none: it was lost, and no step was left to do.
        """
        rows = read_metrics(self.metrics.path)
        losses = [row["loss"] for row in rows if "loss" in row]
        validations = [row for row in rows if "validation_loss" in row]
        first_validation, last_validation = (validations[0], validations[-1]) if validations else ({}, {})
        trained = self.tokens - self.resumed_tokens
        return {
            "parameters": self.plan.config.parameters,
            "steps": self.step,
            "tokens": self.tokens,
            "samples": self.samples,
            "first_loss": losses[0] if losses else None,
            "loss": losses[-1] if losses else None,
            "first_validation_loss": first_validation.get("validation_loss"),
            "validation_loss": last_validation.get("validation_loss"),
            "bits_per_byte": last_validation.get("bits_per_byte"),
            "tokens_per_second": trained / self.step_seconds if self.step_seconds else None,
            "mixture": self.training.weights,
            "epochs": self.training.mixture.epochs(self.samples),
            "device": str(self.plan.device),
            "checkpoint": str(self.checkpoint),
            "sample": str(self.folder / SAMPLE_FILE),
        }
