import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation import runner, storage
from curation import workers as workers_module
from curation.engine.local import ItemResult
from curation.errors import EXIT_QUARANTINE, InputError, IntegrityError, PipelineError, QuarantineError
from curation.finished import check_current, committed_shards, read_stage_file
from curation.runner import StageResult, run_stage
from curation.shards import Manifest, Shard
from tests.curation.runs import ROOT, outputs, table
from tests.curation.stages_for_tests import FileStage, NewerStage, SmallSettings, SmallStage, context_of, shards_of

TEXTS = [["one text", "remove this", "another text"], ["file it", "more text"], ["last text"]]


class InlineEngine:
    """The engine's two maps in this process: for tests of what happens around them."""

    def __init__(self, workers: int) -> None:
        pass

    def __enter__(self) -> "InlineEngine":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        return map(function, items)

    def map_unordered(self, function: Callable[[Any], Any], items: list[Any]) -> Iterator[ItemResult]:
        for index, item in reversed(list(enumerate(items))):
            try:
                yield ItemResult(index, value=function(item))
            except PipelineError as error:
                yield ItemResult(index, error=error)


class Bench:
    """A run of the small stage that can be repeated with changes; ``calls`` tells which hooks ran since it was last asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.mkdir()
        self.run = folder / "run"
        self.shards = shards_of(folder, TEXTS)

    def go(
        self, shards: list[Shard] | None = None, seed: int = 0, kind: type[SmallStage] = SmallStage, workers: int = 1, **settings: Any
    ) -> StageResult:
        stage = kind(SmallSettings(**settings), seed, str(self.log))
        return run_stage(stage, self.shards if shards is None else shards, context_of(self.run, workers))

    def calls(self) -> dict[str, int]:
        names = [path.name.partition("-")[0] for path in self.log.iterdir()]
        for path in self.log.iterdir():
            path.unlink()
        return {name: names.count(name) for name in sorted(set(names))}


@pytest.fixture
def real(tmp_path: Path) -> Bench:
    """A bench with worker processes."""
    return Bench(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench that works in this process."""
    monkeypatch.setattr(workers_module, "LocalEngine", InlineEngine)
    return Bench(tmp_path)


ALL = {"prepare": 1, "process": 3}


def test_what_a_stage_commits(bench: Bench) -> None:
    result = bench.go()
    assert (result.counts.entered, result.counts.kept, dict(result.counts.removed)) == (6, 5, {"low_quality": 1})
    assert (result.parts, result.reused, result.failures) == (3, 0, [])
    assert table(bench.run, "small", "documents")["id"].to_list() == ["d0", "d2", "d3", "d4", "d5"]
    # 3 * 2 + 2 * 2 + 2 words, counted by prepare
    assert table(bench.run, "small", "ledger").rows() == [("d1", "small", "removed", "low_quality", '{"words": 12}')]
    assert sorted(outputs(bench.run)) == [
        "extras/d3-00001",
        *(f"small/documents/part-0000{number}.parquet" for number in range(3)),
        *(f"small/ledger/part-0000{number}.parquet" for number in range(3)),
        *(f"small/manifests/part-0000{number}.json" for number in range(3)),
        "small/prepared/prepared.json",
        "small/prepared/words.json",
        "small/published.json",
        "small/stage.json",
    ]
    finished = read_stage_file(str(bench.run), "small")
    assert finished is not None
    assert (finished["parts"], finished["counts"]) == (["part-00000", "part-00001", "part-00002"], result.counts.to_json())


def test_nothing_is_done_twice(bench: Bench) -> None:
    bench.go()
    assert bench.calls() == ALL
    before = outputs(bench.run)
    times = {path: path.stat().st_mtime_ns for path in bench.run.rglob("part-*")}
    result = bench.go()
    assert bench.calls() == {}
    assert (result.parts, result.reused, result.counts.entered) == (3, 3, 6)
    assert outputs(bench.run) == before
    assert {path: path.stat().st_mtime_ns for path in bench.run.rglob("part-*")} == times


@pytest.mark.parametrize("change", [{"greeting": "good morning"}, {"seed": 1}, {"kind": NewerStage}])
def test_changed_settings_seed_or_version(bench: Bench, change: dict[str, Any]) -> None:
    bench.go()
    first = outputs(bench.run)
    assert bench.calls() == ALL
    assert bench.go(**change).reused == 0
    assert bench.calls() == ALL
    assert outputs(bench.run) != first
    bench.go()
    assert outputs(bench.run) == first


def test_changed_library(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.go()
    bench.calls()
    monkeypatch.setattr(runner.metadata, "version", lambda name: "99" if name == "polars" else "1")
    assert bench.go().reused == 0


def test_changed_resource(bench: Bench) -> None:
    dictionary = bench.folder / "dictionary"
    dictionary.write_text("old")
    bench.go(dictionary=str(dictionary))
    assert bench.go(dictionary=str(dictionary)).reused == 3
    bench.calls()
    dictionary.write_text("new")
    assert bench.go(dictionary=str(dictionary)).reused == 0
    assert bench.calls() == ALL
    dictionary.unlink()
    with pytest.raises(InputError, match="no such file"):
        bench.go(dictionary=str(dictionary))


def test_changed_input_shard(bench: Bench) -> None:
    bench.go()
    bench.calls()
    changed = shards_of(bench.folder, [TEXTS[0], ["file this", "more text"], TEXTS[2]])
    # The words are as many as before, so what was prepared is the same and only one part is made again.
    assert bench.go(changed).reused == 2
    assert bench.calls() == {"prepare": 1, "process": 1}
    changed = shards_of(bench.folder, [TEXTS[0], TEXTS[1], ["last text and more"]])
    assert bench.go(changed).reused == 0
    assert bench.calls() == ALL


def test_limited_shard_is_another_input(bench: Bench) -> None:
    bench.go()
    result = bench.go([replace(bench.shards[0], rows=2)])
    assert (result.reused, result.counts.entered) == (0, 2)
    assert table(bench.run, "small", "documents")["id"].to_list() == ["d0"]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "deleted": lambda path: path.unlink(),
    "garbled": lambda path: path.write_bytes(b"{]" + path.read_bytes()[2:]),
    "emptied": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("small/documents/part-00001.parquet", {"process": 1}),
        ("small/ledger/part-00002.parquet", {"process": 1}),
        ("small/manifests/part-00000.json", {"process": 1}),
        ("extras/d3-00001", {"process": 1}),
        ("small/prepared/prepared.json", {"prepare": 1}),
        ("small/prepared/words.json", {"prepare": 1}),
        ("small/published.json", {"prepare": 1}),
        ("small/stage.json", {}),
    ],
)
def test_damage_is_repaired_and_the_rest_reused(bench: Bench, name: str, calls: dict[str, int], damage: str) -> None:
    bench.go()
    before = outputs(bench.run)
    bench.calls()
    DAMAGES[damage](bench.run / name)
    result = bench.go()
    assert bench.calls() == calls
    assert result.reused == 3 - calls.get("process", 0)
    assert outputs(bench.run) == before


def test_parts_of_a_bigger_earlier_plan_are_swept(bench: Bench) -> None:
    bench.go(extra_file=True)
    (bench.run / "small/documents/.part-00000.parquet.tmp-0123").write_bytes(b"half")
    (bench.run / "small/documents/part-00000-001.parquet").write_bytes(b"without a manifest")
    bench.go(bench.shards[1:2], extra_file=False)
    names = sorted(outputs(bench.run))
    assert names == [
        "extras/d3-00000",
        "small/documents/part-00000.parquet",
        "small/ledger/part-00000.parquet",
        "small/manifests/part-00000.json",
        "small/prepared/prepared.json",
        "small/prepared/words.json",
        "small/published.json",
        "small/stage.json",
    ]


def test_files_without_a_manifest_do_not_exist(bench: Bench) -> None:
    bench.go()
    shutil.copy(bench.run / "small/documents/part-00000.parquet", bench.run / "small/documents/part-00007.parquet")
    shutil.copy(bench.run / "small/manifests/part-00000.json", bench.run / "small/manifests/part-00007.json")  # of no finished plan
    assert [Path(shard.path).name for shard in committed_shards(str(bench.run), "small")] == [f"part-0000{n}.parquet" for n in range(3)]
    (bench.run / "small/stage.json").unlink()
    with pytest.raises(InputError, match="run/small holds no finished output; run the stage small first"):
        committed_shards(str(bench.run), "small")


def test_scratch_is_deleted_even_after_a_crash(bench: Bench) -> None:
    left = bench.run / "small" / ".scratch-of-a-killed-run"
    left.mkdir(parents=True)
    bench.go()
    assert not list((bench.run / "small").glob(".scratch-*"))


def test_files_only_stage(bench: Bench) -> None:
    result = bench.go(kind=FileStage)
    assert result.counts.kept == 5
    names = sorted(outputs(bench.run))
    assert not [name for name in names if "documents" in name]
    assert "extras/d3-00001" in names
    assert bench.go(kind=FileStage).reused == 3


def test_one_failing_shard_does_not_stop_the_others(bench: Bench) -> None:
    shards = shards_of(bench.folder, [["one"], ["FAIL here"], ["three"]])
    result = bench.go(shards)
    assert result.failures == [{"input": shards[1].path, "error": "document d1 is of no use; leave it out"}]
    assert (result.parts, result.counts.entered) == (2, 2)
    assert table(bench.run, "small", "documents")["id"].to_list() == ["d0", "d2"]
    again = bench.go(shards)
    assert (again.reused, again.failures) == (2, result.failures)


def test_all_failing_is_an_error(bench: Bench) -> None:
    with pytest.raises(PipelineError, match=r"no input could be processed; document d0 is of no use; leave it out \(1 more failed\)"):
        bench.go(shards_of(bench.folder, [["FAIL"], ["FAIL"]]))
    assert not (bench.run / "small/stage.json").exists()


def test_lost_document_is_an_error(bench: Bench) -> None:
    result = bench.go(shards_of(bench.folder, [["lose this"], ["fine"]]))
    assert "documents that were lost" in result.failures[0]["error"]


def test_quarantine_over_tolerance(bench: Bench) -> None:
    fine = shards_of(bench.folder, [["quarantine", *["text"] * 19]])
    assert bench.go(fine).counts.quarantined.total() == 1  # 5 % is tolerated
    too_much = shards_of(bench.folder, [["quarantine", *["text"] * 18]])
    with pytest.raises(QuarantineError, match="small: 1 of 19 documents are in quarantine, more than the tolerated 5%") as caught:
        bench.go(too_much)
    assert caught.value.exit_code == EXIT_QUARANTINE
    assert read_stage_file(str(bench.run), "small") is None
    assert (bench.run / "small/ledger/part-00000.parquet").exists()


def test_interrupted_prepare_does_not_leave_the_earlier_output_as_this_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.go()
    monkeypatch.setattr(SmallStage, "prepare", lambda *_: (_ for _ in ()).throw(PipelineError("stopped")))
    with pytest.raises(PipelineError, match="stopped"):
        bench.go(greeting="new")
    assert read_stage_file(str(bench.run), "small") is None


def test_ids_of_two_places_must_differ(bench: Bench) -> None:
    (bench.folder / "other").mkdir()
    others = shards_of(bench.folder / "other", [["the id d0 again"]])
    with pytest.raises(InputError, match="1 ids stand in more than one of"):
        bench.go(bench.shards + others)


def test_no_shard(bench: Bench) -> None:
    assert bench.go([]).counts.entered == 0
    assert committed_shards(str(bench.run), "small") == []


def test_a_stage_made_from_an_older_output_is_not_current(bench: Bench) -> None:
    class Following(SmallStage):
        name = "following"

    run = str(bench.run)
    bench.go()
    run_stage(Following(SmallSettings()), committed_shards(run, "small"), context_of(bench.run))
    check_current(run, "following")
    bench.go(greeting="new")
    check_current(run, "small")
    with pytest.raises(InputError, match="following was made from another output of small; run the stage following again"):
        check_current(run, "following")
    bench.go()
    check_current(run, "following")  # the same output as then
    shutil.rmtree(bench.run / "small")
    check_current(run, "following")  # deleted to free space


# --- with worker processes ----------------------------------------------------------------------------


def test_same_bytes_for_any_number_of_workers(real: Bench) -> None:
    found = []
    for workers in (1, 2, 3):
        shutil.rmtree(real.run, ignore_errors=True)
        real.go(workers=workers)
        found.append(outputs(real.run))
    assert found[0] == found[1] == found[2]


def test_same_bytes_in_any_environment(real: Bench) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from curation.runner import run_stage\n"
        "from tests.curation.stages_for_tests import *\n"
        "folder = Path(sys.argv[1])\n"
        f"run_stage(SmallStage(SmallSettings()), shards_of(folder, {TEXTS!r}), context_of(folder / 'run', 2))\n"
    )
    found = []
    for seed, zone, language in (("0", "UTC", "C"), ("1", "Asia/Tokyo", "C.UTF-8")):
        environment = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
        shutil.rmtree(real.run, ignore_errors=True)
        subprocess.run([sys.executable, "-c", program, str(real.folder)], cwd=ROOT, env={**os.environ, **environment}, check=True)
        found.append(outputs(real.run))
    assert found[0] == found[1]


def test_documents_that_kill_their_worker(real: Bench) -> None:
    result = real.go(shards_of(real.folder, [["CRASH", *["text"] * 4, "CRASH"], ["text"] * 40]), workers=2)
    assert result.failures == []
    assert (result.counts.entered, result.counts.kept, dict(result.counts.quarantined)) == (46, 44, {"worker_killed": 2})
    fates = table(real.run, "small", "ledger").select("id", "action", "reason").rows()
    assert fates == [("d0", "quarantined", "worker_killed"), ("d5", "quarantined", "worker_killed")]
    assert table(real.run, "small", "documents").height == 44


def test_worker_killed_from_outside_costs_nobody_anything(real: Bench) -> None:
    result = real.go(shards_of(real.folder, [["KILLED", "text"], ["text"]]), workers=2)
    assert real.calls()["killed"] == 1
    assert (result.counts.kept, result.counts.quarantined.total(), result.failures) == (3, 0, [])


def test_bug_in_a_stage_is_told_with_its_place(real: Bench) -> None:
    result = real.go(shards_of(real.folder, [["BUG"], ["text"]]))
    error = result.failures[0]["error"]
    assert error.startswith("unexpected RuntimeError: cannot judge d0\n")
    assert "stages_for_tests.py" in error


def test_manifest_tells_inputs_and_fingerprint(bench: Bench) -> None:
    bench.go()
    manifest = Manifest.read(str(bench.run / "small/manifests/part-00001.json"))
    shard = bench.shards[1]
    assert manifest.inputs == [{"rows": 2, "bytes": shard.bytes, "sha256": shard.sha256}]
    assert (manifest.stage, manifest.version, len(manifest.fingerprint)) == ("small", 1, 64)
    assert storage.hash_file(shard.path).sha256 == shard.sha256
    values = json.loads((bench.run / "small/manifests/part-00001.json").read_text())
    assert values["counts"]["in"] == values["counts"]["kept"] == 2


def test_damaged_input_shard_is_a_failure(bench: Bench) -> None:
    bench.shards[0] = replace(bench.shards[0], sha256="0" * 64)
    with pytest.raises(IntegrityError, match="is damaged"):
        bench.go()  # prepare reads it first
