"""The pages tell the truth: generated ones are current, links lead somewhere, commands can be parsed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from cli import build_parser

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^\s*(?:\$ )?python cli\.py (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Anchors that the headings of a page get where it is rendered."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_pages_are_current() -> None:
    import generate

    assert (ROOT / "docs/recipe.md").read_text(encoding="utf-8") == generate.recipe_page(), "run python docs/generate.py"
    assert (ROOT / "docs/commands.md").read_text(encoding="utf-8") == generate.commands_page(), "run python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = (page.parent / path) if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_parsed(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for command in COMMAND.findall(text):
        words = shlex.split(command.replace("...", ""), comments=True)
        if words and not words[0].isupper() and "|" not in words[0]:
            build_parser().parse_args(words)  # an unknown command or option raises UsageError
