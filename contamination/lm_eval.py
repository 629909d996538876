"""Task files of the LM evaluation harness as benchmark specs, where their data are local files.

A task names its data (``dataset_path: json``, ``dataset_kwargs.data_files``) and how a row becomes a prompt
(``doc_to_text``, ``doc_to_choice``, ``doc_to_target``: names of fields or Jinja templates, which are rendered in a sandbox).
Python functions in a task are not run.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping
from typing import Any

import yaml

from curation import storage
from curation.errors import InputError

LOCAL_FORMATS = ("json", "csv", "parquet")  # what ``dataset_path`` says of local files
SPLITS = ("test_split", "validation_split")  # the first that a task has is what it is scored on
_TASK_KEY = re.compile(rb"^(?:task|doc_to_text|dataset_path)[ \t]*:", re.MULTILINE)
MAX_INCLUDES = 10  # nested; more is a circle


class _Loader(yaml.SafeLoader):
    """Safe YAML in which the harness's ``!function`` is only remembered."""


class _Function(str):
    """The name of a Python function of a task."""


_Loader.add_constructor("!function", lambda _, node: _Function(node.value))


def is_task(content: bytes) -> bool:
    """Whether a YAML file is a task of the harness: a benchmark spec has none of its keys."""
    return _TASK_KEY.search(content) is not None


def read_task(path: str, depth: int = 0) -> dict[str, Any]:
    """The task in a YAML file, with the files that it includes.

    Raises:
        InputError: the file is missing or no task.
    """
    try:
        values = yaml.load(storage.read_bytes(path), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())}); mend the task") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a task of the LM evaluation harness; it should be a mapping")
    if "include" not in values:
        return values
    if depth == MAX_INCLUDES:
        raise InputError(f"{path}: includes go round in a circle; mend the task")
    names = values["include"] if isinstance(values["include"], list) else [values["include"]]
    included: dict[str, Any] = {}
    for name in reversed(names):  # as in the harness the first counts most
        included |= read_task(storage.join(posixpath.dirname(path), str(name)), depth + 1)
    return {**included, **values}


def spec_values(path: str) -> dict[str, Any]:
    """The keys of a benchmark spec that say the same as a task.

    Raises:
        InputError: the task's data are not local files, or Python functions make its texts.
    """
    task = read_task(path)
    where = f"{path}: task {task.get('task', 'without a name')}"
    if task.get("dataset_path") not in LOCAL_FORMATS:
        raise InputError(
            f"{where}: dataset_path is {task.get('dataset_path')!r}; fetch the data, then write `dataset_path: json` and "
            "`dataset_kwargs: {data_files: {test: FILE}}`"
        )
    split = next((str(task[name]) for name in SPLITS if task.get(name)), None)
    files = _files(task, split, where)
    templates: list[str | list[str]] = []
    for name in ("doc_to_text", "doc_to_choice" if task.get("doc_to_choice") is not None else "doc_to_target"):
        value = task.get(name)
        if isinstance(value, _Function):
            raise InputError(f"{where}: {name} is the Python function {value}, which is not run; write a template or a benchmark spec")
        if isinstance(value, list):
            templates.append([str(entry) for entry in value])
        elif value not in (None, ""):
            templates.append(str(value))
    if task.get("process_docs") is not None:
        raise InputError(f"{where}: process_docs changes the rows by a Python function, which is not run; write the changed rows to a file")
    if not templates:
        raise InputError(f"{where}: neither doc_to_text nor doc_to_target says what an item is; write a benchmark spec")
    return {"name": str(task.get("task", posixpath.basename(path))), "split": split or "", "files": files, "templates": templates}


def _files(task: Mapping[str, Any], split: str | None, where: str) -> list[str]:
    options = task.get("dataset_kwargs")
    found = options.get("data_files") if isinstance(options, Mapping) else None
    if isinstance(found, Mapping):
        found = found.get(split)
    files = [found] if isinstance(found, str) else found
    if not isinstance(files, list) or not files or not all(isinstance(name, str) for name in files):
        raise InputError(f"{where}: dataset_kwargs.data_files names no file of split {split}; add {{data_files: {{{split}: FILE}}}}")
    return files


def render(template: str, row: Mapping[str, Any], place: str) -> list[str]:
    """The texts that a field name or a template makes of a row; a list where it makes one, as for choices.

    Raises:
        InputError: the template is wrong, or the row lacks what it names.
    """
    if template in row:
        value = row[template]
        return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    try:
        text = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(template).render(row)
    except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{place}: the template {template!r} cannot be filled in: {error}; mend the task or the row") from error
    if text.lstrip().startswith("["):
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # all that it gives for what is no literal
            return [text]
        if isinstance(value, list):
            return [str(entry) for entry in value]
    return [text]
