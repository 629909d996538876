"""What the text of each block consists of: words, sentences, links and the like, as whole numbers.

Nothing here knows a language. Scripts without blanks count a word for so many characters, so that a Chinese paragraph is
as long as an English one: two characters a word in Chinese and Japanese, five in Thai, Lao, Burmese, Khmer and Tibetan. A blank
within the latter ends a sentence or a part of one, which has no other sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.extraction.blocks.inside import BIT
from curation.extraction.blocks.scan import Scan
from curation.kernels import kernel
from curation.utf8 import decode

MEASURES = [
    "words",
    "letters",
    "link_words",
    "sentences",
    "commas",
    "digits",
    "capitals",
    "links",
    "lines",
    "symbols",
    "copyright",
    "last_kind",
    "first_kind",
]
COLUMN = {name: place for place, name in enumerate(MEASURES)}
_TENTHS = 10  # of a word, in which words are counted
_TENTHS_OF_IDEOGRAM, _TENTHS_OF_UNSPACED = 5, 2  # our choice: mean lengths of words
_LETTERS_OF_IDEOGRAM = 3  # our choice: what an alphabet needs to write one

_BLANK, _LETTER, _CAPITAL, _DIGIT, _SENTENCE, _COMMA, _SYMBOL, _COPYRIGHT, _IDEOGRAM, _UNSPACED = range(10)


def _ascii_kinds() -> np.ndarray:
    kinds = np.full(128, _SYMBOL, np.uint8)
    for first, last, kind in (("a", "z", _LETTER), ("A", "Z", _CAPITAL), ("0", "9", _DIGIT)):
        kinds[ord(first) : ord(last) + 1] = kind
    kinds[[ord(character) for character in " \t\n\r\f"]] = _BLANK
    kinds[[ord(character) for character in ".!?"]] = _SENTENCE
    kinds[[ord(character) for character in ",;"]] = _COMMA
    kinds[ord("_")] = _LETTER
    return kinds


def _ranges() -> tuple[np.ndarray, np.ndarray]:
    """First code points of ranges beyond ASCII, and their kinds; after the blocks of the Unicode standard."""
    listed = """80 symbol, A0 blank, A1 symbol, A9 copyright, AA letter, AB symbol, B5 letter, B6 symbol, BA letter, BB symbol, C0 capital,
    D7 symbol, D8 capital, DF letter, F7 symbol, F8 letter, 391 capital, 3AC letter, 400 capital, 430 letter, 589 sentence, 58A symbol,
    591 letter, 60C comma, 60D symbol, 610 letter, 61B comma, 61C symbol, 61F sentence, 620 letter, 660 digit, 66A symbol, 66E letter,
    6D4 sentence, 6D5 letter, 964 sentence, 966 digit, 970 letter, E01 unspaced, 104A sentence, 104C unspaced, 10A0 letter,
    1361 symbol, 1362 sentence, 1363 comma, 1364 symbol, 1369 letter, 1780 unspaced, 17D4 sentence, 17D6 symbol, 17E0 unspaced,
    1800 letter, 2000 blank, 2010 symbol, 2026 sentence, 2027 symbol, 2028 blank, 202A symbol, 203C sentence, 203D symbol,
    2047 sentence, 204A symbol, 205F blank, 2060 symbol, 2C00 letter, 2E00 symbol, 2E80 ideogram, 3000 blank, 3001 comma, 3002 sentence,
    3003 symbol, 3005 ideogram, 3008 symbol, 3021 ideogram, 3030 symbol, 3041 ideogram, 3130 letter, 3190 ideogram, 31C0 symbol,
    31F0 ideogram, 3200 symbol, 3400 ideogram, A000 letter, F900 ideogram, FB00 letter, FE10 symbol, FE70 letter, FEFF symbol,
    FF01 sentence, FF02 symbol, FF0C comma, FF0D symbol, FF0E sentence, FF0F symbol, FF10 digit, FF1A symbol, FF1B comma, FF1C symbol,
    FF1F sentence, FF20 symbol, FF21 capital, FF3B symbol, FF41 letter, FF5B symbol, FF61 sentence, FF62 symbol, FF64 comma,
    FF65 symbol, FF66 ideogram, FFA0 letter, FFE0 symbol, 10000 letter, 1D100 symbol, 1D400 letter, 1F000 symbol, 20000 ideogram"""
    pairs = [entry.split() for entry in listed.split(",")]
    names = ["blank", "letter", "capital", "digit", "sentence", "comma", "symbol", "copyright", "ideogram", "unspaced"]
    return np.array([int(first, 16) for first, _ in pairs]), np.array([names.index(kind) for _, kind in pairs], np.uint8)


_KINDS = (_ascii_kinds(), *_ranges())


def measure(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """[block, measure] (int64, columns as ``MEASURES``), and a hash of each block's letters and digits (uint64)."""
    counts = np.zeros((len(scan.blocks), len(MEASURES)), np.int64)
    hashes = np.zeros(len(scan.blocks), np.uint64)
    _measure(scan.code, scan.runs, scan.blocks, _KINDS, BIT["link"], counts, hashes)
    return counts, hashes


@kernel
def _reference(code: Any, place: Any, end: Any) -> Any:
    """The code point of the character reference at ``place`` ("&"), and its width; a letter, a blank or a dash stands for named ones."""
    at = place + 1
    if at < end and code[at] == 35:
        base, value = 10, 0
        at += 1
        if at < end and code[at] | 32 == 120:
            base = 16
            at += 1
        while at < end and at < place + 12:
            byte = code[at]
            if 48 <= byte <= 57:
                digit = byte - 48
            elif base == 16 and 97 <= byte | 32 <= 102:
                digit = (byte | 32) - 87
            else:
                break
            value = value * base + digit
            at += 1
        return value, at - place + (at < end and code[at] == 59)
    while at < end and at < place + 10 and 48 <= code[at] <= 122:
        if code[at] == 59:
            first, last = code[place + 1] | 32, code[at - 1]
            if first == 110 and last == 112:  # nbsp
                return 32, at + 1 - place
            before = code[at - 2]
            # uml, acute, grave, circ, tilde, ring, cedil, lig, slash end names of letters; so do no others but dashes
            is_letter = (before == 109 and last == 108) or (before == 116 and last == 101) or (before == 118 and last == 101)
            is_letter |= (before == 114 and last == 99) or (before == 100 and last == 101) or (before == 110 and last == 103)
            is_letter |= (before == 105 and last == 108) or (before == 105 and last == 103)
            return (97 if is_letter else 45), at + 1 - place
        at += 1
    return 38, 1


@kernel
def _measure(code: Any, runs: Any, blocks: Any, kinds: Any, link: Any, counts: Any, hashes: Any) -> None:
    ascii_kinds, range_starts, range_kinds = kinds
    for block in range(len(blocks)):
        last_run = blocks[block + 1, 0] if block + 1 < len(blocks) else len(runs)
        tenths = link_tenths = 0
        letters = sentences = commas = digits = capitals = links = lines = symbols = copyright = 0
        last_kind, first_kind, in_word, in_link, is_pause = 0, 0, False, False, False
        text = np.uint64(14695981039346656037)
        for run in range(blocks[block, 0], last_run):
            linked = runs[run, 2] & link != 0
            links += linked and not in_link
            in_link = linked
            if runs[run, 3]:
                in_word = False
                lines += 1
            place, end = np.int64(runs[run, 0]), np.int64(runs[run, 1])
            before = tenths
            while place < end:
                point, width = np.int64(code[place]), 1
                if point == 38:
                    point, width = _reference(code, place, end)
                elif point >= 128:
                    point, width = decode(code, place)
                place += width
                kind = ascii_kinds[point] if point < 128 else range_kinds[np.searchsorted(range_starts, point, side="right") - 1]
                if kind == _BLANK:
                    in_word = False
                    is_pause = last_kind == _UNSPACED
                    continue
                sentences += is_pause and kind == _UNSPACED
                last_kind, is_pause = kind, False
                if first_kind == 0:
                    first_kind = kind
                if kind <= _DIGIT:  # of words
                    if not in_word:
                        tenths += _TENTHS
                        in_word = True
                    letters += 1
                    digits += kind == _DIGIT
                    capitals += kind == _CAPITAL
                    text = (text ^ np.uint64(point)) * np.uint64(1099511628211)
                    continue
                in_word = False
                if kind == _IDEOGRAM:
                    tenths += _TENTHS_OF_IDEOGRAM
                    letters += _LETTERS_OF_IDEOGRAM
                    text = (text ^ np.uint64(point)) * np.uint64(1099511628211)
                elif kind == _UNSPACED:
                    tenths += _TENTHS_OF_UNSPACED
                    letters += 1
                    text = (text ^ np.uint64(point)) * np.uint64(1099511628211)
                elif kind == _SENTENCE:
                    sentences += 1
                elif kind == _COMMA:
                    commas += 1
                else:
                    symbols += 1
                    copyright += kind == _COPYRIGHT
            if linked:
                link_tenths += tenths - before
        hashes[block] = text
        row = counts[block]
        row[0], row[1], row[2] = (tenths + _TENTHS - 1) // _TENTHS, letters, (link_tenths + _TENTHS - 1) // _TENTHS
        row[3], row[4], row[5], row[6], row[7] = sentences, commas, digits, capitals, links
        row[8], row[9], row[10], row[11], row[12] = lines, symbols, copyright, last_kind, first_kind
