"""The mixture: which sequence of which source is training sample i, computed from (seed, i) alone.

Nothing is kept but the weights, so the count of samples is all that resuming needs. Proportions
hold not only on average: after any number of samples, each source is nearer to its share than the
number of sources, in samples.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from curation.errors import InputError, UsageError
from trainer.permutation import keyed_permutation

SHARE_BITS = 64  # shares and phases are integers over 2^64: exact sums on every machine
ONE = 1 << SHARE_BITS


@dataclass(frozen=True)
class Draw:
    """One training sample: the sequence ``index`` of ``source``, in the source's pass ``epoch``."""

    source: str
    epoch: int
    index: int


def mixture_weights(tokens: Mapping[str, int], weights: Mapping[str, float] | None) -> dict[str, float]:
    """Share of each source among the samples, sum 1, sorted by source; sources without a share are absent.

    Args:
        tokens: tokens of each source.
        weights: relative weights (GPT-3, table 2.2, where they sum to 1.01); None: the tokens.

    Raises:
        UsageError: a weight is negative or not finite, names an unknown source, none is positive, or they add up to no number.
    """
    given = dict(tokens) if weights is None else dict(weights)
    for source, weight in given.items():
        if source not in tokens:
            raise UsageError(f"train.mixture names the source {source!r}, which has no tokens; the sources are {', '.join(sorted(tokens))}")
        if not (math.isfinite(weight) and weight >= 0):
            raise UsageError(f"train.mixture gives {source!r} the weight {weight}; a weight is a number from 0 on")
    try:
        total = math.fsum(given.values())
    except OverflowError as error:
        raise UsageError("train.mixture has weights too large to be added up; only their ratios count, so give smaller ones") from error
    if not total > 0:
        raise UsageError("train.mixture leaves no source with a positive weight; give at least one")
    return {source: given[source] / total for source in sorted(given) if given[source] > 0}


class Mixture:
    """Training samples from several sources, without replacement within each source's epoch.

    To choose the source of sample n, sources are peeled off one by one: with share w of what is
    left, the first takes sample n iff floor((n + 1) w + u) > floor(n w + u), where u in [0, 1) is
    drawn from the seed. floor(n w + u) is then also how many it had before, and the rest of n goes
    on to the next source. So source and rank within the source both cost O(sources).
    """

    def __init__(self, sequences: Mapping[str, int], weights: Mapping[str, float], seed: int) -> None:
        """A mixture of sources with ``sequences`` each, in proportion to ``weights`` (a missing one is 0).

        Raises:
            InputError: there is no source, or one that has no sequence.
        """
        if not weights:
            raise InputError("no source is long enough for one sequence; give more documents or shorten train.context_length")
        self.sequences = {source: sequences[source] for source in sorted(weights)}
        for source, count in self.sequences.items():
            if count < 1:
                raise InputError(
                    f"the source {source!r} is shorter than one sequence; leave it out of train.mixture or shorten train.context_length"
                )
        self.seed = seed
        *peeled, self._last = self.sequences
        self._shares: list[tuple[str, int, int]] = []
        left = math.fsum(weights.values())
        for source in peeled:
            # Beside much larger weights, tiny ones are lost in rounding, and nothing may seem left for them.
            share = round(weights[source] / left * ONE) if weights[source] < left else ONE
            self._shares.append((source, share, _phase(seed, source)))
            left -= weights[source]

    def draw(self, sample: int) -> Draw:
        """Training sample number ``sample``, counted from 0."""
        number = sample
        for source, share, phase in self._shares:
            rank = (number * share + phase) >> SHARE_BITS
            if ((number + 1) * share + phase) >> SHARE_BITS > rank:
                return self._draw_from(source, rank)
            number -= rank
        return self._draw_from(self._last, number)

    def _draw_from(self, source: str, rank: int) -> Draw:
        """Number ``rank`` of the samples of one source."""
        epoch, place = divmod(rank, self.sequences[source])
        permute = keyed_permutation(self.sequences[source], f"{self.seed}\0{source}\0{epoch}")
        return Draw(source, epoch, permute(place))

    def drawn(self, samples: int) -> dict[str, int]:
        """How many of the first ``samples`` samples each source gives."""
        counts, left = {}, samples
        for source, share, phase in self._shares:
            counts[source] = (left * share + phase) >> SHARE_BITS
            left -= counts[source]
        return {**counts, self._last: left}

    def epochs(self, samples: int) -> dict[str, float]:
        """How often each source was seen, in passes, after ``samples`` samples."""
        return {source: count / self.sequences[source] for source, count in self.drawn(samples).items()}


def _phase(seed: int, source: str) -> int:
    digest = hashlib.blake2b(f"{seed}\0phase\0{source}".encode("utf-8", "surrogatepass"), digest_size=SHARE_BITS // 8)
    return int.from_bytes(digest.digest(), "little")
