"""A batch of texts as arrays, for the compiled loops of the rules: what is found once is shared by all families.

Imports numba: import this module where it is used.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from quality_filter.heuristics.characters import character_flags
from quality_filter.heuristics.layout import find_parts
from quality_filter.heuristics.special_words import special_words
from quality_filter.heuristics.words import find_words

MAX_CHARACTERS = 1 << 20  # of the texts of one batch, our choice: 30 MB of arrays; a longer text is a batch of its own
UNITS = (  # split off numbers that they follow
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar "
    "mb MB kb KB gb GB tb TB T G M K км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар "
    "Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб %"
)


class Parts(NamedTuple):
    """Words, lines or paragraphs of a batch.

    ``starts``, ``ends``: int64, places in the batch's code points, end exclusive. ``hashes``: uint64,
    equal for equal parts. ``bounds``: int64, documents + 1; the parts of document d are
    ``bounds[d]`` to ``bounds[d + 1]``.
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]
    bounds: npt.NDArray[np.int64]


class Batch:
    """Texts one after the other.

    ``codes``: uint32 code points. ``bounds``: int64, documents + 1. ``letters_apart``: whether letters
    of scripts without spaces are words of their own.
    """

    def __init__(self, texts: Sequence[str], letters_apart: bool = False) -> None:
        self.codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
        self.bounds = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=self.bounds[1:])
        self.letters_apart = letters_apart

    @property
    def characters(self) -> npt.NDArray[np.int64]:
        """Length of each text."""
        return np.diff(self.bounds)

    def text(self, document: int) -> str:
        """One of the texts."""
        return self.codes[self.bounds[document] : self.bounds[document + 1]].tobytes().decode("utf-32-le", "surrogatepass")

    @functools.cached_property
    def words(self) -> Parts:
        """The words of all texts, as spaCy's English tokenizer splits them."""
        return Parts(*find_words(self.codes, self.bounds, character_flags(), word_tables(), self.letters_apart))

    @functools.cached_property
    def lines(self) -> Parts:
        """What stands between runs of newlines; the first and the last may be empty, as ``re.split`` gives them."""
        return Parts(*find_parts(self.codes, self.bounds, character_flags(), 1, False))

    @functools.cached_property
    def paragraphs(self) -> Parts:
        """What stands between two newlines or more, in the text without white space at its ends."""
        return Parts(*find_parts(self.codes, self.bounds, character_flags(), 2, True))


def split_batches(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges (first, end) of texts of these lengths that together hold ``MAX_CHARACTERS`` at most, or are one text."""
    first, total = 0, 0
    for place, length in enumerate(lengths):
        if place > first and total + length > MAX_CHARACTERS:
            yield first, place
            first, total = place, 0
        total += length
    if first < len(lengths):
        yield first, len(lengths)


@functools.cache
def word_tables() -> tuple[Any, Any, Any, Any]:
    """Special words (hashes, lengths) and units of measure (code points, bounds)."""
    units = UNITS.split()
    bounds = np.zeros(len(units) + 1, np.int64)
    np.cumsum([len(unit) for unit in units], out=bounds[1:])
    return (*special_words(), np.frombuffer("".join(units).encode("utf-32-le"), np.dtype("<u4")), bounds)
