"""The block extractor beside trafilatura and resiliparse: ``python benchmarks/extraction.py --tools FOLDER``.

Input: WCXB's development pages with their main text. Every extractor
runs in the guard, one process, one core, on the same pages; jusText runs alone, without a guard, for context.
Ours is judged by models that have not seen a page's domain: one is trained for each of five folds (needs the extra train-extractor).

- quality: F1, precision and recall over words, overall and by page type; the share of pages with an F1 below .3
- speed: pages and megabytes of HTML a second of processor time, guard included, and peak memory
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure, peers, table
from benchmarks.table import Row, higher_is_better, lower_is_better
from curation.extraction.extractor import BALANCES
from curation.extraction.guard import Guard
from curation.extraction.page import PageOptions, PageRequest, PageText, extract_page, warm_up
from curation.extraction.training.evaluate import Scores, cross_validate, kept_texts, scores_by_type
from curation.extraction.training.pages import archive_files, read_pages
from curation.recipe import CrawlLimits

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"
GUARDED = ("trafilatura", "trafilatura-fast", "trafilatura-precision", "resiliparse")
ALONE = "justext"
REFERENCE = "trafilatura"
F1_GOAL, ARTICLE_SLACK, SPEED_GOAL, LOW_GOAL = 0.040, 0.005, 10.0, 2.0
PARTS = ("quality", "speed")


@dataclass(frozen=True)
class Inputs:
    """Archives of labelled pages and the WARC that holds the pages of the first."""

    wcxb: Path
    segments: Path
    tools: Path
    scratch: Path


def main() -> None:
    """Run the parts and print the table."""
    options = table.parser(__doc__)
    options.add_argument("--tools", type=Path, default=SHARED / "tools", help="folder of make_warc.py")
    options.add_argument("--data", type=Path, default=SHARED / "data/extraction", help="folder of wcxb-dev.tar.xz and segments-dev.tar.xz")
    options.add_argument("--pages", type=int, default=300, help="pages for speed (default: 300)")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        inputs = Inputs(arguments.data / "wcxb-dev.tar.xz", arguments.data / "segments-dev.tar.xz", arguments.tools, Path(scratch))
        rows = compare_quality(inputs) if "quality" in arguments.only else []
        rows += compare_speed(inputs, arguments.pages, arguments.repeats) if "speed" in arguments.only else []
    table.report(rows, arguments.json)


# --- quality ----------------------------------------------------------------------------------------


def compare_quality(inputs: Inputs) -> list[Row]:
    """F1, precision and recall of each extractor by page type, beside trafilatura's."""
    pages = read_pages(inputs.wcxb, inputs.segments)
    likely = cross_validate(pages, seed=1)
    with_gold = [place for place, page in enumerate(pages) if page.gold is not None]
    whole, likely = [pages[place] for place in with_gold], [likely[place] for place in with_gold]
    texts = {name: kept_texts(whole, likely, balance) for name, balance in BALANCES.items()}
    bodies = [body for name, body in archive_files(inputs.wcxb).items() if name.startswith("html/")]
    texts |= {name: _guarded_texts(name, bodies) for name in GUARDED}
    scores = {name: scores_by_type(whole, found) for name, found in texts.items()}
    return [row for name in scores if name != REFERENCE for row in _quality_rows(name, scores[name], scores[REFERENCE])]


def _guarded_texts(name: str, bodies: Sequence[bytes]) -> list[str]:
    options = PageOptions(name)
    with Guard(partial(extract_page, options), partial(warm_up, options), CrawlLimits()) as guard:
        results = [guard.call(PageRequest(body, "utf-8", True)) for body in bodies]
    return [result.text if isinstance(result, PageText) else "" for result in results]


def _quality_rows(name: str, ours: Mapping[str, Scores], theirs: Mapping[str, Scores]) -> list[Row]:
    """Goals hold for the default: F1 over all pages, F1 and precision of articles, pages with a low F1."""
    rows = []
    for kind, scores in ours.items():
        other = theirs[kind]
        is_default = name == "blocks"
        goals = {"all": (other.f1 + F1_GOAL) / other.f1, "article": (other.f1 - ARTICLE_SLACK) / other.f1} if is_default else {}
        precision_goal = (other.precision - ARTICLE_SLACK) / other.precision if is_default and kind == "article" else None
        rows += [
            higher_is_better(f"{name}, {kind}: F1", "of 1", scores.f1, REFERENCE, other.f1, goals.get(kind)),
            higher_is_better(f"{name}, {kind}: precision", "of 1", scores.precision, REFERENCE, other.precision, precision_goal),
            higher_is_better(f"{name}, {kind}: recall", "of 1", scores.recall, REFERENCE, other.recall),
        ]
    low_goal = LOW_GOAL if name == "blocks" else None
    return [*rows, lower_is_better(f"{name}: pages with F1 below .3", "of 1", ours["all"].low, REFERENCE, theirs["all"].low, low_goal)]


# --- speed ------------------------------------------------------------------------------------------


def compare_speed(inputs: Inputs, count: int, repeats: int | None) -> list[Row]:
    """Pages and megabytes a second of processor time, and peak memory, of each extractor in the guard, and of jusText alone."""
    warc = inputs.scratch / "pages.warc.gz"
    maker = [inputs.tools / "make_warc.py", "--wcxb", inputs.wcxb, "--pages", count, "--seed", 1, "--layout", "cc", "--out", warc]
    measure.run([sys.executable, *map(str, maker)])
    script = str(REPOSITORY / "benchmarks" / "extract_pages.py")
    candidates = {name: partial(measure.run, [sys.executable, script, str(warc), name, "guarded"]) for name in ("blocks", *GUARDED)} | {
        ALONE: partial(measure.run, peers.command("libraries", "extract_pages.py", warc, ALONE, inputs.scratch / "justext.jsonl"))
    }
    runs = measure.in_turns(candidates, repeats)
    figures = {name: [run.json() for run in found] for name, found in runs.items()}
    seconds = {name: measure.median(found, lambda run: run["cpu_seconds"]) for name, found in figures.items()}
    memory = {name: measure.median(found, lambda run: run.peak_bytes) / (1 << 20) for name, found in runs.items()}
    megabytes = figures["blocks"][0]["bytes"] / 1e6
    rows = []
    for name in list(candidates)[1:]:
        goal = SPEED_GOAL if name == REFERENCE else None
        rows += [
            higher_is_better("blocks: pages", "pages/s/core", count / seconds["blocks"], name, count / seconds[name], goal),
            higher_is_better("blocks: HTML", "MB/s/core", megabytes / seconds["blocks"], name, megabytes / seconds[name]),
            lower_is_better("blocks: peak memory", "MiB", memory["blocks"], name, memory[name]),
        ]
    return rows


if __name__ == "__main__":
    main()
