"""The filter stage with rules and personal data: planted documents, their fates and the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curation.recipe import FilterSettings
from quality_filter.stage import FilterStage, count_raw_documents
from tests.quality_filter.heuristics.test_judge import PROSE
from tests.small_corpus import run_small, shards_of

SMALL = {"dimension": 4, "epochs": 2, "buckets": 1000, "keep_rule": "none", "rules": {"presets": ["gopher", "c4"]}}
MENU = "Home\nAbout us\nContact\n"
PLANTED = {
    "plain": PROSE,
    "repeating": "word " * 40,
    "menu": MENU + PROSE,
    "mail": PROSE.replace("full room.", "full room of jane@uni-bonn.de."),
    "both": MENU + PROSE.replace("full room.", "full room of jane@uni-bonn.de or 93.184.216.34."),
    "short": "one two",
    "curated-menu": MENU + "word " * 40,
}


def rows() -> list[dict[str, Any]]:
    filling = [(f"curated-{number}", f"{PROSE} {number}", "curated") for number in range(20)]
    filling += [(f"raw-{number}", f"{PROSE} {number}", "commoncrawl") for number in range(20)]
    planted = [(name, text, "curated" if name.startswith("curated") else "commoncrawl") for name, text in PLANTED.items()]
    return [{"id": name, "text": text, "source": source, "url": f"http://host.example/{name}"} for name, text, source in filling + planted]


def run(folder: Path, workers: int = 1, size: int = 50, **values: Any) -> tuple[dict[str, str], dict[str, Any], list[Any]]:
    """Texts that stay by id, ledger rows by id, and the outcomes."""
    settings = FilterSettings.model_validate({**SMALL, **values})
    _, _, outcomes = run_small(FilterStage(settings, 1), folder, shards_of(rows(), size), workers)
    kept = {row["id"]: row["text"] for outcome in outcomes for row in outcome.documents.iter_rows(named=True)}
    ledger = {row["id"]: {**row, "detail": json.loads(row["detail"])} for outcome in outcomes for row in outcome.ledger}
    return kept, ledger, outcomes


def test_planted_documents_meet_their_fates(tmp_path: Path) -> None:
    kept, ledger, outcomes = run(tmp_path, personal_data=["email", "ipv4"])
    assert "plain" not in ledger and kept["plain"] == PROSE
    assert ledger["repeating"]["reason"] == "gopher_top_2_gram" and ledger["repeating"]["action"] == "removed"
    assert 0 <= ledger["repeating"]["detail"]["score"] <= 1
    assert ledger["short"]["reason"] == "too_short"
    assert (ledger["menu"]["action"], ledger["menu"]["reason"], kept["menu"]) == ("changed", "lines_cut", PROSE)
    assert ledger["mail"]["reason"] == "personal_data_replaced"
    assert ledger["mail"]["detail"] == {"replaced": {"email": 1}}
    assert kept["mail"] == PROSE.replace("full room.", "full room of email@example.com.")
    assert ledger["both"]["reason"] == "lines_cut"
    assert ledger["both"]["detail"]["replaced"] == {"email": 1, "ipv4": 1}
    assert ledger["both"]["detail"]["c4"]["lines"] == {"no_terminal_punctuation": 3}
    assert kept["curated-menu"] == PLANTED["curated-menu"]  # curated texts are exempt from the rules
    assert set(kept) | {row["id"] for row in ledger.values() if row["action"] == "removed"} == {row["id"] for row in rows()}
    assert sum(outcome.statistics["personal_data_replaced"].get("email", 0) for outcome in outcomes) == 2


def test_the_keep_rule_counts_what_it_judged(tmp_path: Path) -> None:
    _, _, outcomes = run(tmp_path)
    assert count_raw_documents(outcome.statistics for outcome in outcomes) == (24, 24)  # 20 and plain, menu, mail, both


def test_shards_and_workers_change_nothing(tmp_path: Path) -> None:
    one = run(tmp_path / "one", personal_data=["email"])
    two = run(tmp_path / "two", workers=2, size=7, personal_data=["email"])
    assert one[0] == two[0]
    for ledger in (one[1], two[1]):
        for row in ledger.values():
            row["detail"].pop("score", None)  # the model is trained on shards in another order
    assert one[1] == two[1]


def test_nothing_is_changed_by_default(tmp_path: Path) -> None:
    kept, ledger, _ = run(tmp_path, rules={})
    assert kept == {row["id"]: row["text"] for row in rows() if row["id"] != "short"}
    assert set(ledger) == {"short"}
