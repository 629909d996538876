from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import InputError, IntegrityError, PipelineError, UsageError
from curation.shards import sealed_json
from dedup.index import merge_index, segment_names
from tests.dedup.corpora import dedup, document, planted, text

FIRST = [document("a", text(1, 104)), document("b", text(2)), document("short", "two words")]
NEXT = [
    document("a-again", text(1, 104).upper(), source="curated"),  # preferred, but an earlier run has it
    document("a-changed", text(1, 104).rsplit(" ", 2)[0] + " new words"),
    document("c", text(3)),
    document("c-again", text(3)),
    document("short-again", "two words"),
]


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of an index."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index that holds ``FIRST``."""
    dedup(tmp_path / "first", FIRST, against=str(tmp_path / "index"))
    return tmp_path / "index"


def test_what_an_earlier_run_kept_is_removed(tmp_path: Path, index: Path) -> None:
    corpus, kept, ledger = dedup(tmp_path / "next", NEXT, against=str(index))
    assert kept == ["c"]
    exact = {"reason": "exact_duplicate", "duplicate_of": "a", "similarity": 1.0, "cluster_size": 3, "band": None, "indexed": True}
    assert ledger["a-again"] == exact
    assert (ledger["a-changed"]["duplicate_of"], ledger["a-changed"]["similarity"]) == ("a", round(98 / 102, 6))
    assert (ledger["short-again"]["duplicate_of"], ledger["short-again"]["indexed"]) == ("short", True)
    assert "indexed" not in ledger["c-again"]
    assert b'"documents": 5' in corpus.published["dedup/clusters.json"]
    assert len(segment_names(str(index))) == 2
    # The third run sees both.
    _, kept, ledger = dedup(tmp_path / "third", [document("d", text(3)), document("e", text(2))], against=str(index))
    assert (kept, ledger["d"]["duplicate_of"], ledger["e"]["duplicate_of"]) == ([], "c", "b")


def test_the_same_documents_again_change_nothing(tmp_path: Path, index: Path) -> None:
    corpus, kept, ledger = dedup(tmp_path / "next", NEXT, against=str(index))
    before = digests(index)
    again, kept_again, ledger_again = dedup(tmp_path / "again", NEXT, workers=2, against=str(index))
    assert (kept_again, ledger_again, again.committed) == (kept, ledger, corpus.committed)
    assert dedup(tmp_path / "first-again", FIRST, against=str(index))[1] == ["a", "b", "short"]
    assert digests(index) == before


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 30))
def test_one_after_the_other_equals_all_at_once_with_the_earlier_preferred(tmp_path_factory: Any, seed: int, size: int, other: int) -> None:
    folder = tmp_path_factory.mktemp("index")
    earlier = [{**row, "source": "earlier"} for row in planted(seed, "earlier-")]
    later = [{**row, "source": "later"} for row in planted(seed, "later-")]
    _, together, expected = dedup(folder / "together", [*earlier, *later], size, source_priority=["earlier", "later"])
    _, kept, _ = dedup(folder / "1", earlier, size, against=str(folder / "index"))
    _, kept_later, ledger = dedup(folder / "2", later, other, against=str(folder / "index"))
    assert kept + kept_later == together
    assert {one: detail["duplicate_of"] for one, detail in ledger.items()} == {
        one: detail["duplicate_of"] for one, detail in expected.items() if one.startswith("later")
    }


def test_any_damaged_byte_is_found(tmp_path: Path, index: Path) -> None:
    for path in sorted(path for path in index.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :], whole[:-1]):
            path.write_bytes(damaged)
            with pytest.raises(PipelineError, match="damaged"):
                dedup(tmp_path / f"damaged-{path.name}-{len(damaged)}-{path.parent.name}", NEXT, against=str(index))
        path.write_bytes(whole)
    description = (index / "index.json").read_bytes()
    (index / "index.json").write_bytes(description[:-1])
    with pytest.raises(IntegrityError, match=r"index\.json is damaged.*make the index again"):
        dedup(tmp_path / "description", NEXT, against=str(index))
    (index / "index.json").write_bytes(description)
    path = next(index.rglob("sets.bin"))
    path.unlink()
    with pytest.raises(IntegrityError, match=r"sets\.bin is damaged \(missing.*run dedup on its documents again"):
        dedup(tmp_path / "missing", NEXT, against=str(index))


def test_a_segment_that_was_not_finished_does_not_exist(tmp_path: Path, index: Path) -> None:
    name = segment_names(str(index))[0]
    shutil.copytree(index / "segments" / name, index / "segments" / f".{name}.tmp-1")
    assert segment_names(str(index)) == [name]
    assert dedup(tmp_path / "next", NEXT, against=str(index))[1] == ["c"]


def test_a_lost_manifest_is_damage(tmp_path: Path, index: Path) -> None:
    dedup(tmp_path / "next", NEXT, against=str(index))
    (first,) = json.loads(next(path for path in index.rglob("manifest.json") if '"after": []' not in path.read_text()).read_text())["after"]
    segment = index / "segments" / first
    (segment / "manifest.json").unlink()
    # Neither the run that wrote the segment nor one that ought to see it goes on without it.
    for number, rows in enumerate((FIRST, NEXT, [document("z", "other words here")])):
        with pytest.raises(
            IntegrityError, match=r"manifest\.json is missing; restore it from a copy, or delete .* run dedup on its documents"
        ):
            dedup(tmp_path / str(number), rows, against=str(index))
    shutil.rmtree(segment)
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing, which an earlier run has seen"):
        dedup(tmp_path / "again", NEXT, against=str(index))
    dedup(tmp_path / "rewritten", FIRST, against=str(index))
    assert (segment / "manifest.json").exists()
    assert dedup(tmp_path / "then", NEXT, against=str(index))[1] == ["c"]


def test_other_parameters_are_refused(tmp_path: Path, index: Path) -> None:
    with pytest.raises(UsageError, match=r"other values of dedup: bands 14 \(here .*\), ngram_words 5 \(here 4\)"):
        dedup(tmp_path / "1", NEXT, against=str(index), ngram_words=4, permutations=64)
    with pytest.raises(UsageError, match="holds these documents already, deduplicated with other settings"):
        dedup(tmp_path / "2", FIRST, against=str(index), source_priority=["books"])
    with pytest.raises(UsageError, match="no local folder"):
        dedup(tmp_path / "3", FIRST, against="s3://bucket/index")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(InputError, match="no index"):
        dedup(tmp_path / "4", FIRST, against=str(tmp_path / "full"))


def test_merged_indexes_hold_what_both_held(tmp_path: Path, index: Path) -> None:
    dedup(tmp_path / "other", [document("c", text(3))], against=str(tmp_path / "other-index"))
    assert merge_index(str(index), str(tmp_path / "other-index")) == 1
    assert merge_index(str(index), str(tmp_path / "other-index")) == 0
    _, kept, ledger = dedup(tmp_path / "next", NEXT, against=str(index))
    assert kept == []
    assert ledger["c"]["duplicate_of"] == "c"
    dedup(tmp_path / "wide", [document("d", text(4))], against=str(tmp_path / "wide-index"), ngram_words=3)
    with pytest.raises(UsageError, match="ngram_words 5"):
        merge_index(str(index), str(tmp_path / "wide-index"))


def test_an_index_of_another_format_is_not_merged(tmp_path: Path, index: Path) -> None:
    described = json.loads((index / "index.json").read_text())
    (index / "index.json").write_bytes(sealed_json({"format": 2, "parameters": described["parameters"]}))
    with pytest.raises(UsageError, match="is an index of format 2, not 1"):
        merge_index(str(tmp_path / "target"), str(index))
    assert not (tmp_path / "target").exists()


def test_addresses_and_estimates_across_runs(tmp_path: Path) -> None:
    values = {"against": str(tmp_path / "index"), "addresses": "newest", "verification": "signature"}
    page = {"url": "https://example.org/a", "date": "2021-01-01T00:00:00Z"}
    dedup(tmp_path / "1", [document("first", text(1), **page)], **values)
    older = document("older", text(2), **{**page, "date": "2020-01-01T00:00:00Z"})
    newer = document("newer", text(3), **{**page, "date": "2022-01-01T00:00:00Z"})
    _, kept, ledger = dedup(tmp_path / "2", [older, newer, document("copy", text(1) + " more")], **values)
    assert kept == ["newer"]
    assert (ledger["older"]["reason"], ledger["older"]["duplicate_of"]) == ("same_address", "newer")
    assert (ledger["copy"]["duplicate_of"], ledger["copy"]["indexed"]) == ("first", True)
