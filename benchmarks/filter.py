"""The filter's rules beside datatrove's Gopher, C4 and FineWeb filters: documents a second and core, and equal verdicts.

    python benchmarks/filter.py DOCUMENTS.jsonl.gz ... --json filter.json

Speed is measured on documents of 500 words cut from the texts given, verdicts on the texts as they are (empty ones left
out). Processor time counts, without loading and compiling.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import peers
from benchmarks.measure import in_turns, median, run
from benchmarks.table import Row, higher_is_better, parser, report

REPOSITORY = Path(__file__).resolve().parents[1]
FILTERS = ("gopher_repetition", "gopher_quality", "c4", "fineweb")
TOGETHER = "all together"
WORDS = 500  # of a document whose speed is measured
SPEED_DOCUMENTS = 400  # of them: some 20 seconds of datatrove
SAME_VERDICTS = 0.995  # share asked for
FASTEST = 2000  # documents a second and core asked for, all together


def main() -> None:
    """Print the table, and write the rows if asked to."""
    options = parser(__doc__)
    options.add_argument("documents", nargs="*", type=Path, help="JSONL files with texts, also .gz (default: Python's own help topics)")
    options.add_argument("--most", type=int, default=2000, help="most documents whose verdicts are compared (default: 2000)")
    arguments = options.parse_args()
    texts = [text for path in arguments.documents for text in read_texts(path) if text] or list(topics.values())
    with tempfile.TemporaryDirectory(prefix="filter-") as folder:
        every = max(1, len(texts) // arguments.most)
        whole = write_texts(Path(folder, "whole.jsonl"), texts[::every][: arguments.most])
        cut = write_texts(Path(folder, "cut.jsonl"), cut_texts(texts)[:SPEED_DOCUMENTS])
        report([*speed_rows(cut, arguments.repeats), *verdict_rows(whole)], arguments.json)


def read_texts(path: Path) -> Iterator[str]:
    """The texts of a JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)["text"]


def cut_texts(texts: list[str]) -> list[str]:
    """Documents of ``WORDS`` words, each from one text; what is left over is dropped."""
    found = []
    for text in texts:
        words = re.findall(r"\S+\s*", text)
        found += ["".join(words[first : first + WORDS]) for first in range(0, len(words) - WORDS + 1, WORDS)]
    return found


def write_texts(path: Path, texts: list[str]) -> Path:
    """A JSONL file of texts."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def ours(path: Path, names: tuple[str, ...]) -> Any:
    """Seconds and verdicts of our rules."""
    return run([sys.executable, str(REPOSITORY / "benchmarks" / "filter_rules.py"), str(path), *names]).json()


def theirs(path: Path, names: tuple[str, ...]) -> Any:
    """Seconds and verdicts of datatrove's filters."""
    return run(peers.command("filters", "datatrove_filters.py", path, *names)).json()


def speed_rows(path: Path, repeats: int | None) -> list[Row]:
    """Documents a second and core of each filter and of all together."""
    rows = []
    for label, names in [*((name, (name,)) for name in FILTERS), (TOGETHER, FILTERS)]:
        results = in_turns({"ours": partial(ours, path, names), "theirs": partial(theirs, path, names)}, repeats)
        rates = {who: len(found[0]["passes"]) / median(found, lambda one: float(one["seconds"])) for who, found in results.items()}
        rows.append(higher_is_better(f"rules: {label}", "documents/s/core", rates["ours"], "datatrove", rates["theirs"]))
        if label == TOGETHER:
            rows.append(higher_is_better(f"rules: {label}", "documents/s/core", rates["ours"], "asked for", FASTEST, goal=1.0))
    return rows


def verdict_rows(path: Path) -> list[Row]:
    """The share of documents that each filter, and all together, judge alike."""
    rows = []
    for label, names in [*((name, (name,)) for name in FILTERS), (TOGETHER, FILTERS)]:
        pairs = list(zip(ours(path, names)["passes"], theirs(path, names)["passes"], strict=True))
        same = sum(our == their for our, their in pairs) / len(pairs)
        rows.append(higher_is_better(f"same verdicts: {label} ({len(pairs):,})", "share", same, "asked for", SAME_VERDICTS, goal=1.0))
    return rows


if __name__ == "__main__":
    main()
