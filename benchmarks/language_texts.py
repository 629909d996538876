"""Texts for benchmarks/language.py: labelled files, translated program messages, and pages.

Comes in: paths. Goes out: pairs of a language code, as its source writes it, and a text; or texts alone.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.mofile import read_mo

from curation.input_rows import read_rows

Labelled = list[tuple[str, str]]  # code and text

CODE = re.compile(r"[a-z]{2,3}(?:[_-][A-Za-z]+)*")
MESSAGE_LENGTHS = ((20, 60), (60, 200))  # characters, upper ends excluded: what a heading and what a sentence has
MESSAGES_EACH = 60  # of a language, drawn
MIN_MESSAGES = 30  # a language with fewer is left out
MIN_LETTERS = 0.6  # of a message's characters: others are tables and options
PLACEHOLDER = re.compile(r"%\(\w+\)\w|%[-\d.]*l*[a-z]|\{\w*\}|<[^>]+>|[_&]")  # also the marks of keyboard shortcuts
MIN_PAGE_WORDS = 5


def read_labelled(path: Path) -> Labelled:
    """Pairs of a file, also ``.gz``: JSONL with ``language`` and ``text``, or lines with code and text last, between tabs.

    A first line that has no code in its place is a header.

    Raises:
        ValueError: another line has no code or no text.
    """
    if ".jsonl" in path.suffixes:
        rows = [(str((row or {}).get("language")), str((row or {}).get("text") or "")) for row in read_rows(str(path))]
    else:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            cells = [line.rstrip("\r\n").split("\t") for line in lines]
        rows = [(row[-2] if len(row) > 1 else "", row[-1]) for row in cells]
        if rows and not CODE.fullmatch(rows[0][0]):
            del rows[0]
    for number, (code, text) in enumerate(rows, start=1):
        if not CODE.fullmatch(code) or not text:
            raise ValueError(f"{path}: row {number} is {code!r} and {text[:40]!r}; give a language code, such as en, and a text")
    return rows


def read_messages(folder: Path) -> dict[str, Labelled]:
    """Translated messages of the ``.mo`` files below a folder laid out like /usr/share/locale, by their length.

    Of each language as many as of any other, drawn with a fixed seed. Messages that are left as they were in the program, and
    locales of another script or variant (``sr@latin``), are left out.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*/LC_MESSAGES/*.mo")):
        if "@" not in path.parts[-3]:
            found.setdefault(path.parts[-3].partition("_")[0], set()).update(_translations(path))
    chosen: dict[str, Labelled] = {}
    draw = random.Random(1)
    for shortest, longest in MESSAGE_LENGTHS:
        pairs: Labelled = []
        for code, texts in sorted(found.items()):
            fitting = sorted(text for text in texts if shortest <= len(text) < longest)
            if CODE.fullmatch(code) and len(fitting) >= MIN_MESSAGES:
                pairs += [(code, text) for text in draw.sample(fitting, min(MESSAGES_EACH, len(fitting)))]
        if pairs:
            chosen[f"messages of {shortest} to {longest} characters"] = pairs
    return chosen


def _translations(path: Path) -> Iterator[str]:
    """Translated messages of a catalogue, without placeholders and markup; none of one that is damaged."""
    with path.open("rb") as stream:
        try:
            catalogue = read_mo(stream)
        except (OSError, ValueError, LookupError):
            return
    for message in catalogue:
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id not in ("", message.string):
            text = " ".join(PLACEHOLDER.sub("", message.string).split())
            if sum(map(str.isalpha, text)) >= MIN_LETTERS * len(text):
                yield text


def read_pages(paths: Sequence[Path]) -> list[str]:
    """Texts of JSONL or Parquet files, such as ``RUN/crawl/documents/*.parquet``; those of fewer than five words are left out."""
    texts = (str((row or {}).get("text") or "") for path in paths for row in read_rows(str(path)))
    return [text for text in texts if len(text.split(None, MIN_PAGE_WORDS)) >= MIN_PAGE_WORDS]
