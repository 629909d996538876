"""UTF-8 of a page → its runs of text, the blocks that they make up, and the containers that the blocks lie in.

One pass over the bytes, without a tree: a stack of open elements closes and nests them as the HTML standard does where
text depends on it. Memory is a fixed number of bytes for each tag, time linear in the page. What a browser recovers from
(no end tags, wrong nesting, quotes that never close) costs no text, except what stands inside a tag that never ends.

A *run* is text between two tags. A *block* is the runs between two boundaries of block-level elements; two line breaks
in a row are a boundary, too. A *container* is a block-level element; containers come in the order of their start tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.extraction.blocks import tags
from curation.extraction.blocks.inside import BIT, ELEMENT_INSIDE, ROLE_BITS, ROLE_KEYS
from curation.extraction.blocks.syntax import cut_attribute, is_blank, is_blank_text, name_key, skip_declaration, skip_raw_text
from curation.kernels import kernel

MAX_BLOCKS = 50_000  # more would cost memory (0.8 KB each); what follows joins the last block, and no page is judged by such
MAX_OPEN = 1024  # elements; deeper ones hold their text, but do not nest (pages are at most a few hundred deep); a tag may look at all

_CLASS, _ROLE, _HIDDEN, _ARIA, _STYLE, _ITEMPROP, _HREF, _TRUE, _NONE, _DISPLAY, _BODY_TEXT = (
    np.uint64(tags.name_key(name))
    for name in ("class", "role", "hidden", "aria-hidden", "style", "itemprop", "href", "true", "none", "display:", "articlebody")
)
# As in tags.py.
_PARTS_TEXT, _HAS_NO_CONTENT, _HOLDS_RAW_TEXT, _HIDES_TEXT, _ENDS_PARAGRAPH, _IS_SCOPE, _IS_TABLE_PART, _CLOSES_OTHERS = (
    1 << place for place in range(8)
)
_NUMBER, _INSIDE, _UNSEEN, _CONTAINER = range(4)  # columns of the stack of open elements
_END_BLOCK = 5  # column of the containers
_ATTRIBUTES = 4  # place in what is seen of a tag
_FNV, _FNV_START = np.uint64(1099511628211), np.uint64(14695981039346656037)  # Fowler, Noll, Vo: 64-bit FNV-1a


@dataclass(frozen=True)
class Scan:
    """``code``: the page, UTF-8, uint8. Columns of ``runs``: start, end (exclusive), inside bits, a line break before (0 or 1).

    ``blocks``: first run, container. ``containers``: element number, container around it (-1: none), depth, inside bits, first
    block, end of its blocks (exclusive), hash of element and first class. All int32, but for the hashes (uint64).
    For the page's budgets, ``most_open``: tags that were opened and not yet closed, as far as tags tell; ``most_attributes``: of one tag.
    """

    code: np.ndarray
    runs: np.ndarray
    blocks: np.ndarray
    containers: np.ndarray
    hashes: np.ndarray
    most_open: int
    most_attributes: int


def scan(html: str) -> Scan:
    """The runs, blocks and containers of a page."""
    markup = html.encode("utf-8", "replace")
    code = np.frombuffer(markup + b"\0" * tags.NAME_BYTES, np.uint8)
    most = markup.count(b"<") + 2
    runs = np.empty((most, 4), np.int32)
    blocks = np.empty((min(most, MAX_BLOCKS) + 1, 2), np.int32)
    containers = np.empty((most, 6), np.int32)
    hashes = np.empty(most, np.uint64)
    found = _scan(code, len(markup), runs, blocks, containers, hashes, _NAMES, _NESTING, _SPECIAL, _INSIDES)
    return Scan(code, runs[: found[0]], blocks[: found[1]], containers[: found[2]], hashes[: found[2]], found[3], found[4])


# Arguments, not globals: a compiled kernel does not see that another module has changed.
_NAMES = (tags.KEYS, tags.TAIL_KEYS, tags.KEY_NUMBERS)
_NESTING = (tags.PROPERTIES, tags.CLOSES, tags.FENCES, tags.NESTS)
_SPECIAL = np.array([tags.NUMBER[name] for name in ("p", "a", "br", "hr", "option")])
_INSIDES = (ELEMENT_INSIDE, np.array([BIT[name] for name in ("hidden", "link", "body_text", "pre")], np.int32), ROLE_KEYS, ROLE_BITS)


@kernel
def _number_of(code: Any, start: Any, end: Any, key: Any, names: Any) -> Any:
    """The number of the element whose name stands between two places; ``key``: of its first eight bytes."""
    keys, tail_keys, key_numbers = names
    place = np.searchsorted(keys, key)
    if place == len(keys) or keys[place] != key or tail_keys[place] != name_key(code, start + tags.NAME_BYTES, end):
        return 0
    return np.int64(key_numbers[place])


@kernel
def _value_key(code: Any, start: Any, end: Any) -> Any:
    """The key of an attribute's value without blanks before it."""
    while start < end and is_blank(code[start]):
        start += 1
    return name_key(code, start, end)


@kernel
def _hides(code: Any, start: Any, end: Any) -> Any:
    """Whether a style says ``display:none``."""
    for place in range(start, end - 11):
        if code[place] == 100 and name_key(code, place, place + 8) == _DISPLAY:
            at = place + 8
            while at < end and code[at] == 32:
                at += 1
            if name_key(code, at, min(at + 4, end)) == _NONE:
                return True
    return False


@kernel
def _read_attributes(code: Any, size: Any, place: Any, seen: Any, bits: Any, role_keys: Any, role_bits: Any) -> Any:
    """The end of a start tag; ``seen`` becomes [inside bits, hash of the first class name, has href, closes itself, attributes]."""
    seen[:] = 0
    while place < size:
        byte = code[place]
        if byte == 62:
            return place + 1
        if is_blank(byte) or byte == 47:
            seen[3] = byte == 47
            place += 1
            continue
        seen[_ATTRIBUTES] += np.uint64(1)
        name_start = place
        name_end, start, end, place = cut_attribute(code, size, place)
        key = name_key(code, name_start, name_end)
        if key == _CLASS:
            value = _FNV_START
            while start < end and is_blank(code[start]):
                start += 1
            while start < end and not is_blank(code[start]):
                value = (value ^ np.uint64(code[start])) * _FNV
                start += 1
            seen[1] = value
        elif key == _HREF:
            seen[2] = 1
        elif key == _ROLE:
            value = _value_key(code, start, end)
            for at in range(len(role_keys)):
                if role_keys[at] == value:
                    seen[0] |= np.uint64(role_bits[at])
        elif key == _ITEMPROP and _value_key(code, start, end) == _BODY_TEXT:
            seen[0] |= np.uint64(bits[2])
        elif key == _HIDDEN or (key == _ARIA and _value_key(code, start, end) == _TRUE) or (key == _STYLE and _hides(code, start, end)):
            seen[0] |= np.uint64(bits[0])
    return size


@kernel
def _close(stack: Any, depth: Any, level: Any, properties: Any, containers: Any, n_blocks: Any) -> Any:
    """Close the open elements from ``level`` on; the new depth."""
    for opened in range(level, depth + 1):
        if properties[stack[opened, _NUMBER]] & _PARTS_TEXT:
            containers[stack[opened, _CONTAINER], _END_BLOCK] = n_blocks
    return level - 1


@kernel
def _level_of_end_tag(stack: Any, depth: Any, number: Any, properties: Any) -> Any:
    """The open element that an end tag closes; 0: none.

    An inline end tag closes no block, and none but that of a scope closes anything outside of a scope, such as a table's cell.
    """
    bits = properties[number]
    level = depth
    while level > 0 and stack[level, _NUMBER] != number:
        inner = properties[stack[level, _NUMBER]]
        if (inner & _PARTS_TEXT and not bits & _PARTS_TEXT) or (inner & _IS_SCOPE and not bits & (_IS_SCOPE | _IS_TABLE_PART)):
            return 0
        level -= 1
    return level if number else 0


@kernel
def _close_implied(stack: Any, depth: Any, number: Any, tables: Any, special: Any, containers: Any, n_blocks: Any) -> Any:
    """Close what a start tag closes without saying so; the new depth."""
    properties, closes, fences, _ = tables
    paragraph, option = special[0], special[4]
    if properties[number] & _ENDS_PARAGRAPH:
        if stack[depth, _NUMBER] == option:
            depth = _close(stack, depth, depth, properties, containers, n_blocks)
        level = depth
        while level > 0 and stack[level, _NUMBER] != paragraph and not properties[stack[level, _NUMBER]] & _IS_SCOPE:
            level -= 1
        if level > 0 and stack[level, _NUMBER] == paragraph:
            depth = _close(stack, depth, level, properties, containers, n_blocks)
    if properties[number] & _CLOSES_OTHERS:
        level = depth
        while level > 0 and not closes[number, stack[level, _NUMBER]] and not fences[number, stack[level, _NUMBER]]:
            level -= 1
        if level > 0 and closes[number, stack[level, _NUMBER]]:
            depth = _close(stack, depth, level, properties, containers, n_blocks)
    return depth


@kernel
def _scan(
    code: Any, size: Any, runs: Any, blocks: Any, containers: Any, hashes: Any, names: Any, tables: Any, special: Any, insides: Any
) -> Any:
    """Fill the arrays of a ``Scan``; how many runs, blocks and containers there are, most open tags, most attributes."""
    properties, nests = tables[0], tables[3]
    element_inside, attribute_bits, role_keys, role_bits = insides
    anchor, line_break = special[1], special[2]
    stack = np.zeros((MAX_OPEN, 4), np.int32)
    depth = 0  # of the innermost open element; the first, number 0, stands for the page
    containers[0] = 0
    containers[0, 1] = -1
    hashes[0] = 0
    n_runs, n_blocks, n_containers = 0, 0, 1
    n_open, most_open, most_attributes = 0, 0, np.int64(0)
    seen = np.zeros(5, np.uint64)
    has_comment_end = np.ones(1, np.bool_)
    has_raw_end = np.ones(len(properties), np.bool_)
    is_boundary, line_breaks = True, 0
    place = 0
    while place < size:
        start = place
        while place < size:  # a "<" that begins no tag is text
            if code[place] == 60 and (97 <= (code[place + 1] | 32) <= 122 or code[place + 1] in (33, 47, 63)):
                break
            place += 1
        if place > start and not stack[depth, _UNSEEN]:
            blank = is_blank_text(code, start, place)
            begins_block = is_boundary or (line_breaks > 1 and not stack[depth, _INSIDE] & attribute_bits[3])
            if not blank and begins_block and n_blocks < MAX_BLOCKS:
                blocks[n_blocks, 0] = n_runs
                blocks[n_blocks, 1] = stack[depth, _CONTAINER]
                n_blocks += 1
                line_breaks = 0
            if not blank or not begins_block:
                runs[n_runs, 0] = start
                runs[n_runs, 1] = place
                runs[n_runs, 2] = stack[depth, _INSIDE]
                runs[n_runs, 3] = begins_block or line_breaks > 0
                n_runs += 1
            if not blank:
                is_boundary, line_breaks = False, 0
        if place >= size:
            break
        if code[place + 1] == 33 or code[place + 1] == 63:
            place = skip_declaration(code, size, place, has_comment_end)
            continue
        is_end = code[place + 1] == 47
        name_start = name_end = place + 1 + is_end
        while name_end < size and code[name_end] != 62 and code[name_end] != 47 and not is_blank(code[name_end]):
            name_end += 1
        key = name_key(code, name_start, name_end)
        number = _number_of(code, name_start, name_end, key, names)
        place = _read_attributes(code, size, name_end, seen, attribute_bits, role_keys, role_bits)
        most_attributes = max(most_attributes, np.int64(seen[_ATTRIBUTES]))
        if nests[number] and not seen[3]:
            n_open = max(0, n_open + (-1 if is_end else 1))
            most_open = max(most_open, n_open)
        bits = properties[number]
        if bits & _PARTS_TEXT:
            is_boundary = True
        if is_end:
            level = _level_of_end_tag(stack, depth, number, properties)
            if level > 0:
                depth = _close(stack, depth, level, properties, containers, n_blocks)
            continue
        depth = _close_implied(stack, depth, number, tables, special, containers, n_blocks)
        line_breaks += number == line_break
        if bits & _HOLDS_RAW_TEXT:
            place = skip_raw_text(code, size, place, number, key, name_end - name_start, has_raw_end)
            continue
        if bits & _HAS_NO_CONTENT or (seen[3] and number == 0) or depth + 1 == MAX_OPEN:
            continue
        outer = stack[depth, _CONTAINER]
        stack[depth + 1, _NUMBER] = number
        stack[depth + 1, _INSIDE] = stack[depth, _INSIDE] | element_inside[number] | np.int32(seen[0])
        if number == anchor and seen[2]:
            stack[depth + 1, _INSIDE] |= attribute_bits[1]
        stack[depth + 1, _UNSEEN] = stack[depth, _UNSEEN] or bits & _HIDES_TEXT
        stack[depth + 1, _CONTAINER] = outer
        depth += 1
        if bits & _PARTS_TEXT:
            containers[n_containers, 0] = number
            containers[n_containers, 1] = outer
            containers[n_containers, 2] = containers[outer, 2] + 1
            containers[n_containers, 3] = stack[depth, _INSIDE]
            containers[n_containers, 4] = n_blocks
            containers[n_containers, _END_BLOCK] = n_blocks
            hashes[n_containers] = (seen[1] ^ np.uint64(number)) * _FNV
            stack[depth, _CONTAINER] = n_containers
            n_containers += 1
    _close(stack, depth, 1, properties, containers, n_blocks)
    containers[0, _END_BLOCK] = n_blocks
    return n_runs, n_blocks, n_containers, most_open, most_attributes
