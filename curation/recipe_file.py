"""Recipes from YAML files and ``--set`` options, with errors that name key, line and nearest valid name."""

from __future__ import annotations

import difflib
import re
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from curation import storage
from curation.errors import InputError, UsageError
from curation.recipe import Recipe

MAX_DEPTH = 100  # our choice: recipes nest four deep, and pydantic writes no more than 255 levels
MAX_SHOWN = 80  # characters of a key, a value or an option in a message


class YamlError(Exception):
    """What is wrong with a YAML text, in one line; ``line`` counts from 1, None where it is not known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, and the numbers of YAML 1.2, whose ``6e-4`` is no text.

    Refused is what cannot be written again: an anchor inside itself, deep nesting, bytes, lone surrogates, endless integers.
    """

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self.depths: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        node = super().compose_node(parent, index)
        if node is None:
            return None
        if node.end_mark is None:  # PyYAML sets it when the node is complete
            raise yaml.composer.ComposerError(None, None, "an anchor stands inside itself", node.start_mark)
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        nodes = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
        self.depths[node] = 1 + max((self.depths[child] for child in nodes), default=0)
        if self.depths[node] > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"nested more than {MAX_DEPTH} deep", node.start_mark)
        if isinstance(node, yaml.ScalarNode) and any("\ud800" <= character <= "\udfff" for character in node.value):
            raise yaml.composer.ComposerError(None, None, "a lone surrogate, which UTF-8 cannot hold", node.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node.tag == "tag:yaml.org,2002:binary":
            raise yaml.constructor.ConstructorError(None, None, "bytes are no value of a recipe", node.start_mark)
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int):
                str(value)  # Python refuses to write an integer of many thousand digits
        except (ValueError, LookupError, AttributeError, TypeError) as error:  # PyYAML lets slip what !!bool x or 2020-99-99 raise
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"{node.value!r:.40} cannot be read as {kind}", node.start_mark) from error
        return value


class _Dumper(yaml.SafeDumper):
    """Quotes a text that ``_Loader`` would take for a number."""


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
    )


def load_recipe(path: str | None, overrides: list[str]) -> Recipe:
    """The recipe of a file (None: all defaults) with ``section.key=value`` overrides; values are YAML.

    Raises:
        UsageError: the file is missing or no YAML, a key is unknown, a value is of a wrong type or impossible.
    """
    values: dict[str, Any] = {}
    lines: dict[tuple[str, ...], int] = {}
    if path is not None:
        values, lines = _read_yaml(path)
    origins: dict[tuple[str, ...], str] = {}
    for override in overrides:
        key = _apply_override(values, override)
        origins[key] = f"--set {one_line(override)}"
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(error, path, lines, origins)) from error


def recipe_yaml(recipe: Recipe) -> bytes:
    """The resolved recipe, every value spelled out."""
    text: str = yaml.dump(recipe.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text.encode()


def _read_yaml(path: str) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    try:
        values, lines = parse_yaml(storage.read_bytes(path).decode("utf-8"))
    except InputError as error:
        raise UsageError(f"recipe: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text; a recipe is a YAML file") from error
    except YamlError as error:
        where = f"{path} line {error.line}" if error.line else path
        raise UsageError(f"{where}: {error}") from error
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise UsageError(f"{path} line 1: a recipe is a mapping of sections, such as 'crawl:'")
    return values, lines


def parse_yaml(content: str | bytes, prefix: tuple[str, ...] = ()) -> tuple[Any, dict[tuple[str, ...], int]]:
    """The value of a YAML text that stands at the key ``prefix``, and the line of every key in it.

    Raises:
        YamlError: the text is no YAML, a key is given twice, or the value could not be written again.
    """
    lines: dict[tuple[str, ...], int] = {}
    try:
        _collect_lines(yaml.compose(content, Loader=_Loader), prefix, lines)
        return yaml.load(content, Loader=_Loader), lines
    except RecursionError as error:
        raise YamlError(f"not valid YAML (nested more than {MAX_DEPTH} deep)") from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error) or type(error).__name__
        raise YamlError(f"not valid YAML ({one_line(problem.splitlines()[0])})", mark.line + 1 if mark else None) from error


def _collect_lines(node: yaml.Node | None, prefix: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            _collect_lines(entry, (*prefix, str(number)), lines)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place, line = (*prefix, str(key.value)), key.start_mark.line + 1
            if place in lines:  # YAML libraries take the last one without a word
                raise YamlError(f"{one_line('.'.join(place))} is given a second time, after line {lines[place]}; keep one", line)
            lines[place] = line
            _collect_lines(value, place, lines)


def _apply_override(values: dict[str, Any], override: str) -> tuple[str, ...]:
    name, equals, text = override.partition("=")
    shown = one_line(override)
    key = tuple(name.strip().split("."))
    if not equals or not all(key):
        raise UsageError(f"--set {shown}: write section.key=value, such as --set filter.alpha=9")
    try:
        value, _ = parse_yaml(text, key)
    except YamlError as error:
        raise UsageError(f"--set {shown}: {error}") from error
    target = values
    for part in key[:-1]:
        if target.get(part) is None:
            target[part] = {}
        target = target[part]
        if not isinstance(target, dict):
            raise UsageError(f"--set {shown}: {one_line(part)} is no section of the recipe")
    target[key[-1]] = value
    return key


def one_line(text: str) -> str:
    """A text of unknown origin for a message: control characters escaped, cut after ``MAX_SHOWN`` characters."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[: MAX_SHOWN + 1])
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def _explain(error: ValidationError, path: str | None, lines: dict[tuple[str, ...], int], origins: dict[tuple[str, ...], str]) -> str:
    """The first problem in one line."""
    problem = error.errors()[0]
    place = tuple(str(part) for part in problem["loc"])
    known = next((place[:size] for size in range(len(place), 0, -1) if place[:size] in lines or place[:size] in origins), place)
    where = origins.get(known) or (f"{path} line {lines[known]}" if known in lines else path or "recipe")
    name = one_line(".".join(place))
    if problem["type"] == "extra_forbidden":
        names = _valid_names(place[:-1])
        near = difflib.get_close_matches(place[-1], names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        return f"{where}: unknown key {name}; {hint}"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{where}: {name}: {message}, not {problem['input']!r:.80}"


def _valid_names(section: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Recipe
    for part in section:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
