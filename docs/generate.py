"""Write docs/recipe.md and docs/commands.md from the code: `python docs/generate.py` (a test checks that they are current)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args, get_origin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from cli import COMMANDS, TOOLS, build_parser
from curation.ledger import Reason
from curation.recipe import Recipe

FOLDER = Path(__file__).resolve().parent
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def main() -> None:
    """Write both pages."""
    (FOLDER / "recipe.md").write_text(recipe_page(), encoding="utf-8")
    (FOLDER / "commands.md").write_text(commands_page(), encoding="utf-8")


def recipe_page() -> str:
    """Every value of a recipe, as Markdown."""
    lines = [
        "# The recipe",
        "",
        "A YAML file with a section a stage; `--set section.key=value` overrides a value (the value is YAML). Unknown keys and wrong",
        "types are errors. The resolved recipe of a run stands in `RUN/recipe.yaml`. Made by `python docs/generate.py`.",
        "",
    ]
    plain = {name: field for name, field in Recipe.model_fields.items() if not _section(field)}
    lines += ["## At the top", "", *_table(plain)]
    for name, field in Recipe.model_fields.items():
        section = _section(field)
        if section is not None:
            lines += _section_lines(name, section)
    return "\n".join(lines).rstrip() + "\n"


def _section_lines(name: str, section: type[BaseModel]) -> list[str]:
    fields = {key: field for key, field in section.model_fields.items() if not _section(field)}
    lines = [f"## {name}", "", (section.__doc__ or "").strip(), "", *_table(fields)]
    for key, field in section.model_fields.items():
        inner = _section(field)
        if inner is not None:
            lines += _section_lines(f"{name}.{key}", inner)
    return lines


def _section(field: Any) -> type[BaseModel] | None:
    return field.annotation if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel) else None


def _table(fields: dict[str, Any]) -> list[str]:
    rows = ["| key | type | default | range | meaning |", "|---|---|---|---|---|"]
    for name, field in fields.items():
        limits = [f"{sign} {getattr(limit, key):,}" for limit in field.metadata for key, sign in LIMITS.items() if hasattr(limit, key)]
        default = "" if field.default is PydanticUndefined else f"`{_yaml(field.default)}`"
        rows.append(f"| `{name}` | {_type(field.annotation)} | {default} | {', '.join(limits)} | {field.description or ''} |")
    return [*rows, ""]


def _type(annotation: Any) -> str:
    if get_origin(annotation) is not None and str(get_origin(annotation)) == "typing.Literal":
        return ", ".join(str(value) for value in get_args(annotation))
    text = str(annotation) if get_origin(annotation) else getattr(annotation, "__name__", str(annotation))
    return text.replace("typing.", "").replace("NoneType", "null").replace("None", "null").replace("|", "or")


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def commands_page() -> str:
    """Every command with its options, the exit codes, and the reasons of the ledger, as Markdown."""
    parser = build_parser()
    subparsers = next(action for action in parser._actions if hasattr(action, "choices") and action.choices)
    lines = ["# Commands", "", "`python cli.py COMMAND`, or `crawl2gpt COMMAND` where the package is installed.", ""]
    for name in (*COMMANDS, *TOOLS):
        command = subparsers.choices[name]  # type: ignore[index, call-overload]
        lines += [f"## {name}", "", f"{command.description}", "", "| argument | meaning |", "|---|---|"]
        for action in command._actions:
            if action.dest == "help":
                continue
            label = ", ".join(action.option_strings) or str(action.metavar)
            value = f" {action.metavar}" if action.option_strings and action.metavar else ""
            text = (action.help or "") if action.dest != "workers" else "processes (default: all cores)"
            lines.append(f"| `{label}{value}` | {text} |")
        lines.append("")
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    lines += ["", "## Reasons in the ledger", "", "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason.value}` | {reason.sentence} |" for reason in Reason]
    return "\n".join(lines) + "\n"


EXIT_CODES = {
    0: "done",
    1: "failed, or an input could not be read (the others were processed; `RUN/summary.json` names it)",
    2: "the command line or the recipe is wrong",
    3: "more documents in quarantine than tolerated",
    75: "another process works on the same run",
    130: "interrupted (SIGINT); what is committed stays",
    143: "terminated (SIGTERM); what is committed stays",
}


if __name__ == "__main__":
    main()
