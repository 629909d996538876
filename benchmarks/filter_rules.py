"""Our rules on JSONL documents: their verdicts, and processor seconds without loading and compiling.

usage: filter_rules.py INPUT PRESET...; the counterpart of peers/datatrove_filters.py.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.recipe_rules import RuleSettings
from quality_filter.heuristics.judge import judge_texts

WARM_UP = "The first text is for compiling the rules. It holds a few words.\n" * 20


def main() -> None:
    """Judge the texts and print seconds and verdicts as JSON."""
    path, *presets = sys.argv[1:]
    settings = RuleSettings.model_validate({"presets": presets})
    with open(path, encoding="utf-8") as stream:
        texts = [json.loads(line)["text"] for line in stream]
    judge_texts([WARM_UP], [""], settings)
    started = time.process_time()
    verdicts = judge_texts(texts, [""] * len(texts), settings)
    seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "passes": [verdict is None or verdict.text is not None for verdict in verdicts]}))


if __name__ == "__main__":
    main()
