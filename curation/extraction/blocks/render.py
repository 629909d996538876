"""The text of blocks: a line each, list items with a dash, the cells of a table row on one line, code as it stands."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from curation.extraction.blocks import tags
from curation.extraction.blocks.inside import BIT
from curation.extraction.blocks.scan import Scan
from curation.kernels import kernel

_MARGIN_BYTES = 4  # what may be written before a block: " | " or a line end and "- "
_ELEMENTS = np.array([tags.NUMBER[name] for name in ("li", "td", "th")])


def page_text(scan: Scan, kept: np.ndarray) -> str:
    """The text of the blocks that are kept (bool, one a block), in the page's order, with references resolved."""
    return _decoded(_rendered(scan, kept)[0])


def block_texts(scan: Scan) -> list[str]:
    """The text of every block of a page, each by itself."""
    text, spans = _rendered(scan, np.ones(len(scan.blocks), np.bool_))
    return [_decoded(text[start:end]) for start, end in spans.tolist()]


def _rendered(scan: Scan, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lengths = scan.runs[:, 1] - scan.runs[:, 0] + 1
    out = np.empty(int(lengths.sum()) + _MARGIN_BYTES * len(kept), np.uint8)
    spans = np.zeros((len(kept), 2), np.int64)
    written = _render(scan.code, scan.runs, scan.blocks, scan.containers, kept, _ELEMENTS, BIT["pre"], out, spans)
    return out[:written], spans


def _decoded(text: np.ndarray) -> str:
    """References are resolved behind the scan, so that what they stand for is never taken for markup."""
    return html.unescape(text.tobytes().decode("utf-8", "replace"))


@kernel
def _nearest(containers: Any, container: Any, first: Any, second: Any) -> Any:
    """The innermost container around, itself included, that is one of two elements; -1 if none is."""
    while container >= 0 and containers[container, 0] != first and containers[container, 0] != second:
        container = np.int64(containers[container, 1])
    return container


@kernel
def _write(out: Any, at: Any, text: Any) -> Any:
    for byte in text:
        out[at] = byte
        at += 1
    return at


@kernel
def _render(code: Any, runs: Any, blocks: Any, containers: Any, kept: Any, elements: Any, pre: Any, out: Any, spans: Any) -> Any:
    """Write the kept blocks to ``out``, and to ``spans`` where each begins and ends; how many bytes there are."""
    item_element, cell_element, heading_element = elements
    at, last_kept, last_cell = 0, -1, np.int64(-1)
    for block in range(len(blocks)):
        if not kept[block]:
            continue
        container = np.int64(blocks[block, 1])
        cell = _nearest(containers, container, cell_element, heading_element)
        same_row = cell >= 0 and last_cell >= 0 and cell != last_cell and containers[cell, 1] == containers[last_cell, 1]
        if last_kept >= 0:
            at = _write(out, at, b" | " if same_row else b"\n")
        item = _nearest(containers, container, item_element, item_element)
        if item >= 0 and last_kept < containers[item, 4]:
            at = _write(out, at, b"- ")
        last_kept, last_cell = block, cell
        end_run = blocks[block + 1, 0] if block + 1 < len(blocks) else len(runs)
        begin, is_spaced = at, False
        for run in range(blocks[block, 0], end_run):
            as_it_stands = runs[run, 2] & pre != 0
            if runs[run, 3] and at > begin:
                out[at] = 10
                at, is_spaced = at + 1, False
            for place in range(runs[run, 0], runs[run, 1]):
                byte = code[place]
                if byte > 32 or as_it_stands:
                    if is_spaced and at > begin and out[at - 1] != 10:
                        out[at] = 32
                        at += 1
                    is_spaced = False
                    out[at] = byte
                    at += 1
                else:
                    is_spaced = True
        while at > begin and (out[at - 1] == 32 or out[at - 1] == 10 or out[at - 1] == 13 or out[at - 1] == 9):
            at -= 1
        spans[block, 0], spans[block, 1] = begin, at
    return at
