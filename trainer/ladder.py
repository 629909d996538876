"""The ladder: small models of growing size, each trained on as many tokens as suit it, and the law that their losses follow.

Each rung trains in a folder of its own, ``RUN/ladder/<preset>``, and goes on there when it was stopped.
``RUN/ladder/ladder.json`` and ``index.html`` tell the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from curation import storage
from curation.errors import UsageError
from curation.recipe_train import TrainSettings
from curation.shards import ManifestFile, canonical_json
from trainer.flops import OPERATIONS_PER_WEIGHT, PETAFLOP_DAY
from trainer.identity import Identity
from trainer.ladder_page import ladder_page
from trainer.plan import plan_training
from trainer.power_law import GPT3_LAW, PowerLaw, fit_power_law
from trainer.preparation import check_training, token_names
from trainer.processes import Processes

LADDER_FOLDER = "ladder"
SIZES = ("femto", "pico", "nano", "micro")
TOKENS_PER_PARAMETER = 20.0  # of the blocks' matrices; Chinchilla (arXiv 2203.15556), table 3
CONTEXT_LENGTH = 128  # the same on every rung, since a longer one lowers the loss; ours
VALIDATION_TOKENS = 65_536  # likewise; ours
FEWEST_SIZES = 2  # that a line goes through
WARMUP_SHARE = 50  # one part in 50 of a rung's tokens; ours


@dataclass(frozen=True)
class Rung:
    """One size: ``parameters`` in its blocks' matrices, ``compute`` in PF-days of them, ``loss`` in nats a token, on the validation set."""

    preset: str
    parameters: int
    tokens: int
    compute: float
    loss: float
    epochs: Mapping[str, float]


def rung_settings(settings: TrainSettings, preset: str, tokens_per_parameter: float) -> TrainSettings:
    """The recipe for one size: its own batch and learning rate, and schedules as long as its training."""
    size = settings.model_copy(
        update={
            "preset": preset,
            "context_length": settings.context_length or CONTEXT_LENGTH,
            "batch_tokens": None,
            "learning_rate": None,
            "ramp_tokens": 0,
            "validation_tokens": settings.validation_tokens or VALIDATION_TOKENS,
            "sample_tokens": 0,
        }
    )
    parameters = plan_training(size, vocabulary_size=1).config.matrix_parameters  # which the vocabulary has no part in
    tokens = max(1, round(tokens_per_parameter * parameters))
    durations = {"tokens": tokens, "decay_tokens": tokens, "warmup_tokens": tokens // WARMUP_SHARE, "validation_every_tokens": tokens}
    return size.model_copy(update=durations)


def climb(
    settings: TrainSettings,
    run: str,
    sizes: Sequence[str],
    tokens_per_parameter: float,
    tokens: list[ManifestFile],
    identity_of: Callable[[TrainSettings], Identity],
    seed: int,
    stop: Callable[[], int | None],
    progress: Callable[[Mapping[str, Any]], None],
) -> tuple[list[Rung], PowerLaw]:
    """Train all sizes, fit the law, and write both down.

    Raises:
        UsageError: there is no such preset, fewer than two sizes, or one that does not fit the machine.
        InputError, IntegrityError: there are no tokens, or they are damaged.
        InterruptedRun: ``stop`` asked for it; a checkpoint was saved.
    """
    from trainer.loop import train

    planned = [rung_settings(settings, preset, tokens_per_parameter) for preset in sizes]
    if len({each.tokens for each in planned}) < FEWEST_SIZES:
        raise UsageError("a power law is fitted to at least two sizes; name more with --sizes")
    check_training(max(planned, key=lambda each: each.tokens), run, tokens, Processes())  # the largest takes the most memory
    rungs = []
    for each in planned:
        progress({"message": f"{each.preset}: {each.tokens:,} tokens"})
        summary = train(
            each,
            seed,
            storage.join(run, "tokens"),
            storage.join(run, LADDER_FOLDER, each.preset),
            fingerprint=identity_of(each).resumable,
            stop=stop,
            progress=progress,
            names=token_names(tokens),
        )
        parameters = plan_training(each, vocabulary_size=1).config.matrix_parameters
        compute = OPERATIONS_PER_WEIGHT * parameters * summary["tokens"] / PETAFLOP_DAY
        rungs.append(Rung(each.preset, parameters, summary["tokens"], compute, summary["validation_loss"], summary["epochs"]))
    law = fit_power_law([rung.compute for rung in rungs], [rung.loss for rung in rungs])
    outcome = {"rungs": [asdict(rung) for rung in rungs], "law": asdict(law), "gpt3_law": asdict(GPT3_LAW)}
    storage.commit_bytes(storage.join(run, LADDER_FOLDER, "ladder.json"), canonical_json(outcome))
    storage.commit_bytes(storage.join(run, LADDER_FOLDER, "index.html"), ladder_page(outcome))
    return rungs, law
