import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import parts, storage
from curation.documents import documents_frame
from curation.errors import IntegrityError
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.parts import Part, PartWriter, count_outcome
from curation.shards import Manifest
from curation.stage import Outcome
from tests.curation.runs import rows_of

FATES = {
    "removed": (Action.REMOVED, Reason.LOW_QUALITY),
    "quarantined": (Action.QUARANTINED, Reason.WORKER_KILLED),
    "changed": (Action.CHANGED, Reason.REPAIRED_RECORD),
    "split": (Action.CHANGED, Reason.CONTAMINATED),
}


def outcome_of(fates: list[str]) -> tuple[pl.DataFrame, list[dict[str, Any]], list[dict[str, str]]]:
    """Documents d0, d1, ... with the given fates: what came in, rows that stay, ledger."""
    came_in = [{"id": f"d{number}", "text": "abc"} for number in range(len(fates))]
    stay: list[dict[str, Any]] = []
    for row, fate in zip(came_in, fates, strict=True):
        if fate == "split":
            stay += [{"id": f"{row['id']}#{piece}", "text": "a", "pieces": {"parent": row["id"], "start": 0, "end": 1}} for piece in (0, 1)]
        elif fate in ("kept", "changed"):
            stay.append(row)
    ledger = [ledger_row(row["id"], *FATES[fate]) for row, fate in zip(came_in, fates, strict=True) if fate != "kept"]
    return documents_frame(came_in), stay, ledger


def count(documents: pl.DataFrame, stay: list[dict[str, Any]], ledger: list[dict[str, str]]) -> Counts:
    return count_outcome(documents, Outcome(documents_frame(stay), ledger))


fate_lists = st.lists(st.sampled_from(["kept", *FATES]), max_size=8)


@given(fate_lists)
def test_every_fate_is_counted(fates: list[str]) -> None:
    documents, stay, ledger = outcome_of(fates)
    counts = count(documents, stay, list(reversed(ledger)))
    assert (counts.entered, counts.kept, counts.changed) == (len(fates), fates.count("kept"), fates.count("changed") + fates.count("split"))
    assert counts.removed["low_quality"] == fates.count("removed")
    assert counts.quarantined["worker_killed"] == fates.count("quarantined")
    assert counts.accounted == counts.entered
    assert counts.characters_in == 3 * len(fates)
    assert counts.characters_out == sum(len(row["text"]) for row in stay)


@given(fate_lists.filter(bool), st.data())
def test_every_way_to_lose_a_document_is_found(fates: list[str], data: st.DataObject) -> None:
    documents, stay, ledger = outcome_of(fates)
    wrongs = ["invent a row", "invent a ledger row"]
    whole = [{"id": f"d{number}", "text": "abc"} for number, fate in enumerate(fates) if fate == "kept"]
    wrongs += ["lose a row", "remove and keep"] if whole else []
    wrongs += ["double a row"] if stay else []
    wrongs += ["double a ledger row"] if ledger else []
    needed = [row for row in ledger if fates[int(row["id"][1:])] != "changed"]  # without it, a changed document is a kept one
    wrongs += ["lose a ledger row"] if needed else []
    wrong = data.draw(st.sampled_from(wrongs))
    if wrong == "invent a row":
        # A further piece of a document that was split is no invention, but one of any other document is.
        names = ["new", "new#0", "", "#", *(f"d{number}#9" for number, fate in enumerate(fates) if fate != "split")]
        stay.append({"id": data.draw(st.sampled_from(names)), "text": "x"})
    elif wrong == "invent a ledger row":
        ledger.append(ledger_row("new", *FATES[data.draw(st.sampled_from(sorted(FATES)))]))
    elif wrong == "lose a row":
        stay.remove(data.draw(st.sampled_from(whole)))
    elif wrong == "remove and keep":
        ledger.append(ledger_row(data.draw(st.sampled_from(whole))["id"], *FATES["removed"]))
    elif wrong == "double a row":
        stay.insert(data.draw(st.integers(0, len(stay))), data.draw(st.sampled_from(stay)))
    elif wrong == "lose a ledger row":
        ledger.remove(data.draw(st.sampled_from(needed)))
    else:
        ledger.append(data.draw(st.sampled_from(ledger)))
    with pytest.raises(IntegrityError, match="this is a bug, please report it"):
        count(documents, stay, ledger)


@given(fate_lists, st.randoms(use_true_random=False))
def test_documents_stay_in_order(fates: list[str], random: Any) -> None:
    documents, stay, ledger = outcome_of(fates)
    shuffled = random.sample(stay, len(stay))
    origin = [row["id"].partition("#")[0] for row in stay]
    if [row["id"].partition("#")[0] for row in shuffled] == origin:
        count(documents, shuffled, ledger)
    else:
        with pytest.raises(IntegrityError, match="out of order"):
            count(documents, shuffled, ledger)


def test_changed_into_nothing_is_a_loss() -> None:
    documents, stay, ledger = outcome_of(["kept", "split"])
    with pytest.raises(IntegrityError, match="lost, or that stay and do not, such as d1"):
        count(documents, stay[:1], ledger)


def test_piece_of_a_removed_document_is_found() -> None:
    documents, stay, _ = outcome_of(["split"])
    with pytest.raises(IntegrityError, match="did not come in, such as d0#0, d0#1"):
        count(documents, stay, [ledger_row("d0", *FATES["removed"])])


def test_a_piece_that_comes_in_is_a_document_like_others() -> None:
    piece = {"id": "d0#1", "text": "abc", "pieces": {"parent": "d0", "start": 5, "end": 8}}
    counts = count(documents_frame([piece]), [piece], [])
    assert (counts.entered, counts.kept) == (1, 1)
    smaller = {**piece, "id": "d0#1#0"}
    assert count(documents_frame([piece]), [smaller], [ledger_row("d0#1", *FATES["split"])]).changed == 1


def part_of(run: Path) -> Part:
    return Part(str(run), "filter", 1, 3, "f" * 64, [{"sha256": "0" * 64}])


def test_manifest_vouches_for_every_file(tmp_path: Path) -> None:
    documents, stay, ledger = outcome_of(["kept", "split", "removed"])
    outcome = Outcome(documents_frame(stay), ledger, {"tokens/{source}/train-{part}.bin": b"12345"})
    writer = PartWriter(part_of(tmp_path), count_outcome(documents, outcome))
    writer.add(outcome)
    manifest = writer.finish(documents_frame(), {"scores": [1]})
    assert Manifest.read(str(tmp_path / "filter/manifests/part-00003.json")) == manifest
    written = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(written) == [
        "filter/documents/part-00003.parquet",
        "filter/ledger/part-00003.parquet",
        "filter/manifests/part-00003.json",
        "tokens/{source}/train-00003.bin",
    ]
    listed = {file.name: file for file in manifest.files}
    assert listed.keys() == written.keys() - {"filter/manifests/part-00003.json"}
    for name, file in listed.items():
        content = written[name].read_bytes()
        assert (file.bytes, file.sha256) == (len(content), storage.sha256_of(content))
        assert file.rows == (pl.read_parquet(content).height if name.endswith(".parquet") else 0)
    values = json.loads(written["filter/manifests/part-00003.json"].read_text())
    assert {key: values[key] for key in ("stage", "version", "fingerprint", "inputs", "statistics")} == {
        "stage": "filter",
        "version": 1,
        "fingerprint": "f" * 64,
        "inputs": [{"sha256": "0" * 64}],
        "statistics": {"scores": [1]},
    }


def test_a_full_shard_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [documents_frame(rows_of(9))[start : start + 3] for start in (0, 3, 6)]
    monkeypatch.setattr(parts, "SHARD_TEXT_BYTES", int(frames[0]["text"].str.len_bytes().sum()) + 1)
    writer = PartWriter(part_of(tmp_path), Counts(entered=9, kept=9))
    for frame in frames:
        writer.add(Outcome(frame))
    names = [file.name for file in writer.finish(documents_frame(), {}).files]
    assert names == [
        "filter/documents/part-00003.parquet",
        "filter/documents/part-00003-001.parquet",
        "filter/ledger/part-00003.parquet",
    ]
    assert pl.concat([pl.read_parquet(tmp_path / name) for name in names[:2]])["id"].to_list() == [f"d{number}" for number in range(9)]


def test_part_without_documents_has_an_empty_shard(tmp_path: Path) -> None:
    manifest = PartWriter(part_of(tmp_path)).finish(documents_frame(), {})
    assert [file.rows for file in manifest.files] == [0, 0]
    assert pl.read_parquet(tmp_path / manifest.files[0].name).schema == documents_frame().schema


def test_sums_that_do_not_match_leave_no_manifest(tmp_path: Path) -> None:
    writer = PartWriter(part_of(tmp_path), Counts(entered=2, kept=1))
    with pytest.raises(IntegrityError, match="filter part-00003: 2 documents came in, 1 are accounted for"):
        writer.finish(documents_frame(), {})
    assert not (tmp_path / "filter/manifests").exists()


def test_object_store_keys_are_never_written_with_two_contents(tmp_path: Path) -> None:
    run = f"memory://{tmp_path.name}"
    keys = set()
    for fingerprint in ("a" * 64, "b" * 64):
        part = Part(run, "filter", 1, 0, fingerprint, [])
        keys.add(PartWriter(part).finish(documents_frame(), {}).files[0].name)
    assert keys == {f"filter/documents/part-00000.{letter * 12}.parquet" for letter in "ab"}
