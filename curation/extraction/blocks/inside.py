"""What text lies in, as bits: elements that say so, and ARIA roles and attributes that mean the same."""

from __future__ import annotations

import numpy as np

from curation.extraction.blocks import tags

INSIDE = [
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "article",
    "main",
    "table",
    "list",
    "blockquote",
    "pre",
    "noscript",
    "figure",
    "control",
    "dialog",
    "heading",
    "link",
    "hidden",
    "paragraph",
    "details",
    "section",
    "search",
    "definition",
    "cell",
    "body_text",
    "item",
]
BIT = {name: 1 << place for place, name in enumerate(INSIDE)}
_INSIDE_ELEMENTS = {
    "nav": "nav menu",
    "header": "header",
    "footer": "footer",
    "aside": "aside",
    "form": "form fieldset",
    "article": "article",
    "main": "main",
    "table": "table",
    "list": "ul ol",
    "blockquote": "blockquote",
    "pre": "pre listing plaintext",
    "noscript": "noscript",
    "figure": "figure figcaption",
    "control": "button label select legend",
    "dialog": "dialog",
    "heading": "h1 h2 h3 h4 h5 h6",
    "paragraph": "p",
    "details": "details summary",
    "section": "section",
    "search": "search",
    "definition": "dl",
    "cell": "td th",
    "item": "li",
}
_ROLES = {
    "navigation": "nav",
    "menu": "nav",
    "menubar": "nav",
    "banner": "header",
    "contentinfo": "footer",
    "complementary": "aside",
    "main": "main",
    "article": "article",
    "dialog": "dialog",
    "alertdialog": "dialog",
    "search": "search",
    "button": "control",
    "form": "form",
    "heading": "heading",
    "list": "list",
    "table": "table",
}


def _inside_of_elements() -> np.ndarray:
    bits = np.zeros(len(tags.PROPERTIES), np.int32)
    for what, names in _INSIDE_ELEMENTS.items():
        bits[tags.numbers(names)] |= BIT[what]
    return bits


ELEMENT_INSIDE = _inside_of_elements()
ROLE_KEYS = np.array([tags.name_key(role) for role in _ROLES], np.uint64)
ROLE_BITS = np.array([BIT[what] for what in _ROLES.values()], np.int32)
