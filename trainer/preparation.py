"""What is looked at before a training begins: plan, tokens, mixture and memory, and a forecast of time and money."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curation import storage
from curation.errors import IntegrityError
from curation.recipe_train import TrainSettings
from curation.shards import ManifestFile, file_is_intact
from trainer.checkpoint import newest_tokens
from trainer.data import TrainingData, open_data
from trainer.forecast import make_forecast, memory_need, mixture_lines
from trainer.loop import TOKENIZER_FILE
from trainer.memory import available_bytes, check_fits
from trainer.plan import Plan, plan_training
from trainer.processes import Processes
from trainer.token_shards import TOKENS_SUFFIX
from trainer.tokenizer import read_tokenizer


def check_training(settings: TrainSettings, run: str, tokens: list[ManifestFile], processes: Processes) -> None:
    """Find out what is wrong with recipe, tokens and machine before an earlier model is touched.

    Raises:
        UsageError: the recipe does not fit the machine or the sources.
        InputError: the tokens are too few.
        IntegrityError: a token file is not what tokenize wrote.
    """
    headers = [file for file in tokens if not file.name.endswith(TOKENS_SUFFIX)]
    _check_intact(run, headers)  # which say what the others are
    plan, _ = _open(settings, 0, run, tokens, processes)
    check_fits(memory_need(plan, settings, processes), available_bytes(plan.device))
    _check_intact(run, [file for file in tokens if file not in headers])


def _check_intact(run: str, files: list[ManifestFile]) -> None:
    for file in files:
        if not file_is_intact(storage.join(run, file.name), file):
            raise IntegrityError(f"{storage.join(run, file.name)} is damaged or was changed since tokenize wrote it; run tokenize again")


def forecast_lines(settings: TrainSettings, seed: int, run: str, tokens: list[ManifestFile], processes: Processes) -> Iterator[str]:
    """What the rest of the training will take, and how often it sees each source."""
    plan, training = _open(settings, seed, run, tokens, processes)
    yield from _mixture(plan, training)
    samples = newest_tokens(Path(storage.local_path(storage.join(run, "model")))) // plan.config.context_length
    yield from make_forecast(plan, settings, processes, samples).lines()


def dry_run_lines(
    settings: TrainSettings, seed: int, run: str, tokens: list[ManifestFile], vocabulary_size: int, samples: int
) -> Iterator[str]:
    """The same before anything is written, of a training with ``samples`` sequences behind it.

    ``vocabulary_size`` counts where there are no ``tokens`` yet.

    Raises:
        UsageError: the recipe does not fit the machine; after all lines.
    """
    processes = Processes()
    plan = plan_training(settings, vocabulary_size)
    if tokens:
        plan, training = _open(settings, seed, run, tokens, processes)
        yield from _mixture(plan, training)
    forecast = make_forecast(plan, settings, processes, samples)
    yield from forecast.lines()
    check_fits(forecast.need, forecast.available)


def token_names(tokens: list[ManifestFile]) -> list[str]:
    """Names of the token files and their headers below the tokens folder."""
    return [file.name.removeprefix("tokens/") for file in tokens]


def _open(settings: TrainSettings, seed: int, run: str, tokens: list[ManifestFile], processes: Processes) -> tuple[Plan, TrainingData]:
    folder = storage.local_path(storage.join(run, "tokens"))
    tokenizer = read_tokenizer(str(folder / TOKENIZER_FILE))
    plan = plan_training(settings, tokenizer.vocabulary_size, processes)
    training, _ = open_data(
        folder,
        settings,
        context_length=plan.config.context_length,
        validation_tokens=plan.schedule.validation_tokens,
        tokenizer_sha256=tokenizer.sha256,
        seed=seed,
        names=token_names(tokens),
        note=lambda _: None,
    )
    return plan, training


def _mixture(plan: Plan, training: TrainingData) -> Iterator[str]:
    samples = -(-plan.schedule.tokens // plan.config.context_length)
    tokens = {source: stream.tokens for source, stream in training.streams.items()}
    return mixture_lines(training.mixture, training.weights, tokens, samples)
