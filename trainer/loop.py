"""The training loop: sequences in, checkpoints, metrics and a sample of text out.

Everything is counted in tokens. A run that is stopped, at whatever step, and run again continues
from its newest checkpoint; on a CPU it then ends with the same bits as one that never stopped.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from curation.errors import InterruptedRun, PipelineError, UsageError
from curation.recipe_train import TrainSettings
from curation.shards import canonical_json
from curation.storage import commit_bytes, is_remote, local_path
from trainer.checkpoint import Checkpoint, TrainingState, checkpoint_path, newest_checkpoint, save_checkpoint
from trainer.data import TrainingData, ValidationData, open_data
from trainer.distribute import build_objective, gather, placed_like
from trainer.forecast import model_utilisation
from trainer.generate import Sampling, generate_text
from trainer.metrics import METRICS_FILE, MetricsLog, losses_of, read_metrics
from trainer.model import build_model
from trainer.model_config import ModelConfig
from trainer.optimizer import build_optimizer, optimizer_tensors, restore_optimizer
from trainer.plan import Plan, plan_training
from trainer.processes import Processes
from trainer.step import Stepper
from trainer.tensorboard import open_tensorboard
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
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> dict[str, Any]:
    """Train a model on token shards; returns the summary (see ``summarise``).

    Args:
        tokens_folder: local folder with ``tokenizer.json`` and ``<source>/<split>-<part>.tokens``.
        model_folder: local folder for ``checkpoint-*/``, ``metrics.jsonl``, ``config.json``,
            ``tokenizer.json`` and ``sample.txt``; the first process alone writes to it.
        fingerprint: of everything the run depends on; checkpoints of another one are not used.
        stop: asked before each step; an exit code ends the run after a checkpoint.
        progress: called with each row of the metrics, and with ``{"message": ...}``.
        names: token files that manifests vouch for, relative to ``tokens_folder``; None: all.

    Raises:
        UsageError: the recipe does not fit the machine or the sources.
        InputError, IntegrityError: token shards are missing, too short or damaged.
        InterruptedRun: ``stop`` asked for it.
        PipelineError: too many steps in a row were skipped, the model is ruined, or the disk is full.
    """
    for place in (tokens_folder, model_folder):
        if is_remote(place):
            raise UsageError(f"training reads and writes local folders, and {place} is none; copy the run to a disk first")
    folder = local_path(model_folder)
    tokenizer = read_tokenizer(str(local_path(tokens_folder) / TOKENIZER_FILE))
    plan = plan_training(settings, tokenizer.vocabulary_size, processes)
    plan = replace(plan, sharded=processes.share(plan.sharded))  # decided by free memory, which each sees otherwise

    def note(message: str) -> None:
        progress({"message": message})

    training, validation = open_data(
        local_path(tokens_folder),
        settings,
        context_length=plan.config.context_length,
        validation_tokens=plan.schedule.validation_tokens,
        tokenizer_sha256=tokenizer.sha256,
        seed=seed,
        names=names,
        note=note,
    )
    checkpoint = None
    if processes.first:
        commit_bytes(str(folder / TOKENIZER_FILE), tokenizer.to_bytes())
        commit_bytes(str(folder / CONFIG_FILE), describe_model(plan.config, tokenizer))
        checkpoint = newest_checkpoint(folder, fingerprint, note)
    checkpoint = processes.share(checkpoint)
    with contextlib.ExitStack() as stack:
        log = None
        if processes.first:
            reached = checkpoint.state.tokens if checkpoint else None
            also = open_tensorboard(folder, reached or 0, stack) if settings.tensorboard else None
            log = stack.enter_context(MetricsLog(folder / METRICS_FILE, reached, note, also))
        run = Run(settings, seed, fingerprint, folder, plan, training, validation, tokenizer, processes, log, progress)
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
    processes: Processes
    log: MetricsLog | None  # of the first process
    progress: Progress
    steps: int = 0
    samples: int = 0
    saved: bool = False  # whether the newest checkpoint is of this very state
    resumed_tokens: int = 0
    validated_tokens: int | None = None  # where the validation loss was last measured
    step_seconds: float = 0.0  # spent in steps by this process

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.model = build_model(self.plan.config, self.seed, self.plan.device)
        self.objective = build_objective(
            self.model,
            self.processes,
            self.plan,
            recompute=self.settings.activation_checkpointing,
            compiled=self.settings.compile,
        )
        self.optimizer = build_optimizer(self.model, self.settings)
        self.stepper = Stepper(self.objective, self.optimizer, self.settings, self.plan, self.processes)

    @property
    def tokens(self) -> int:
        """Training tokens so far."""
        return self.samples * self.plan.config.context_length

    def resume(self, checkpoint: Checkpoint) -> None:
        """Take up where the checkpoint stands."""
        own, state = self.model.state_dict(), checkpoint.state
        self.model.load_state_dict({name: placed_like(tensor, own[name]) for name, tensor in checkpoint.model_tensors().items()})
        restore_optimizer(self.model, self.optimizer, checkpoint.optimizer_tensors())
        self.stepper.guard.restore(state.guard)
        if state.scaler:  # empty where the steps so far were not in float16
            self.stepper.scaler.load_state_dict(dict(state.scaler))
        self.steps, self.samples = state.step, state.samples
        self.started = time.monotonic() - state.elapsed_seconds
        self.saved = True
        self.resumed_tokens = self.tokens
        measured = [row["tokens"] for row in read_metrics(self.folder / METRICS_FILE) if "validation_loss" in row]
        self.validated_tokens = self.processes.share(measured[-1] if measured else None)

    def until_done(self, stop: Callable[[], int | None]) -> None:
        """Train to the end of the recipe, then measure, save and write a sample."""
        schedule = self.plan.schedule
        if self.steps == 0:
            self.validate()  # what the untrained model knows
        while self.tokens < schedule.tokens:
            exit_code = self.processes.largest(stop() or 0)  # asked of one process, all stop
            if exit_code:
                self.save()
                raise InterruptedRun(f"stopped after {self.tokens:,} tokens; run again to continue from {self.checkpoint}", exit_code)
            before = self.tokens
            self.train_step()
            if self.tokens // schedule.validation_every_tokens > before // schedule.validation_every_tokens:
                self.validate()
            if self.tokens // schedule.checkpoint_every_tokens > before // schedule.checkpoint_every_tokens:
                self.save()
        self.validate()
        self.save()
        self.write_sample()

    def train_step(self) -> None:
        """One step on the next samples of the mixture."""
        started = time.monotonic()
        first = self.samples
        sequences = self.plan.schedule.step_sequences(first)
        self.steps += 1
        self.samples += sequences
        rate = self.plan.schedule.learning_rate(self.tokens)
        result = self.stepper.step(lambda part: self.training.batch(range(first + part.start, first + part.stop)), sequences, rate)
        self.saved = False
        seconds = time.monotonic() - started
        self.step_seconds += seconds
        batch_tokens = sequences * self.plan.config.context_length
        values = {"learning_rate": rate, "batch_tokens": batch_tokens, "tokens_per_second": batch_tokens / seconds}
        mfu = model_utilisation(self.plan, self.processes, values["tokens_per_second"])
        values |= {} if mfu is None else {"model_utilisation": mfu}
        if result.skipped is None:
            self.report({"loss": result.loss, "gradient_norm": result.gradient_norm, **values})
        else:
            self.report({"skipped": result.skipped, **values})
            self.stepper.guard.skip(result.skipped, self.steps)

    def validate(self) -> None:
        """Measure the validation loss, once for each state of the model."""
        if self.validated_tokens == self.tokens:
            return
        token_bytes = self.tokenizer.token_bytes
        measured = validation_loss(self.objective, self.validation, token_bytes, self.plan, self.processes)
        if not math.isfinite(measured["validation_loss"]):
            raise PipelineError(
                f"the validation loss is {measured['validation_loss']} after {self.tokens:,} tokens: the model is ruined; "
                "lower train.learning_rate or raise train.warmup_tokens, and train again"
            )
        self.report(measured)
        self.validated_tokens = self.tokens

    def report(self, values: Mapping[str, Any]) -> None:
        """Write a row of metrics and show it."""
        row = {"step": self.steps, "tokens": self.tokens, "elapsed_seconds": time.monotonic() - self.started, **values}
        if self.log is not None:
            self.log.write(row)
        self.progress({**row, "total_tokens": self.plan.schedule.tokens})

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint of this state lies, once it is saved."""
        return checkpoint_path(self.folder, self.tokens)

    def save(self) -> None:
        """Save a checkpoint, unless the newest one is of this very state."""
        if self.saved:
            return
        model = gather(self.model.state_dict(), keep=self.processes.first)
        optimizer = gather(optimizer_tensors(self.model, self.optimizer), keep=self.processes.first)
        if self.log is not None:
            self.log.sync()
            state = TrainingState(
                self.fingerprint,
                self.steps,
                self.tokens,
                self.samples,
                time.monotonic() - self.started,
                self.settings.model_dump(mode="json"),
                self.stepper.guard.state(),
                self.stepper.scaler.state_dict(),
            )
            save_checkpoint(self.folder, state, model, optimizer, self.settings.keep_checkpoints)
        self.saved = True

    def write_sample(self) -> None:
        """Write the sample text: the prompt and what the model makes of it."""
        model, settings = self.model, self.settings
        if self.plan.sharded:  # then no process has a whole one
            whole = gather(model.state_dict(), keep=self.processes.first)
            model = build_model(self.plan.config, self.seed)
            model.load_state_dict(whole, strict=self.processes.first)
        if not self.processes.first:
            return
        sampling = Sampling(SAMPLE_TEMPERATURE, SAMPLE_TOP_K, seed=self.seed)
        text = generate_text(model, self.tokenizer, settings.sample_prompt, settings.sample_tokens, sampling)
        commit_bytes(str(self.folder / SAMPLE_FILE), (text + "\n").encode())

    def summarise(self) -> dict[str, Any]:
        """The run in numbers: losses in nats a token, first and last of the log; epochs in passes over each source.

        A loss is None where the log has none: it was lost, and no step was left to do.
        """
        trained = self.tokens - self.resumed_tokens
        return {
            "parameters": self.plan.config.parameters,
            "steps": self.steps,
            "skipped_steps": self.stepper.guard.skipped,
            "tokens": self.tokens,
            "samples": self.samples,
            **losses_of(read_metrics(self.folder / METRICS_FILE)),
            "tokens_per_second": trained / self.step_seconds if self.step_seconds else None,
            "mixture": self.training.weights,
            "epochs": self.training.mixture.epochs(self.samples),
            "device": str(self.plan.device),
            "checkpoint": str(self.checkpoint),
            "sample": str(self.folder / SAMPLE_FILE),
        }
