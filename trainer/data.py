"""Training and validation batches from token shards, by the mixture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.errors import InputError
from curation.recipe_train import TrainSettings
from trainer.mixture import Mixture, mixture_weights
from trainer.permutation import keyed_permutation
from trainer.sequences import TokenStream, open_streams
from trainer.split import TRAIN, VALIDATION


@dataclass(frozen=True)
class TrainingData:
    """The training streams and the order in which their sequences are seen."""

    streams: dict[str, TokenStream]
    weights: dict[str, float]  # share of each source, sum 1
    mixture: Mixture

    def batch(self, samples: range) -> np.ndarray:
        """Ids of consecutive samples, int64 of shape (len(samples), T + 1)."""
        draws = [self.mixture.draw(sample) for sample in samples]
        return np.stack([self.streams[draw.source].sequence(draw.index) for draw in draws])


@dataclass(frozen=True)
class ValidationData:
    """A fixed choice of validation sequences for each source, the same at each measurement."""

    streams: dict[str, TokenStream]
    weights: dict[str, float]  # share of each source, sum 1
    indexes: dict[str, list[int]]

    def parts(self, source: str, sequences: int) -> list[list[int]]:
        """The chosen indexes of a source, at most ``sequences`` in each part."""
        chosen = self.indexes[source]
        return [chosen[start : start + sequences] for start in range(0, len(chosen), sequences)]

    def sequences(self, source: str, indexes: Sequence[int]) -> np.ndarray:
        """Ids of sequences of a source, int64 of shape (len(indexes), T + 1)."""
        return np.stack([self.streams[source].sequence(index) for index in indexes])


def open_data(
    tokens_folder: Path,
    settings: TrainSettings,
    *,
    context_length: int,
    validation_tokens: int,
    tokenizer_sha256: str,
    seed: int,
    names: Sequence[str] | None,
    note: Callable[[str], None],
) -> tuple[TrainingData, ValidationData]:
    """Open both splits; ``note`` hears which sources are left out, and why.

    Raises:
        UsageError: the recipe's mixture does not fit the sources.
        InputError, IntegrityError: shards are missing, too short or damaged.
    """
    streams = open_streams(tokens_folder, TRAIN, context_length, tokenizer_sha256, names)
    tokens = {source: stream.tokens for source, stream in streams.items()}
    if settings.mixture is None:
        for source in [source for source, stream in streams.items() if not len(stream)]:
            note(f"source {source!r} is left out: its {tokens.pop(source)} training tokens are fewer than one sequence")
    weights = mixture_weights(tokens, settings.mixture) if tokens else {}
    for source in sorted(tokens.keys() - weights.keys()):
        note(f"source {source!r} is left out: train.mixture gives it no weight")
    mixture = Mixture({source: len(stream) for source, stream in streams.items()}, weights, seed)
    training = TrainingData(streams, weights, mixture)
    held_out = open_streams(tokens_folder, VALIDATION, context_length, tokenizer_sha256, names)
    return training, choose_validation(held_out, weights, validation_tokens // context_length, seed, note)


def choose_validation(
    streams: dict[str, TokenStream], weights: dict[str, float], sequences: int, seed: int, note: Callable[[str], None]
) -> ValidationData:
    """About ``sequences`` validation sequences, at least one a source, shared out by weight.

    A source of the mixture without a whole validation sequence does not count; the others' weights
    are scaled up.

    Raises:
        InputError: no source of the mixture has a validation sequence.
    """
    measured = {source: weight for source, weight in weights.items() if source in streams and len(streams[source])}
    if not measured:
        raise InputError("no source of the mixture has a whole validation sequence; raise tokenize.validation_fraction and tokenize again")
    for source in sorted(weights.keys() - measured.keys()):
        note(f"source {source!r} has no whole validation sequence; the validation loss is that of the others")
    total = sum(measured.values())
    shares = {source: weight / total for source, weight in measured.items()}
    indexes = {}
    for source, share in shares.items():
        available = len(streams[source])
        permute = keyed_permutation(available, f"{seed}\0{source}\0{VALIDATION}")
        indexes[source] = [permute(place) for place in range(min(available, max(1, round(share * sequences))))]
    return ValidationData(streams, shares, indexes)
