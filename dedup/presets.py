"""Named ways to find near duplicates: what a shingle is, from which similarity on, by how many bands.

A preset gives what the recipe leaves open. ``resolve`` joins the two and fails on what cannot work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from curation.errors import UsageError
from curation.recipe import DedupSettings


@dataclass(frozen=True)
class Preset:
    """``bands`` and ``rows`` None: chosen for the threshold by ``dedup.bands.choose_bands``."""

    ngram_words: int
    threshold: float
    permutations: int
    bands: int | None = None
    rows: int | None = None


PRESETS = {
    # 14 bands of 9 rows at 0.8; our choice (docs/dedup.md measures it).
    "default": Preset(ngram_words=5, threshold=0.8, permutations=128),
    # GPT-3, appendix A: Spark's MinHashLSH with 10 hashes, each a table of its own, over the hashed single words that its
    # classifier saw. Threshold unpublished: ours. The other 118 rows of the signature part large tables and estimate.
    "gpt3": Preset(ngram_words=1, threshold=0.8, permutations=128, bands=10, rows=1),
    # FineWeb (Penedo et al. 2024): 5-grams, 112 hashes in 14 buckets of 8, aimed at 75 % similarity.
    "fineweb": Preset(ngram_words=5, threshold=0.75, permutations=112, bands=14, rows=8),
    # OpenWebText: sets of 5-grams, removed from a similarity of 0.5 on.
    "webtext": Preset(ngram_words=5, threshold=0.5, permutations=128),
}


@dataclass(frozen=True)
class Method:
    """How near duplicates are found; no value is left open. ``estimated``: by signature instead of by shingle sets."""

    ngram_words: int
    threshold: float
    permutations: int
    bands: int
    rows: int
    estimated: bool

    @property
    def standard_error(self) -> float:
        """Of a similarity at the threshold that is estimated from the whole signature: sqrt(s (1 - s) / permutations)."""
        return math.sqrt(self.threshold * (1.0 - self.threshold) / self.permutations)


def resolve(settings: DedupSettings) -> Method:
    """The preset of the recipe, with the values that the recipe gives itself.

    Bands and rows of a preset hold for its own threshold and permutations; where the recipe changes
    one of these, they are chosen anew.

    Raises:
        UsageError: values that exclude each other.
    """
    from dedup.bands import choose_bands

    preset = PRESETS[settings.preset]
    threshold = preset.threshold if settings.threshold is None else settings.threshold
    permutations = preset.permutations if settings.permutations is None else settings.permutations
    if (settings.bands is None) != (settings.rows is None):
        raise UsageError("dedup.bands and dedup.rows belong together; give both, or neither to have them chosen")
    bands, rows = settings.bands, settings.rows
    if bands is None and (threshold, permutations) == (preset.threshold, preset.permutations):
        bands, rows = preset.bands, preset.rows
    if bands is None or rows is None:
        bands, rows = choose_bands(threshold, permutations)
    if bands * rows > permutations:
        raise UsageError(f"dedup: {bands} bands of {rows} rows take {bands * rows} permutations; raise dedup.permutations ({permutations})")
    ngram_words = preset.ngram_words if settings.ngram_words is None else settings.ngram_words
    return Method(ngram_words, threshold, permutations, bands, rows, settings.verification == "signature")
