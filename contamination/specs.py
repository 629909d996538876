"""Which benchmarks a recipe names: files, and the fields whose words are looked for.

An entry of ``decontaminate.benchmarks`` is a path to a data file (JSON Lines, CSV, Parquet; also .gz and .zst), a
folder or glob (every JSON Lines and Parquet file below it), a path to a spec (YAML) or to a task of the LM evaluation
harness with local data, or a spec written in place. A data file finds its spec by file name among those shipped in
``contamination/specs``; a spec written in place can name one (``shipped: squad_v2_val``). Without one, its fields are
found by ``benchmarks.COMMON_FIELDS``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from contamination.lm_eval import is_task, spec_values
from curation import storage
from curation.errors import InputError, PipelineError, UsageError
from curation.recipe_file import YamlError, one_line, parse_yaml
from curation.section import Section

DATA_SUFFIXES = tuple(f".{kind}{packing}" for kind in ("jsonl", "ndjson", "csv", "parquet") for packing in ("", ".gz", ".zst"))
# Tables beside the data (statistics, languages) are often CSV, so that a CSV file is read only when named.
FOLDER_SUFFIXES = tuple(suffix for suffix in DATA_SUFFIXES if not suffix.startswith(".csv"))
SPEC_SUFFIXES = (".yaml", ".yml")
SHIPPED = Path(__file__).with_name("specs")


class BenchmarkSpec(Section):
    """What a benchmark file holds; the keys of a spec file."""

    name: str = Field(min_length=1, description="name in the report")
    split: str = Field("", description="test, validation, ...")
    files: list[str] = Field([], description="data files, relative to the spec file; globs and folders too")
    fields: list[str | Annotated[list[str], Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        description="fields that make up an item, in reading order; a list of fields, like a field that holds a list, "
        "are alternatives, such as the answers to choose from; a dot leads into a nested field",
    )
    templates: list[str | Annotated[list[str], Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        description="instead of fields: Jinja templates; a list, or a template that makes one, are alternatives",
    )
    passage_fields: int = Field(
        0, ge=0, description="how many of the first fields are a text to read, whose overlap is reported apart from that of the question"
    )
    answer: str | None = Field(None, description="field of the right answer, if not among fields; counts for the length of an item only")
    synthetic: bool = Field(False, description="made by a program: short n-grams are allowed in the report")
    prompt_words: int = Field(0, ge=0, description="words that the prompt adds (Question, Answer); counts for the length of an item only")
    report_words: int | None = Field(None, ge=1, le=100, description="n of the report; null: by the length of the items")
    path: str | None = Field(None, exclude=True, description="file that the spec was read from; set by the reader")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.fields is not None and self.templates is not None:
            raise ValueError("fields and templates are both given; keep one")
        parts = self.fields or self.templates
        if parts is not None and self.passage_fields > len(parts):
            raise ValueError(f"passage_fields is {self.passage_fields}, of {len(parts)} fields")
        return self

    @property
    def label(self) -> str:
        """Name and split, as reports and the ledger show them."""
        return f"{self.name}/{self.split}" if self.split else self.name


def resolve_specs(entries: Sequence[str | dict[str, Any]]) -> list[BenchmarkSpec]:
    """The benchmarks that the entries name, in their order, each with the files that exist for it.

    Raises:
        UsageError: an entry of the recipe is no spec, or two benchmarks have the same name and split.
        InputError: a path leads nowhere, or a spec file is wrong.
    """
    specs: list[BenchmarkSpec] = []
    for entry in entries:
        if isinstance(entry, dict):
            specs.append(_with_files(_parse(entry, "recipe, decontaminate.benchmarks", UsageError), ""))
        elif entry.endswith(SPEC_SUFFIXES):
            spec = read_spec(entry)
            specs.append(_with_files(spec, posixpath.dirname(entry)))
        else:
            specs.extend(_spec_of_data(path) for path in storage.expand_paths([entry], FOLDER_SUFFIXES))
    seen: dict[str, BenchmarkSpec] = {}
    for spec in specs:
        other = seen.setdefault(spec.label, spec)
        if other is not spec:
            raise UsageError(
                f"decontaminate.benchmarks: {', '.join(other.files)} and {', '.join(spec.files)} are both called {spec.label}; "
                "name one of them differently in a spec, or list it once"
            )
    return specs


def read_spec(path: str) -> BenchmarkSpec:
    """The spec in a YAML file, its ``files`` as written; of a task of the LM evaluation harness what it says.

    Raises:
        InputError: the file is missing, no YAML, or neither spec nor usable task.
    """
    content = storage.read_bytes(path)
    if is_task(content):
        return _parse(spec_values(path), path, InputError).model_copy(update={"path": path})
    try:
        values, _ = parse_yaml(content)
    except YamlError as error:
        where = f"{path} line {error.line}" if error.line else path
        raise InputError(f"{where}: {error}; mend the benchmark spec") from error
    return _parse(values, path, InputError).model_copy(update={"path": path})


def stem_of(path: str) -> str:
    """File name without folders and without the endings of data files."""
    name = posixpath.basename(path.replace("\\", "/"))
    for suffix in sorted(DATA_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _spec_of_data(path: str) -> BenchmarkSpec:
    shipped = SHIPPED / f"{stem_of(path)}.yaml"
    if shipped.is_file():
        return read_spec(str(shipped)).model_copy(update={"files": [path]})
    return BenchmarkSpec(name=stem_of(path), files=[path])


def _with_files(spec: BenchmarkSpec, folder: str) -> BenchmarkSpec:
    if not spec.files:
        raise InputError(f"benchmark {spec.label} ({spec.path or 'in the recipe'}) names no files; add `files: [PATH, ...]`")
    files = storage.expand_paths([_below(folder, name) for name in spec.files], DATA_SUFFIXES)
    return spec.model_copy(update={"files": files})


def _below(folder: str, name: str) -> str:
    """A path that is written relative to a folder."""
    return name if storage.is_remote(name) or Path(name).is_absolute() else storage.join(folder, name)


def _shipped(name: Any, where: str, error_class: type[PipelineError]) -> dict[str, Any]:
    """The keys of the shipped spec of that name."""
    path = SHIPPED / f"{name}.yaml"
    if not isinstance(name, str) or not path.is_file():
        known = ", ".join(sorted(spec.stem for spec in SHIPPED.glob("*.yaml")))
        raise error_class(f"{where}: no shipped spec is called {one_line(str(name))}; there are {known}")
    values: dict[str, Any] = parse_yaml(path.read_bytes())[0]
    return values


def _parse(values: Any, where: str, error_class: type[PipelineError]) -> BenchmarkSpec:
    if isinstance(values, dict) and "shipped" in values:
        own = {key: value for key, value in values.items() if key != "shipped"}
        values = {**_shipped(values["shipped"], where, error_class), **own}
    allowed = [name for name in BenchmarkSpec.model_fields if name != "path"]
    if not isinstance(values, dict) or not set(values) <= set(allowed):
        unknown = one_line(", ".join(sorted(str(key) for key in set(values) - set(allowed)))) if isinstance(values, dict) else "no mapping"
        raise error_class(f"{where}: not a benchmark spec ({unknown}); its keys are {', '.join(allowed)}, shipped")
    try:
        return BenchmarkSpec(**values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        name = one_line(str(values.get("name", "without a name")))
        problem = f"{place}: {first['msg']}" if place else first["msg"].removeprefix("Value error, ")
        raise error_class(f"{where}: benchmark spec {name}, {problem}; its keys are {', '.join(allowed)}") from error
