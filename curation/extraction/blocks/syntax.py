"""The smallest parts of HTML's syntax, for compiled code: blanks, names, attributes, and where comments and raw text end.

They follow the HTML standard (13.2.5) and will not change, so kernels of other modules may call them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.kernels import kernel


@kernel
def is_blank(byte: Any) -> Any:
    """Whether a byte is white space of HTML."""
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@kernel
def name_key(code: Any, start: Any, end: Any) -> Any:
    """The first eight bytes between two places as one number, ASCII letters in lower case."""
    key = np.uint64(0)
    for place in range(min(8, end - start)):
        byte = np.uint64(code[start + place])
        if 65 <= byte <= 90:
            byte |= np.uint64(32)
        key |= byte << np.uint64(8 * place)
    return key


@kernel
def cut_attribute(code: Any, size: Any, place: Any) -> Any:
    """Of an attribute that begins at ``place``: where its name ends, where its value begins and ends, and where the tag goes on."""
    place += 1
    while place < size and code[place] != 61 and code[place] != 62 and code[place] != 47 and not is_blank(code[place]):
        place += 1
    name_end = place
    while place < size and is_blank(code[place]):
        place += 1
    if place >= size or code[place] != 61:
        return name_end, place, place, place
    place += 1
    while place < size and is_blank(code[place]):
        place += 1
    quote = code[place] if place < size else 0
    if quote == 34 or quote == 39:
        start = place = place + 1
        while place < size and code[place] != quote:
            place += 1
        return name_end, start, place, place + 1
    start = place
    while place < size and code[place] != 62 and not is_blank(code[place]):
        place += 1
    return name_end, start, place, place


@kernel
def _find_raw_end(code: Any, size: Any, start: Any, key: Any, name_length: Any) -> Any:
    """Where the end tag of a raw text element begins; -1 if there is none. A page may end within it."""
    place = start
    while place < size - 2:
        if code[place] == 60 and code[place + 1] == 47:
            end = place + 2 + name_length
            is_whole = end == size or code[end] == 62 or code[end] == 47 or is_blank(code[end])
            if end <= size and is_whole and name_key(code, place + 2, end) == key:
                return place
        place += 1
    return -1


@kernel
def skip_raw_text(code: Any, size: Any, place: Any, number: Any, key: Any, name_length: Any, has_raw_end: Any) -> Any:
    """Where the page goes on behind an element of raw text; one without an end is over at the next tag."""
    end = -1
    if has_raw_end[number]:
        end = _find_raw_end(code, size, place, key, name_length)
        has_raw_end[number] = end >= 0
    wanted = 62 if end >= 0 else 60
    place = max(place, end)
    while place < size and code[place] != wanted:
        place += 1
    return place + (end >= 0)


@kernel
def skip_declaration(code: Any, size: Any, place: Any, has_comment_end: Any) -> Any:
    """The end of a comment, doctype or processing instruction that begins at ``place``; a comment that never ends is over at its ``>``."""
    if code[place + 1] == 33 and code[place + 2] == 45 and code[place + 3] == 45 and has_comment_end[0]:
        if code[place + 4] == 62:  # <!-->
            return place + 5
        at = place + 4
        while at < size - 2:
            if code[at] == 45 and code[at + 1] == 45 and (code[at + 2] == 62 or (code[at + 2] == 33 and code[at + 3] == 62)):
                return at + (3 if code[at + 2] == 62 else 4)
            at += 1
        has_comment_end[0] = False
    at = place + 2
    while at < size and code[at] != 62:
        at += 1
    return at + 1


@kernel
def is_blank_text(code: Any, start: Any, end: Any) -> Any:
    """Whether all bytes of a range are white space."""
    while start < end and is_blank(code[start]):
        start += 1
    return start == end
