"""The debug page: a page's own markup and layout with its blocks painted, kept ones green and the others red, and a list of them beside.

It must be safe to open whatever the page holds. The markup is written anew without what acts or loads (``harmless.py``); it lies in a frame
that may do nothing; and the policy of the whole forbids everything but styles.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from curation.extraction.blocks import tags
from curation.extraction.blocks.judge import Judgement
from curation.extraction.blocks.model import ONE
from curation.extraction.blocks.render import block_texts
from curation.extraction.harmless import escaped, harmless

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HEAD = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
_ELEMENTS = {number: name for name, number in tags.NUMBER.items()}
MIN_LABELLED = 0.05  # a menu whose every entry had a label could not be read; the pointer tells the others' probabilities
_BLANKS = b" \t\n\r\f"

# No style of a page outdoes three ids that no element has. What a page fades in by script is shown where it holds kept text.
# Pictures are not loaded; their empty frames stay small. A decoration that a style lays over its element would cover the whole page where
# the style that holds the element in place is not here.
_FIRST = ":not(#a#b#c)"
_PAINT = f"""<style>
x-kept{_FIRST}, x-left{_FIRST} {{ color: #111 !important; -webkit-text-fill-color: #111 !important; text-shadow: none !important;
  background: #c4efc4 !important; box-shadow: 0 0 0 1px #2a8a2a !important; }}
x-left{_FIRST} {{ background: #fbd3d3 !important; box-shadow: 0 0 0 1px #d39a9a !important; }}
[p]{_FIRST}::before {{ content: attr(p) !important; font: 9px/1 monospace !important; vertical-align: super !important;
  margin-right: 2px !important; }}
{_FIRST}::before, {_FIRST}::after {{ position: static !important; }}
img{_FIRST} {{ max-width: 15em !important; max-height: 3em !important; }}
:has(x-kept){_FIRST} {{ opacity: 1 !important; visibility: visible !important; animation: none !important; }}
</style>"""
_STYLE = """<style>
html, body { height: 100%; margin: 0; font: 14px/1.4 sans-serif; }
body { display: flex; flex-direction: column; }
header { padding: 4px 10px; border-bottom: 1px solid #888; overflow-wrap: anywhere; }
main { flex: 1; display: flex; min-height: 0; }
iframe { flex: 5; border: 0; }
ol { flex: 2; overflow: auto; margin: 0; padding: 4px; border-left: 1px solid #888; list-style: none; }
li { white-space: pre-wrap; overflow-wrap: anywhere; margin: 2px 0; padding: 1px 5px; border-left: 4px solid; }
.kept { background: #c4efc4; border-color: #2a8a2a; }
.left { background: #fbd3d3; border-color: #b03030; }
small { color: #444; }
</style>"""


@dataclass(frozen=True)
class ShownBlock:
    """One block for people: whether it is kept, its probability, 0 to 1, the element that it lies in, its text."""

    is_kept: bool
    likely: float
    element: str
    text: str


def shown_blocks(judgement: Judgement) -> list[ShownBlock]:
    """The blocks of a page in their order."""
    containers = judgement.scan.containers[judgement.scan.blocks[:, 1], 0]
    texts = (text.encode("utf-8", "replace").decode() for text in block_texts(judgement.scan))
    likely = (judgement.probabilities / ONE).tolist()
    elements = [_ELEMENTS.get(number, "page") for number in containers.tolist()]
    return [ShownBlock(*block) for block in zip(judgement.kept.tolist(), likely, elements, texts, strict=True)]


def summary(judgement: Judgement) -> str:
    """How many blocks are kept, in a few words."""
    if not len(judgement.kept):
        return "no block of text"
    return f"{judgement.kept.sum()} of {len(judgement.kept)} blocks kept, expected F1 {judgement.confidence:.4f}"


def painted_page(judgement: Judgement, title: str) -> str:
    """The debug page as HTML."""
    head = f"{html.escape(title)}: {html.escape(summary(judgement))}"
    legend = '<span class="kept">kept</span> <span class="left">left out</span>'
    frame = f'<iframe sandbox title="the page" srcdoc="{html.escape(painted_markup(judgement))}"></iframe>'
    items = []
    for block in shown_blocks(judgement):
        facts = f"<small>{block.likely:.3f} {block.element}</small>"
        items.append(f'<li class="{"kept" if block.is_kept else "left"}">{facts} {html.escape(block.text)}</li>\n')
    body = f"<header>{head} {legend}</header>\n<main>{frame}\n<ol>\n{''.join(items)}</ol></main>"
    return f"{_HEAD}<title>{head}</title>{_STYLE}</head><body>{body}</body></html>\n"


def painted_markup(judgement: Judgement) -> str:
    """The page, each text of a block in an element ``x-kept`` or ``x-left`` that tells its probability."""
    page = judgement.scan
    code = page.code.tobytes()[: -tags.NAME_BYTES]
    parts = [_HEAD, _PAINT]
    first_runs = [*page.blocks[:, 0].tolist(), len(page.runs)]
    place = 0
    for number, block in enumerate(shown_blocks(judgement)):
        element = "x-kept" if block.is_kept else "x-left"
        label = f' p="{block.likely:.2f}"' if block.likely >= MIN_LABELLED else ""  # at its first text only
        for start, end in page.runs[first_runs[number] : first_runs[number + 1], :2].tolist():
            first, last = end - len(code[start:end].lstrip(_BLANKS)), start + len(code[start:end].rstrip(_BLANKS))
            if first < last:
                tag = f'<{element} title="{block.likely:.3f} {block.element}"{label}>'
                parts += [harmless(code[place:first]), tag, escaped(code[first:last]), f"</{element}>"]
                place, label = last, ""
    parts.append(harmless(code[place:]))
    return "".join(parts)
