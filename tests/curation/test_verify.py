import shutil
from pathlib import Path

import pytest

from curation.errors import InputError
from curation.ledger import Counts
from curation.shards import Manifest, read_sealed, sealed_json
from curation.verify import verify_run
from tests.curation.runs import outputs


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_run, tmp_path / "run")
    return tmp_path / "run"


def test_intact_run(small_run: Path) -> None:
    assert verify_run(str(small_run)) == (len(outputs(small_run)), [])


def test_any_changed_byte_of_any_file_is_found(run: Path) -> None:
    for number, (name, content) in enumerate(outputs(run).items()):
        places = {number * 7919 % len(content), len(content) - 1 - number % 2}
        for place in places:
            (run / name).write_bytes(content[:place] + bytes([content[place] ^ 1 << number % 8]) + content[place + 1 :])
            _, problems = verify_run(str(run))
            assert any(str(run / name) in problem and problem.endswith("again") for problem in problems), (name, place)
        (run / name).write_bytes(content)
    assert verify_run(str(run))[1] == []


def test_missing_and_cut_files_are_found(run: Path) -> None:
    for name, content in outputs(run).items():
        if name.endswith(("stage.json", "prepared.json")):
            continue  # without them, the stage or what it prepared is not there
        (run / name).write_bytes(content[:-1])
        assert str(run / name) in "".join(verify_run(str(run))[1])
        (run / name).unlink()
        problems = verify_run(str(run))[1]
        assert any(name in problem for problem in problems), name
        (run / name).write_bytes(content)


def test_a_damaged_stage_does_not_hide_another(run: Path) -> None:
    for name in ("crawl/stage.json", "filter/manifests/part-00000.json", "tokens/tokenizer.json"):
        (run / name).write_bytes(b"damage")
    problems = "\n".join(verify_run(str(run))[1])
    assert all(name in problems for name in ("crawl/stage.json", "filter/manifests/part-00000.json", "tokens/tokenizer.json"))


def test_sums_that_do_not_add_up(run: Path) -> None:
    path = run / "crawl/manifests/part-00000.json"
    values = read_sealed(str(path))
    values["counts"]["kept"] -= 1
    del values["seal"]
    path.write_bytes(sealed_json(values))
    assert Manifest.read(str(path)).counts != Counts()
    assert verify_run(str(run))[1] == [f"{run}/crawl: the counts of its parts do not add up; run the stage crawl again"]


def test_damaged_model_manifest(run: Path) -> None:
    (run / "model").mkdir()
    (run / "model/manifest.json").write_bytes(b"{}")
    assert "model/manifest.json is damaged" in verify_run(str(run))[1][0]


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run folder"):
        verify_run(str(tmp_path))
