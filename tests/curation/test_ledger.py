import ast
import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ledger import SCHEMA, Action, Counts, Reason, ledger_frame, ledger_row
from tests.curation.runs import ROOT

reasons = st.dictionaries(st.sampled_from([reason.value for reason in Reason]), st.integers(1, 9), max_size=4).map(Counter)
counts = st.builds(Counts, *[st.integers(0, 99)] * 3, reasons, reasons, reasons, st.integers(0, 99), st.integers(0, 99))


def test_row_by_hand() -> None:
    row = ledger_row("a", Action.REMOVED, Reason.LOW_QUALITY, score=0.25, draw=0.5, note="é")
    assert row == {"id": "a", "action": "removed", "reason": "low_quality", "detail": '{"draw": 0.5, "note": "é", "score": 0.25}'}
    frame = ledger_frame([row], "filter")
    assert frame.schema == SCHEMA
    assert frame.rows() == [("a", "filter", "removed", "low_quality", row["detail"])]


def test_empty_ledger_has_its_columns() -> None:
    assert ledger_frame([], "filter").schema == SCHEMA


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_name_and_a_sentence(reason: Reason) -> None:
    assert reason == reason.name.lower()
    assert Reason(reason.value) is reason
    assert reason.sentence[0].isupper()
    assert reason.sentence.endswith(".")
    assert json.loads(json.dumps(reason)) == reason.value


def test_every_reason_is_given_somewhere() -> None:
    packages = ("curation", "quality_filter", "dedup", "contamination", "trainer")
    trees = [ast.parse(path.read_text()) for package in packages for path in (ROOT / package).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    given = {
        node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }
    for node in nodes:  # Reason(f"gopher_top_{words}_gram")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Reason"
            and isinstance(node.args[0], ast.JoinedStr)
        ):
            parts = [re.escape(part.value) if isinstance(part, ast.Constant) else r"\d+" for part in node.args[0].values]
            given |= {reason.name for reason in Reason if re.fullmatch("".join(parts), reason.value)}
    assert given == set(Reason.__members__)


@given(st.lists(counts, max_size=4))
def test_counts_add_up_and_survive_json(some: list[Counts]) -> None:
    total = sum(some, Counts())
    assert total.entered == sum(one.entered for one in some)
    assert total.accounted == sum(one.kept + one.changed + sum(one.removed.values()) + sum(one.quarantined.values()) for one in some)
    assert Counts.from_json(json.loads(json.dumps(total.to_json()))) == total
    assert sum(reversed(some), Counts()) == total


def test_skipped_records_are_no_documents() -> None:
    assert Counts(entered=1, kept=1, skipped=Counter({"record_type:request": 5})).accounted == 1
