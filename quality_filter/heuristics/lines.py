"""RefinedWeb's rules on lines (arXiv 2306.01116, G.2): headings in capitals, numbers, counters and single words go.

A line is cut for the first of these that holds: its letters are mostly capitals; it is digits and
punctuation only; it is a counter such as "3 likes"; it is one word. Blank lines stay. A document of
whose words too many stood in such lines is removed. Words are what stands between white space;
letters of scripts without spaces count each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.kernels import kernel
from curation.ledger import Reason
from quality_filter.heuristics.batch import Batch
from quality_filter.heuristics.characters import ALPHABETIC, DIGIT, SPACE, SPACELESS, UPPER_CASE, character_flags
from quality_filter.heuristics.rules import Change, Family, FloatArray, Rule, share

IntArray = npt.NDArray[np.int64]
CUTS = ("upper_case", "number", "counter", "single_word")  # why lines were cut, in order
UPPER, NUMBER, COUNTER, SINGLE_WORD = range(len(CUTS))
COUNTER_WORDS = 2  # a number and what is counted


class CutLines(NamedTuple):
    """``causes``: int64, a line's place in ``CUTS``, -1 where it stays; the rest int64 counts of each document."""

    causes: IntArray
    words: IntArray
    cut_words: IntArray


def count(batch: Batch, _urls: list[str], settings: Any) -> CutLines:
    """Which lines are cut, and how many words of each document stand in them."""
    most = np.inf if settings.max_upper_case is None else settings.max_upper_case
    switches = (settings.cut_numbers, settings.cut_counters, settings.cut_single_words)
    lines = batch.lines
    return CutLines(*_judge_lines(batch.codes, lines.starts, lines.ends, lines.bounds, character_flags(), most, switches))


@kernel
def _judge_lines(codes: Any, starts: Any, ends: Any, bounds: Any, flags: Any, max_upper_case: Any, switches: Any) -> Any:
    cut_numbers, cut_counters, cut_single_words = switches
    causes = np.full(len(starts), -1, np.int64)
    words, cut_words = np.zeros(len(bounds) - 1, np.int64), np.zeros(len(bounds) - 1, np.int64)
    for document in range(len(bounds) - 1):
        for line in range(bounds[document], bounds[document + 1]):
            count, letters, capitals, digits = 0, 0, 0, 0
            begins_with_digit, inside = False, False
            for position in range(starts[line], ends[line]):
                flag = flags[codes[position]]
                if flag & SPACE:
                    inside = False
                    continue
                if flag & SPACELESS or not inside:
                    count += 1
                    begins_with_digit = begins_with_digit or (count == 1 and flag & DIGIT > 0)
                inside = not flag & SPACELESS
                letters += flag & ALPHABETIC > 0
                capitals += flag & UPPER_CASE > 0
                digits += flag & DIGIT > 0
            words[document] += count
            if letters and capitals > max_upper_case * letters:
                causes[line] = UPPER
            elif cut_numbers and digits and letters == 0:
                causes[line] = NUMBER
            elif cut_counters and count == COUNTER_WORDS and begins_with_digit:
                causes[line] = COUNTER
            elif cut_single_words and count == 1:
                causes[line] = SINGLE_WORD
            if causes[line] >= 0:
                cut_words[document] += count
    return causes, words, cut_words


def cut_words(counts: CutLines) -> FloatArray:
    """Share of the words that stand in lines to be cut."""
    return share(counts.cut_words, counts.words)


def change(counts: CutLines, batch: Batch, document: int) -> Change | None:
    """The text of a document that passes without the lines, if any is cut, with the newlines before each line that stays."""
    lines = batch.lines
    first, last = lines.bounds[document], lines.bounds[document + 1]
    causes = counts.causes[first:last]
    if (causes < 0).all():
        return None
    text, start = batch.text(document), int(batch.bounds[document])
    previous, parts = 0, []
    for line, cause in zip(range(first, last), causes, strict=True):
        end = int(lines.ends[line]) - start
        if cause < 0:
            parts.append(text[previous:end])
        previous = end
    cut = np.bincount(causes[causes >= 0], minlength=len(CUTS))
    return Change("".join(parts).strip("\n"), {"lines": {name: int(number) for name, number in zip(CUTS, cut, strict=True) if number}})


FAMILY = Family("lines", count, (Rule(Reason.TOO_MANY_WORDS_CUT, "max_cut_words", cut_words),), change)
