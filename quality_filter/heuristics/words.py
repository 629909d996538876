"""From code points to words, by the rules of spaCy's English tokenizer; importing this module loads numba.

The published reference filters count spaCy's words, so ours must be the same. A chunk is what
stands between white space. Special words (contractions, abbreviations, emoticons) come first, then
marks are split off both ends, then web addresses stay whole, what is left is split at hyphens,
slashes and the like, and neighbours that make a special word together (an emoticon behind a word)
become one.

All of it is one file because numba's cache of compiled code only sees changes of the caller's own file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel
from quality_filter.heuristics.characters import (
    ALPHABETIC,
    ASCII_DIGIT,
    ASCII_LETTER,
    BEFORE_FULL_STOP,
    CLOSING,
    CURRENCY,
    DIGIT,
    HOST,
    HYPHEN,
    LETTER,
    LETTER_NOT_LOWER,
    LETTER_NOT_UPPER,
    MARK,
    OPENING,
    PICTURE,
    QUOTE,
    SPACE,
    SPACELESS,
)

MAX_SPECIAL = 16  # characters of a special word; longer chunks are not looked up
SPECIAL_PLACES = 1 << 13  # of the table of special words: a power of two, several times their number
BITS_OF_A_LENGTH = 8  # in a packed list of lengths
LENGTH_MASK = (1 << BITS_OF_A_LENGTH) - 1
MAX_UNIT = 4  # characters of a unit of measure, such as км/ч
MAX_JOINED = 4  # words that together may be a special one, as ( - _ -)

# FNV-1a, 64 bit (Fowler, Noll, Vo), fed with whole code points instead of bytes, and MurmurHash3's finaliser.
FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
MIX_SHIFT = np.uint64(33)
MIX_FIRST = np.uint64(0xFF51AFD7ED558CCD)
MIX_SECOND = np.uint64(0xC4CEB9FE1A85EC53)

PLUS, COMMA, MINUS, FULL_STOP, SLASH, COLON = ord("+"), ord(","), ord("-"), ord("."), ord("/"), ord(":")
LESS, EQUALS, GREATER, STAR, CARET, DOLLAR = ord("<"), ord("="), ord(">"), ord("*"), ord("^"), ord("$")
AT, HASH, QUESTION, UNDERSCORE = ord("@"), ord("#"), ord("?"), ord("_")
APOSTROPHE, RIGHT_QUOTE, ELLIPSIS, DEGREE, DASH = ord("'"), ord("’"), ord("…"), ord("°"), ord("—")
CAPITAL_S, SMALL_S, CAPITAL_U, CAPITAL_C, CAPITAL_A = ord("S"), ord("s"), ord("U"), ord("C"), ord("A")
TEMPERATURES = tuple(ord(unit) for unit in "cfkCFK")
ZERO, NINE = ord("0"), ord("9")

# Web addresses, after Diego Perini's pattern as spaCy uses it
MIN_SCHEME, MIN_TOP_LEVEL, MAX_LABEL, MAX_TOP_LEVEL, MIN_PORT, MAX_PORT = 2, 2, 64, 63, 2, 5


@kernel
def _finish_hash(value: Any) -> Any:
    """Every bit of the input reaches every bit of the hash, which is never 0: that marks a free place of a table."""
    value ^= value >> MIX_SHIFT
    value *= MIX_FIRST
    value ^= value >> MIX_SHIFT
    value *= MIX_SECOND
    return (value ^ (value >> MIX_SHIFT)) | np.uint64(1)


@kernel
def hash_characters(codes: Any, start: Any, end: Any) -> Any:
    """64-bit hash of ``codes[start:end]`` (code points), never 0."""
    value = FNV_OFFSET
    for position in range(start, end):
        value = (value ^ np.uint64(codes[position])) * FNV_PRIME
    return _finish_hash(value)


@kernel
def _write_word(start: Any, end: Any, starts: Any, ends: Any, count: Any) -> Any:
    starts[count] = start
    ends[count] = end
    return count + 1


@kernel
def _find_special(codes: Any, start: Any, end: Any, tables: Any) -> Any:
    """Place in the table of special words, -1 if the characters are none."""
    if end - start > MAX_SPECIAL or start >= end:
        return -1
    hashes = tables[0]
    key = hash_characters(codes, start, end)
    place = np.int64(key & np.uint64(SPECIAL_PLACES - 1))
    while hashes[place] != 0:
        if hashes[place] == key:
            return place
        place = (place + 1) % SPECIAL_PLACES
    return -1


@kernel
def _write_special(start: Any, place: Any, tables: Any, starts: Any, ends: Any, count: Any) -> Any:
    lengths = tables[1][place]
    while lengths:
        length = lengths & LENGTH_MASK
        count = _write_word(start, start + length, starts, ends, count)
        start += length
        lengths >>= BITS_OF_A_LENGTH
    return count


@kernel
def _words_of(place: Any, tables: Any) -> Any:
    count, lengths = 0, tables[1][place]
    while lengths:
        count += 1
        lengths >>= BITS_OF_A_LENGTH
    return count


@kernel
def _join_specials(codes: Any, tables: Any, starts: Any, ends: Any, first: Any, count: Any) -> Any:
    """Make neighbouring words that are a special word together that special word, the longest first; the new count."""
    if count - first < 2:
        return count
    written = first
    word = first
    while word < count:
        joined = min(count - word, MAX_JOINED)
        while joined > 1:
            place = _find_special(codes, starts[word], ends[word + joined - 1], tables)
            if place >= 0 and _words_of(place, tables) <= joined:
                break
            joined -= 1
        if joined > 1:
            written = _write_special(starts[word], place, tables, starts, ends, written)
        else:
            written = _write_word(starts[word], ends[word], starts, ends, written)
        word += joined
    return written


@kernel
def _opening(codes: Any, start: Any, end: Any, flags: Any) -> Any:
    """Characters to split off the front."""
    code = codes[start]
    if code == FULL_STOP:
        length = 1
        while start + length < end and codes[start + length] == FULL_STOP:
            length += 1
        return length if length > 1 else 0
    if code == PLUS:
        return 0 if start + 1 < end and flags[codes[start + 1]] & ASCII_DIGIT else 1
    if code == ELLIPSIS:  # one, or two as one word, but "…" comes before "……" in the list
        return 1
    if flags[code] & OPENING:
        return 1
    if code in (CAPITAL_U, CAPITAL_C, CAPITAL_A):
        sign = start + 2 if code == CAPITAL_U and start + 1 < end and codes[start + 1] == CAPITAL_S else start + 1
        if (code != CAPITAL_U or sign == start + 2) and sign < end and codes[sign] == DOLLAR:
            return sign + 1 - start
    return 0


@kernel
def _unit(codes: Any, start: Any, end: Any, flags: Any, tables: Any) -> Any:
    """Characters of a unit of measure that follows a digit, such as the km of 5km; 0 if there is none."""
    digit = end - 2
    while digit >= max(start, end - 1 - MAX_UNIT) and not flags[codes[digit]] & ASCII_DIGIT:
        digit -= 1
    if digit < max(start, end - 1 - MAX_UNIT):
        return 0
    units, unit_bounds = tables[2], tables[3]
    found = 0
    for unit in range(len(unit_bounds) - 1):
        first, length = unit_bounds[unit], unit_bounds[unit + 1] - unit_bounds[unit]
        if length <= found or end - length <= start or not flags[codes[end - length - 1]] & ASCII_DIGIT:
            continue
        same = True
        for offset in range(length):
            if codes[end - length + offset] != units[first + offset]:
                same = False
                break
        if same:
            found = length
    return found


@kernel
def _closing(codes: Any, start: Any, end: Any, flags: Any, tables: Any) -> Any:
    """Characters to split off the end: the longest ending that fits."""
    if start >= end:
        return 0
    last = codes[end - 1]
    before = codes[end - 2] if end - 1 > start else 0
    if last == FULL_STOP:
        length = 1
        while end - length > start and codes[end - 1 - length] == FULL_STOP:
            length += 1
        if length > 1:
            return length
        if end - 1 == start:
            return 0
        if flags[before] & BEFORE_FULL_STOP:
            return 1
        if end - 2 > start and flags[before] & LETTER_NOT_LOWER and flags[codes[end - 3]] & LETTER_NOT_LOWER:
            return 1
        if end - 2 > start and codes[end - 3] == DEGREE and before in TEMPERATURES:  # °F. °C. °K.
            return 1
        return 0
    if last in (SMALL_S, CAPITAL_S) and end - 1 > start and before in (APOSTROPHE, RIGHT_QUOTE):
        return 2
    if last == ELLIPSIS:
        return 2 if before == ELLIPSIS else 1
    if flags[last] & CLOSING:
        return 1
    if end - 1 > start and flags[before] & ASCII_DIGIT and (last == PLUS or flags[last] & CURRENCY):
        return 1
    if last == DOLLAR and end - 2 > start and before in (CAPITAL_C, CAPITAL_A) and flags[codes[end - 3]] & ASCII_DIGIT:
        return 2
    if last == DOLLAR and end - 3 > start and before == CAPITAL_S and codes[end - 3] == CAPITAL_U and flags[codes[end - 4]] & ASCII_DIGIT:
        return 3
    return _unit(codes, start, end, flags, tables)


@kernel
def _in_scheme(code: Any, flags: Any) -> Any:
    return flags[code] & (ALPHABETIC | DIGIT) or code in (PLUS, MINUS, FULL_STOP, UNDERSCORE)


@kernel
def _is_four_numbers(codes: Any, start: Any, end: Any) -> Any:
    """A public IPv4 address, first number 1 to 223."""
    numbers = 0
    value, digits, first, second = 0, 0, 0, 0
    for position in range(start, end + 1):
        if position == end or codes[position] == FULL_STOP:
            if digits == 0 or digits > 3 or value > 255:
                return False
            numbers += 1
            if numbers == 1:
                first = value
            elif numbers == 2:
                second = value
            if position < end:
                value, digits = 0, 0
        elif ZERO <= codes[position] <= NINE:
            value = value * 10 + (codes[position] - ZERO)
            digits += 1
        else:
            return False
    private = first in (10, 127) or (first, second) in ((192, 168), (169, 254)) or (first == 172 and 16 <= second <= 31)
    return numbers == 4 and 1 <= first <= 223 and not private and 1 <= value <= 254


@kernel
def _is_host(codes: Any, start: Any, end: Any, flags: Any) -> Any:
    top_level = end
    while top_level > start and flags[codes[top_level - 1]] & LETTER_NOT_UPPER:
        top_level -= 1
    if top_level - 1 <= start or codes[top_level - 1] != FULL_STOP:
        return False
    if not MIN_TOP_LEVEL <= end - top_level <= MAX_TOP_LEVEL:
        return False
    label = start
    for position in range(start, top_level):
        if codes[position] == FULL_STOP:
            if position == label or position - label > MAX_LABEL:
                return False
            if not flags[codes[label]] & HOST or not flags[codes[position - 1]] & HOST:
                return False
            label = position + 1
        elif not flags[codes[position]] & (HOST | MARK) and codes[position] not in (MINUS, UNDERSCORE):
            return False
    return True


@kernel
def _ends_as_address(codes: Any, start: Any, end: Any, flags: Any) -> Any:
    host_end = start
    while host_end < end and codes[host_end] not in (COLON, SLASH, QUESTION, HASH):
        host_end += 1
    if not (_is_host(codes, start, host_end, flags) or _is_four_numbers(codes, start, host_end)):
        return False
    position = host_end
    if position < end and codes[position] == COLON:
        digits = position + 1
        while digits < end and flags[codes[digits]] & DIGIT:
            digits += 1
        if not MIN_PORT <= digits - position - 1 <= MAX_PORT:
            return False
        position = digits
    return position == end or codes[position] in (SLASH, QUESTION, HASH)


@kernel
def _is_address(codes: Any, start: Any, end: Any, flags: Any) -> Any:
    """Whether all of ``codes[start:end]`` is an address."""
    dotted = False
    for position in range(start, end):
        if codes[position] == FULL_STOP:
            dotted = True
            break
    if not dotted:
        return False
    if _ends_as_address(codes, start, end, flags):
        return True
    after_scheme = start
    while after_scheme < end and _in_scheme(codes[after_scheme], flags):
        after_scheme += 1
    if after_scheme - start >= MIN_SCHEME and after_scheme + 3 < end and codes[after_scheme] == COLON:
        slashes = codes[after_scheme + 1] == SLASH and codes[after_scheme + 2] == SLASH
        if slashes and _ends_as_address(codes, after_scheme + 3, end, flags):
            return True
    user = end  # a user name may hold anything, so the host follows the last @
    while user > start and codes[user - 1] != AT:
        user -= 1
    return user > start + 1 and _ends_as_address(codes, user, end, flags)


@kernel
def _infix(codes: Any, start: Any, position: Any, end: Any, flags: Any) -> Any:
    """Characters of a mark that parts words, 0 if none begins here."""
    code = codes[position]
    before = flags[codes[position - 1]] if position > start else 0
    after = flags[codes[position + 1]] if position + 1 < end else 0
    if code == FULL_STOP:
        length = 1
        while position + length < end and codes[position + length] == FULL_STOP:
            length += 1
        if length > 1:
            return length
        return 1 if before & (LETTER_NOT_UPPER | QUOTE) and after & (LETTER_NOT_LOWER | QUOTE) else 0
    if code == ELLIPSIS or flags[code] & PICTURE:
        return 1
    signed = position + 1 < end and (after & ASCII_DIGIT or codes[position + 1] == MINUS)
    if signed and code in (PLUS, MINUS, STAR, CARET) and before & ASCII_DIGIT:
        return 1
    if code == COMMA and before & LETTER and after & LETTER:
        return 1
    if flags[code] & HYPHEN and before & (LETTER | ASCII_DIGIT):
        length = 1
        most = 3 if code == MINUS else 2 if code == DASH else 1
        while length < most and position + length < end and codes[position + length] == code:
            length += 1
        if position + length < end and flags[codes[position + length]] & LETTER:
            return length
    if code in (COLON, LESS, GREATER, EQUALS, SLASH) and before & (LETTER | ASCII_DIGIT) and after & LETTER:
        return 1
    return 0


@kernel
def _split_inside(codes: Any, start: Any, end: Any, flags: Any, starts: Any, ends: Any, count: Any) -> Any:
    word = start
    position = start
    while position < end:
        flag = flags[codes[position]]
        if flag & (LETTER | ASCII_DIGIT) and not flag & PICTURE:
            position += 1
            continue
        length = _infix(codes, start, position, end, flags)
        if length and position > start:
            if word < position:
                count = _write_word(word, position, starts, ends, count)
            count = _write_word(position, position + length, starts, ends, count)
            word = position + length
        position += max(length, 1)
    if word < end:
        count = _write_word(word, end, starts, ends, count)
    return count


@kernel
def _is_letters(codes: Any, start: Any, end: Any, flags: Any) -> Any:
    """Whether all are ASCII letters, which no rule but the special words splits."""
    position = start
    while position < end and flags[codes[position]] & ASCII_LETTER:
        position += 1
    return position == end


@kernel
def _split_run(codes: Any, start: Any, end: Any, flags: Any, tables: Any, starts: Any, ends: Any, count: Any) -> Any:
    place = _find_special(codes, start, end, tables)
    if place >= 0:
        return _write_special(start, place, tables, starts, ends, count)
    if _is_letters(codes, start, end, flags):
        return _write_word(start, end, starts, ends, count)
    # Marks at the end are found last one first: they are written from the back of the room that the chunk has.
    first, last = count, count + end - start
    closing = last
    while start < end:
        if place >= 0:  # what is left is special
            break
        opening = _opening(codes, start, end, flags)
        if opening and start + opening < end:
            place = _find_special(codes, start + opening, end, tables)
            if place >= 0:
                count = _write_word(start, start + opening, starts, ends, count)
                start += opening
                break
        cut = _closing(codes, start + opening, end, flags, tables)
        if cut and start < end - cut:
            place = _find_special(codes, start, end - cut, tables)
            if place >= 0:
                closing -= 1
                _write_word(end - cut, end, starts, ends, closing)
                end -= cut
                break
        if opening == 0 and cut == 0:
            break
        if opening:
            count = _write_word(start, start + opening, starts, ends, count)
            start += opening
        if cut:
            closing -= 1
            _write_word(end - cut, end, starts, ends, closing)
            end -= cut
        place = _find_special(codes, start, end, tables)
        if place < 0 and _is_letters(codes, start, end, flags):
            break
    if start < end:
        if place >= 0:
            count = _write_special(start, place, tables, starts, ends, count)
        elif _is_letters(codes, start, end, flags) or _is_address(codes, start, end, flags):
            count = _write_word(start, end, starts, ends, count)
        else:
            count = _split_inside(codes, start, end, flags, starts, ends, count)
    for number in range(closing, last):
        count = _write_word(starts[number], ends[number], starts, ends, count)
    return _join_specials(codes, tables, starts, ends, first, count)


@kernel
def _split_chunk(codes: Any, start: Any, end: Any, flags: Any, tables: Any, letters_apart: Any, starts: Any, ends: Any, count: Any) -> Any:
    """Write the words of ``codes[start:end]``, which holds no white space, from place ``count`` on; the new count.

    With ``letters_apart`` each letter of a script without spaces is a word, with the marks after it.
    """
    if not letters_apart:
        return _split_run(codes, start, end, flags, tables, starts, ends, count)
    run = start
    position = start
    while position < end:
        if flags[codes[position]] & SPACELESS:
            if run < position:
                count = _split_run(codes, run, position, flags, tables, starts, ends, count)
            starts[count] = position
            position += 1
            while position < end and flags[codes[position]] & MARK:
                position += 1
            ends[count] = position
            count += 1
            run = position
        else:
            position += 1
    if run < end:
        count = _split_run(codes, run, end, flags, tables, starts, ends, count)
    return count


@kernel
def find_words(codes: Any, text_bounds: Any, flags: Any, tables: Any, letters_apart: Any) -> Any:
    """Starts, ends (exclusive), hashes and document bounds of the words of all texts.

    ``letters_apart``: each letter of a script without spaces is a word, with the marks after it.
    """
    starts = np.empty(len(codes) + 1, np.int64)
    ends = np.empty(len(codes) + 1, np.int64)
    hashes = np.empty(len(codes) + 1, np.uint64)
    bounds = np.zeros(len(text_bounds), np.int64)
    special_hashes = tables[0]
    count = 0
    for document in range(len(text_bounds) - 1):
        position, end = text_bounds[document], text_bounds[document + 1]
        while position < end:
            if flags[codes[position]] & SPACE:
                position += 1
                continue
            chunk, value, letters = position, FNV_OFFSET, np.uint32(ASCII_LETTER)
            while position < end:
                flag = flags[codes[position]]
                if flag & SPACE:
                    break
                letters &= flag
                value = (value ^ np.uint64(codes[position])) * FNV_PRIME
                position += 1
            key = _finish_hash(value)
            # Most chunks are ASCII letters that are nothing special: one word, found without a call.
            if letters and special_hashes[np.int64(key & np.uint64(SPECIAL_PLACES - 1))] == 0:
                starts[count], ends[count], hashes[count] = chunk, position, key
                count += 1
                continue
            first = count
            count = _split_chunk(codes, chunk, position, flags, tables, letters_apart, starts, ends, count)
            for word in range(first, count):
                value = FNV_OFFSET
                for place in range(starts[word], ends[word]):
                    value = (value ^ np.uint64(codes[place])) * FNV_PRIME
                hashes[word] = _finish_hash(value)
        bounds[document + 1] = count
    return starts[:count].copy(), ends[:count].copy(), hashes[:count].copy(), bounds
