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


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, and the numbers of YAML 1.2, whose ``6e-4`` is no text."""


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
        origins[key] = f"--set {override}"
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
        content = storage.read_bytes(path).decode("utf-8")
        node = yaml.compose(content, Loader=_Loader)
        values = yaml.load(content, Loader=_Loader)
    except InputError as error:
        raise UsageError(f"recipe: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text; a recipe is a YAML file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path} line {mark.line + 1}" if mark else path
        raise UsageError(f"{where}: not valid YAML ({_problem(error)})") from error
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise UsageError(f"{path} line 1: a recipe is a mapping of sections, such as 'crawl:'")
    lines: dict[tuple[str, ...], int] = {}
    _collect_lines(node, (), path, lines)
    return values, lines


def _collect_lines(node: yaml.Node | None, prefix: tuple[str, ...], path: str, lines: dict[tuple[str, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place, line = (*prefix, str(key.value)), key.start_mark.line + 1
            if place in lines:  # YAML libraries take the last one without a word
                raise UsageError(f"{path} line {line}: {'.'.join(place)} is given a second time, after line {lines[place]}; keep one")
            lines[place] = line
            _collect_lines(value, place, path, lines)


def _apply_override(values: dict[str, Any], override: str) -> tuple[str, ...]:
    name, equals, text = override.partition("=")
    key = tuple(name.strip().split("."))
    if not equals or not all(key):
        raise UsageError(f"--set {override}: write section.key=value, such as --set filter.alpha=9")
    try:
        value = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--set {override}: the value is no valid YAML ({_problem(error)})") from error
    target = values
    for part in key[:-1]:
        if target.get(part) is None:
            target[part] = {}
        target = target[part]
        if not isinstance(target, dict):
            raise UsageError(f"--set {override}: {part} is no section of the recipe")
    target[key[-1]] = value
    return key


def _problem(error: Exception) -> str:
    """What a YAML library found, in one line."""
    return (str(getattr(error, "problem", None) or error).splitlines() or [type(error).__name__])[0]


def _explain(error: ValidationError, path: str | None, lines: dict[tuple[str, ...], int], origins: dict[tuple[str, ...], str]) -> str:
    """The first problem in one line."""
    problem = error.errors()[0]
    place = tuple(str(part) for part in problem["loc"])
    known = next((place[:size] for size in range(len(place), 0, -1) if place[:size] in lines or place[:size] in origins), place)
    where = origins.get(known) or (f"{path} line {lines[known]}" if known in lines else path or "recipe")
    name = ".".join(place)
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
