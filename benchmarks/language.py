"""Our embedded language identifier beside others: accuracy on labelled texts, agreement on pages, and speed.

    python benchmarks/language.py sentences.tsv --messages /usr/share/locale --pages RUN/crawl/documents/*.parquet --lid176 lid.176.ftz

Accuracy is the mean over languages, those that a candidate does not know included. Codes count as equal where they mean
one language or parts of one (``yue`` and ``zh``, ``nb`` and ``nn``). Pages have no labels: there a candidate is measured by
the answer that at least three others agree on, itself and its kin not among them. MB/s: UTF-8 of pages handed over, by
processor time on one thread, without loading; a candidate may read only the beginning of a page.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script; benchmarks/dedup.py must not hide dedup/

from benchmarks import measure, peers, table
from benchmarks.language_texts import Labelled, read_labelled, read_messages, read_pages
from curation.language import load_identifier, shortest_code

OURS = "ours"
MODEL_PEER = "lid.176"  # the one whose model the user gives
PEERS = ("py3langid", "CLD2", "CLD3", MODEL_PEER, "eld", "lingua", "resiliparse")
VOTERS = ("py3langid", "CLD2", "CLD3", MODEL_PEER, "eld")  # lingua and resiliparse know too few languages
KIN = {OURS: "py3langid", "py3langid": OURS}  # one model
MIN_AGREEING = 3
SPEED_BYTES = 1_000_000  # of texts, for the slowest some ten seconds
UNKNOWN = frozenset(("", "un", "und", "unknown", "zxx"))
# Codes of a part of a language, or old ones, that CLDR's aliases leave alone; ``sh`` stands for Serbian in Latin letters.
PARTS_OF = {
    "iw": "he",
    "in": "id",
    "jw": "jv",
    "mo": "ro",
    "sh": "sr",
    "fil": "tl",
    "tgl": "tl",
    "nb": "no",
    "nn": "no",
    "yue": "zh",
    "wuu": "zh",
    "lzh": "zh",
    "ary": "ar",
    "arz": "ar",
    "azb": "az",
    "ckb": "ku",
    "sdh": "ku",
    "pnb": "pa",
    "uzs": "uz",
    "xx-goth": "got",  # CLD2's own
    "xx-xsux": "sux",
}


def language_of(code: str) -> str:
    """The language of a code as anybody writes it; empty where it says that there is none."""
    lower = code.lower()
    shortest = shortest_code(PARTS_OF.get(lower, lower))
    return "" if shortest in UNKNOWN else PARTS_OF.get(shortest, shortest)


# --- candidates ---------------------------------------------------------------------------------------


def ours(texts: Sequence[str]) -> Any:
    """What a peer's script says, of our identifier."""
    identifier = load_identifier()
    identifier.identify("A first sentence, for what is only compiled when it is needed.")
    started = time.process_time()
    codes = [identifier.identify(text).code for text in texts]
    return {"cpu_seconds": time.process_time() - started, "codes": codes}


def theirs(name: str, texts_file: Path, model: Path | None) -> Any:
    """What a peer says about the texts of a file."""
    given = [model] if name == MODEL_PEER else []
    return measure.run(peers.command("language", "identify_language.py", name, texts_file, *given)).json()


def write_texts(path: Path, texts: Sequence[str]) -> Path:
    """A file of one JSON string a line."""
    path.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    return path


# --- scores -------------------------------------------------------------------------------------------


def accuracy(labelled: Labelled, codes: Sequence[str]) -> float:
    """The share of right answers, as the mean over languages."""
    right: dict[str, list[bool]] = {}
    for (label, _), code in zip(labelled, codes, strict=True):
        language = language_of(label)
        right.setdefault(language, []).append(language_of(code) == language)
    return sum(sum(own) / len(own) for own in right.values()) / len(right)


def agreement(name: str, answers: Mapping[str, Sequence[str]]) -> tuple[int, int]:
    """On how many pages a candidate says what the others do, and on how many the others agree."""
    others = [answers[voter] for voter in VOTERS if voter in answers and voter not in (name, KIN.get(name))]
    same = agreed = 0
    for own, *codes in zip(answers[name], *others, strict=True):
        votes = Counter(language for language in map(language_of, codes) if language)
        majority, count = votes.most_common(1)[0] if votes else ("", 0)
        if count >= MIN_AGREEING:
            agreed += 1
            same += language_of(own) == majority
    return same, agreed


def sample(texts: Sequence[str]) -> list[str]:
    """Texts of some ``SPEED_BYTES``, taken evenly."""
    step = max(1, round(sum(len(text.encode()) for text in texts) / SPEED_BYTES))
    return list(texts[::step])


# --- rows ---------------------------------------------------------------------------------------------


def compare(
    sets: Mapping[str, Labelled], pages: list[str], names: Sequence[str], model: Path | None, repeats: int | None
) -> list[table.Row]:
    """Rows of every set, of the pages, and of speed."""
    texts = [text for labelled in sets.values() for _, text in labelled] + pages
    timed = sample(pages or texts)
    with tempfile.TemporaryDirectory(prefix="language-benchmark-") as folder:
        all_file, timed_file = write_texts(Path(folder, "all"), texts), write_texts(Path(folder, "timed"), timed)
        answers = {OURS: ours(texts)["codes"]} | {name: theirs(name, all_file, model)["codes"] for name in names}
        candidates = {OURS: partial(ours, timed)} | {name: partial(theirs, name, timed_file, model) for name in names}
        runs = measure.in_turns(candidates, repeats)
    rows, start = [], 0
    for label, labelled in sets.items():
        end = start + len(labelled)
        shares = {name: accuracy(labelled, codes[start:end]) for name, codes in answers.items()}
        languages = len({language_of(code) for code, _ in labelled})
        rows += _rows(f"{label} ({len(labelled):,}, {languages} languages)", "share", shares, names)
        start = end
    if pages:
        found = {name: agreement(name, {who: codes[start:] for who, codes in answers.items()}) for name in answers}
        for name, (same, agreed) in found.items():
            print(f"pages: {name} says what the others agree on for {same} of {agreed} of {len(pages)}", file=sys.stderr)
        shares = {name: same / agreed for name, (same, agreed) in found.items() if agreed}
        rows += _rows(f"pages ({len(pages):,})", "share", shares, names)
    megabytes = sum(len(text.encode()) for text in timed) / 1e6
    rates = {name: megabytes / measure.median(own, lambda run: float(run["cpu_seconds"])) for name, own in runs.items()}
    return rows + _rows(f"speed ({len(timed):,} texts)", "MB/s", rates, names)


def _rows(label: str, unit: str, values: Mapping[str, float], names: Sequence[str]) -> list[table.Row]:
    return [table.higher_is_better(label, unit, values[OURS], name, values[name]) for name in names if name in values and OURS in values]


def main() -> None:
    """Print the table, and write the rows if asked to."""
    parser = table.parser(__doc__)
    parser.add_argument(
        "labelled", nargs="*", type=Path, help="files of labelled texts: JSONL (language, text), or code and text between tabs"
    )
    parser.add_argument(
        "--messages",
        type=Path,
        default=Path("/usr/share/locale"),
        metavar="FOLDER",
        help="translated messages of programs (default: %(default)s)",
    )
    parser.add_argument("--pages", nargs="*", type=Path, default=[], metavar="FILE", help="JSONL or Parquet files of texts without labels")
    parser.add_argument("--lid176", type=Path, metavar="MODEL", help="fastText's lid.176.bin or lid.176.ftz, to compare with it, too")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, help="programs to compare with (default: all)")
    arguments = parser.parse_args()
    sets = {path.name.partition(".")[0]: read_labelled(path) for path in arguments.labelled} | read_messages(arguments.messages)
    pages = read_pages(arguments.pages)
    if not pages and not sets:
        parser.error(f"no texts: {arguments.messages} has no translated messages; give files of labelled texts, or --pages")
    names = [name for name in arguments.peers if name != MODEL_PEER or arguments.lid176]
    table.report(compare(sets, pages, names, arguments.lid176, arguments.repeats), arguments.json)


if __name__ == "__main__":
    main()
