"""Reading benchmark files: every item with the texts whose words are looked for.

A benchmark file that cannot be read whole stops the stage before anything is written: a benchmark
half read would be reported half clean.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from contamination.lm_eval import render
from contamination.specs import DATA_SUFFIXES, BenchmarkSpec
from curation import storage
from curation.errors import InputError
from curation.parquet import reading_parquet
from curation.sources.compressed import open_decompressed

# Looked for in this order in a file without a spec; all that are present are used.
COMMON_FIELDS = (
    *("passage", "context", "ctx", "text", "article", "story", "premise", "goal", "sentence", "sentence1", "sentence2"),
    *("problem", "prompt", "input", "question", "query", "hypothesis", "choices", "options", "endings", "continuation", "completion"),
    *("answer", "answers", "solution", "target", "output"),
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One example of a benchmark.

    ``row``: its number in the benchmark, from 0, over all its files. ``slots``: for each field the
    alternatives that it holds, mostly one. ``answer``: the right answer if a field of its own holds it.
    """

    row: int
    slots: tuple[tuple[str, ...], ...]
    answer: str = ""

    @property
    def text(self) -> str:
        """Everything in reading order, a line for each text, as a page that quotes the whole item shows it."""
        return "\n".join(text for slot in self.slots for text in slot)

    @property
    def passages(self) -> list[str]:
        """The texts whose n-grams are the item's: one for each alternative, and the whole ``text``.

        Passage i takes alternative i of every slot that has several. A page may quote a question with
        all its choices, or go on from a story to its true ending: both are the item. The first passage
        measures how long the item is.
        """
        count = max(len(slot) for slot in self.slots)
        readings = ["\n".join(_alternative(slot, number) for slot in self.slots) for number in range(count)]
        return readings if count == 1 else [*readings, self.text]


def _alternative(slot: tuple[str, ...], number: int) -> str:
    """The text of a slot in reading ``number``: a slot with fewer alternatives repeats its last."""
    return slot[min(number, len(slot) - 1)]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark in memory; ``items`` is never empty."""

    spec: BenchmarkSpec
    items: list[Item]


def read_benchmark(spec: BenchmarkSpec) -> Benchmark:
    """Read all files of a benchmark.

    Raises:
        InputError: a file is missing, damaged, empty or of another kind, or a row lacks its fields.
    """
    items: list[Item] = []
    for path in spec.files:
        before = len(items)
        fields: list[str | list[str]] | None = spec.fields
        for place, row in read_rows(path):
            if fields is None and spec.templates is None:
                fields = find_fields(row, path)
            try:
                slots = _slots_of_fields(row, fields, place) if fields else _slots_of_templates(row, spec.templates or [], place)
                answers = _texts(_value(row, spec.answer, place), spec.answer, place) if spec.answer else []
                items.append(Item(len(items), slots, answers[0] if answers else ""))
            except RecursionError as error:
                raise InputError(f"{place}: lists are nested too deeply; mend the row or name other fields") from error
        if len(items) == before:
            raise InputError(f"benchmark file {path} holds no items; check the file, or take it out of decontaminate.benchmarks")
    return Benchmark(spec, items)


def find_fields(row: Row, path: str) -> list[str | list[str]]:
    """The common fields that a row has.

    Raises:
        InputError: it has none of them.
    """
    found: list[str | list[str]] = [name for name in COMMON_FIELDS if name in row]
    if not found:
        raise InputError(
            f"{path}: no known text field among {', '.join(row) or 'no fields at all'}; "
            f"name them in decontaminate.benchmarks, such as {{name: NAME, files: [{path}], fields: [FIELD, ...]}}"
        )
    return found


def _slots_of_fields(row: Row, fields: list[str | list[str]], place: str) -> tuple[tuple[str, ...], ...]:
    slots = []
    for field in fields:
        names = field if isinstance(field, list) else [field]
        slots.append(tuple(text for name in names for text in _texts(_value(row, name, place), name, place)))
    return _filled(slots, _names(fields), place)


def _slots_of_templates(row: Row, templates: list[str | list[str]], place: str) -> tuple[tuple[str, ...], ...]:
    slots = []
    for template in templates:
        alternatives = template if isinstance(template, list) else [template]
        texts = (text for alternative in alternatives for text in render(alternative, row, place))
        slots.append(tuple(text for text in texts if text.strip()))
    return _filled(slots, _names(templates), place)


def _filled(slots: list[tuple[str, ...]], names: str, place: str) -> tuple[tuple[str, ...], ...]:
    filled = tuple(slot for slot in slots if slot)
    if not filled:
        raise InputError(f"{place}: the item holds no text in {names}; mend the row or name other fields")
    return filled


def _names(fields: list[str | list[str]]) -> str:
    return ", ".join(name for field in fields for name in (field if isinstance(field, list) else [field]))


def _value(row: Row, name: str, place: str) -> Any:
    value: Any = row
    for part in [name] if name in row else name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise InputError(f"{place}: no field {name}; the row has {', '.join(row) or 'no fields'}; name the right fields in a spec")
        value = value[part]
    return value


def _texts(value: Any, name: str, place: str) -> list[str]:
    """The non-blank texts of a field's value: a string, a number, null, or a list of these."""
    if value is None:
        return []
    if isinstance(value, list):
        return [text for entry in value for text in _texts(entry, name, place)]
    if isinstance(value, dict):
        raise InputError(f"{place}: field {name} holds further fields ({', '.join(value)}); name one of them as {name}.FIELD")
    if isinstance(value, bytes):
        raise InputError(f"{place}: field {name} holds bytes, not text; write it as text, or name other fields")
    text = str(value)
    return [text] if text.strip() else []


def read_rows(path: str) -> Iterator[tuple[str, Row]]:
    """Rows of a JSON Lines, CSV or Parquet file, each with its place (file and line) for messages.

    Raises:
        InputError: the file is missing, damaged or of another kind, or a line is no JSON object.
    """
    if not path.endswith(DATA_SUFFIXES):
        known = f"{', '.join(DATA_SUFFIXES)}, and .yaml for a spec of benchmarks"
        raise InputError(f"{path}: its ending names no format of rows; known are {known}")
    with storage.open_binary(path) as stream, open_decompressed(stream, path) as decompressed:
        content = decompressed.read()
    kind = path.removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if kind == "parquet":
        yield from _parquet_rows(path, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 ({error.reason}); convert the file to UTF-8") from error
    yield from _csv_rows(path, text) if kind == "csv" else _json_rows(path, text)


def _json_rows(path: str, text: str) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = _without_lone_surrogates(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: not JSON ({error}); mend the line, or write one object a line") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: not a JSON object but {type(row).__name__}; write one object a line")
        yield place, row


def _without_lone_surrogates(row: Any) -> Any:
    """The row with U+FFFD for halves of a surrogate pair (``\\ud800``), which no report could be written with; in keys, too."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    return row


def _csv_rows(path: str, text: str) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # Python's own limit, 131,072, is less than a chapter to read
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if None in row:
                raise InputError(f"{place}: more columns than the header has; quote fields that hold commas")
            if None in row.values():
                raise InputError(f"{place}: fewer columns than the header has; write empty ones, too")
            yield place, row
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _parquet_rows(path: str, content: bytes) -> Iterator[tuple[str, Row]]:
    with reading_parquet(path, "fetch it again"):
        for number, row in enumerate(pl.read_parquet(io.BytesIO(content)).iter_rows(named=True), 1):
            yield f"{path}, row {number}", row
