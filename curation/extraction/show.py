"""``extraction blocks``: every block of a page with its probability, as lines for a terminal or painted for a browser."""

from __future__ import annotations

import html
from pathlib import Path

from curation.crawl_page import page_request
from curation.errors import InputError
from curation.explain import find_page
from curation.extraction.blocks import tags
from curation.extraction.blocks.judge import Judgement
from curation.extraction.blocks.model import ONE
from curation.extraction.blocks.render import block_texts
from curation.extraction.encoding import decode
from curation.sources.warc import read_records

SHOWN_CHARACTERS = 80
_NAMES = {number: name for name, number in tags.NUMBER.items()}
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Blocks of {title}</title>
<style>
body {{ font: 15px/1.4 sans-serif; max-width: 60em; margin: 1em auto; }}
div {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: 2px 0; padding: 2px 6px; border-left: 5px solid; }}
.kept {{ background: #dff3df; border-color: #2a8a2a; }}
.left {{ background: #f9dfdf; border-color: #b03030; }}
small {{ color: #444; }}
</style></head><body>
<h1>Blocks of {title}</h1>
<p>{summary}</p>
"""


def read_page(document: str, run: str | None) -> str:
    """The decoded HTML of a page of a run, by id or address, or of a local file.

    Raises:
        InputError: there is no such page or file, or the file that held the page is not at hand.
    """
    place = find_page(run, document) if run else None
    if place is None:
        path = Path(document)
        if not path.is_file():
            known = f"neither a page of {run}, by id or address, nor" if run else "not"
            raise InputError(f"{document} is {known} an HTML file; check the name, or give --run RUN")
        return decode(path.read_bytes(), None).text.replace("\0", "")
    file, offset = place
    if not Path(file).is_file():
        raise InputError(f"{file}, which held the page, is not here; fetch it to that path, or name an HTML file instead")
    for record in read_records(file):
        if record.offset == offset:
            request = page_request(record)
            return decode(request.body, request.charset).text.replace("\0", "")
    raise InputError(f"{file} holds no record at offset {offset}; it is another file than the run has read")


def block_lines(judgement: Judgement) -> list[str]:
    """A line on the page and one a block: kept or not, probability, element, beginning of the text."""
    lines = [_summary(judgement)]
    for is_kept, likely, element, text in _blocks(judgement):
        shown = "".join(character if character.isprintable() else " " for character in " ".join(text.split()))  # none steers a terminal
        shown = shown if len(shown) <= SHOWN_CHARACTERS else shown[: SHOWN_CHARACTERS - 3] + "..."
        lines.append(f"  {'kept' if is_kept else '-':<4} {likely:.3f}  {element:<10} {shown}")
    return lines


def painted_page(judgement: Judgement, title: str) -> str:
    """The blocks in the page's order as an HTML page without scripts, links or images; all text is escaped."""
    parts = [_HEAD.format(title=html.escape(title), summary=html.escape(_summary(judgement)))]
    for is_kept, likely, element, text in _blocks(judgement):
        parts.append(f'<div class="{"kept" if is_kept else "left"}"><small>{likely:.3f} {element}</small> {html.escape(text)}</div>\n')
    return "".join(parts) + "</body></html>\n"


def _summary(judgement: Judgement) -> str:
    if not len(judgement.kept):
        return "no block of text"
    return f"{judgement.kept.sum()} of {len(judgement.kept)} blocks kept, expected F1 {judgement.confidence:.4f}"


def _blocks(judgement: Judgement) -> list[tuple[bool, float, str, str]]:
    """Of each block: whether it is kept, its probability, its element, its text."""
    containers = judgement.scan.blocks[:, 1]
    elements = [_NAMES.get(int(number), "page") for number in judgement.scan.containers[containers, 0]]
    likely = (judgement.probabilities / ONE).tolist()
    texts = [text.encode("utf-8", "replace").decode() for text in block_texts(judgement.scan)]
    return list(zip(judgement.kept.tolist(), likely, elements, texts, strict=True))
