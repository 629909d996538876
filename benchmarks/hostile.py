"""Damaged and odd archives, read by ours, warcio and FastWARC: what comes back, and what is passed as good that is not.

    python benchmarks/hostile.py --tools FOLDER [--seeds 1 2 3]

FOLDER holds ``hostile_warcs.py``, which writes such files and the truth about each: which records any careful reader returns, with
which bytes, and which are damaged. Each file is read by a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks import measure, peers, table  # noqa: E402

PEERS = ("warcio", "FastWARC")


def read_with_ours(path: str) -> None:
    """What ``peers/archive_records.py`` prints, by our reader; what is not good comes without a digest."""
    from curation.errors import InputError
    from curation.sources.warc import GOOD, read_records

    records, error = [], None
    try:
        for record in read_records(path):
            digest = hashlib.sha256(record.body).hexdigest() if record.state == GOOD else None
            records.append([record.record_id or "", record.target_uri or "", digest])
    except InputError as raised:
        error = str(raised)
    print(json.dumps({"records": records, "error": error, "name": Path(path).name}))


def score(truth: dict[str, Any], answer: dict[str, Any]) -> Counter[str]:
    """How one reader did on one file."""
    good: dict[str, list[str]] = {}
    flagged = answer["error"] is not None
    for record_id, uri, digest in answer["records"]:
        flagged = flagged or digest is None
        if digest is not None:
            good.setdefault(record_id if truth["key"] == "id" else uri, []).append(digest)
    right = sum(digest in good.get(name, []) for name, digest in truth["sha256"].items())
    wrong = sum(name in good for name in (*truth["damaged"], *truth["forbidden"]))
    wrong += sum(not set(good.get(name, [])) <= set(bodies) for name, bodies in truth["lenient"].items())
    lacks = right < len(truth["sha256"]) or bool(truth["damaged"]) or truth["must_report"]
    return Counter(undamaged=len(truth["sha256"]), right=right, wrong=wrong, silent=int(lacks and not flagged))


def main() -> None:
    options = table.parser(__doc__)
    options.add_argument("--tools", type=Path, required=True, metavar="FOLDER", help="folder of hostile_warcs.py")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="seeds of the files (default: 1 2 3)")
    options.add_argument("--read", metavar="FILE", help="only read this file, as the runs of ours do")
    arguments = options.parse_args()
    if arguments.read:
        read_with_ours(arguments.read)
        return
    readers: dict[str, Callable[[Path], measure.Run]] = {
        "ours": lambda path: measure.run([sys.executable, __file__, "--tools", str(arguments.tools), "--read", str(path)])
    }
    for peer in PEERS:
        readers[peer] = lambda path, peer=peer: measure.run(peers.command("libraries", "archive_records.py", peer, path))  # type: ignore[misc]
    totals: dict[str, Counter[str]] = {name: Counter() for name in readers}
    memory = dict.fromkeys(readers, 0)
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, str(arguments.tools / "hostile_warcs.py"), folder, "--seed", str(seed)], check=True, capture_output=True
            )
            for line in (Path(folder) / "truth.jsonl").read_text(encoding="utf-8").splitlines():
                truth = json.loads(line)
                for name, read in readers.items():
                    run = read(Path(folder) / truth["file"])
                    totals[name].update(score(truth, run.json()))
                    memory[name] = max(memory[name], run.peak_bytes)
    table.report([row for peer in PEERS for row in rows(totals, memory, peer)], arguments.json)


def rows(totals: dict[str, Counter[str]], memory: dict[str, int], peer: str) -> list[table.Row]:
    """Ours beside one peer."""
    ours, theirs = totals["ours"], totals[peer]
    return [
        table.higher_is_better(
            "undamaged records with exact bytes",
            "%",
            100 * ours["right"] / ours["undamaged"],
            peer,
            100 * theirs["right"] / theirs["undamaged"],
        ),
        table.lower_is_better("damaged records passed as good", "records", ours["wrong"], peer, theirs["wrong"]),
        table.lower_is_better("files passed over in silence", "files", ours["silent"], peer, theirs["silent"]),
        table.lower_is_better("most memory of a process", "MiB", memory["ours"] / 2**20, peer, memory[peer] / 2**20),
    ]


if __name__ == "__main__":
    main()
