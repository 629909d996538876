import json
from pathlib import Path

import pytest

from curation.runner import StageResult
from curation.summary import read_summary, write_summary


def written(run: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads((run / "summary.json").read_bytes())
    return values


def test_stages_and_details_of_earlier_commands_stay(tmp_path: Path) -> None:
    failed = StageResult("crawl", failures=[{"input": "a.warc", "error": "damaged"}])
    write_summary(str(tmp_path), "crawl", 1, None, [failed], {"one": 1})
    write_summary(str(tmp_path), "filter", 0, None, [StageResult("filter")], {"two": 2})
    values = read_summary(str(tmp_path))
    assert sorted(values["stages"]) == ["crawl", "filter"]
    assert values["details"] == {"one": 1, "two": 2}
    assert values["failed_inputs"] == [{"stage": "crawl", "input": "a.warc", "error": "damaged"}]


def test_lone_surrogates_in_messages(tmp_path: Path) -> None:
    failed = StageResult("crawl", failures=[{"input": "\udcff.warc", "error": "\ud83d\ude00 \ud800"}])
    write_summary(str(tmp_path), "crawl", 1, "no such file: \udcff", [failed], {})
    values = written(tmp_path)
    assert values["error"] == "no such file: \ufffd"
    assert values["failed_inputs"] == [{"stage": "crawl", "input": "\ufffd.warc", "error": "\U0001f600 \ufffd"}]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"\xff",
        b"3",
        b"[]",
        b"{}",
        b'{"stages": {"x": 3}, "details": {}}',
        b'{"stages": {"x": {"failures": 3}}, "details": {}}',
        b'{"stages": {"x": {"failures": [3]}}, "details": {}}',
        b'{"stages": [], "details": {}}',
        b'{"stages": {}, "details": 3}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_summary_is_written_anew(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "summary.json").write_bytes(damaged)
    write_summary(str(tmp_path), "crawl", 0, None, [StageResult("crawl")], {"one": 1})
    assert list(read_summary(str(tmp_path))["stages"]) == ["crawl"]
    assert written(tmp_path)["details"] == {"one": 1}


@pytest.mark.parametrize("depth", [200, 400, 900, 950, 970, 990])
def test_what_is_nested_too_deeply_is_kept_or_written_anew(tmp_path: Path, depth: int) -> None:
    (tmp_path / "summary.json").write_bytes(b'{"stages": {}, "details": {"x": ' + b"[" * depth + b"]" * depth + b"}}")
    write_summary(str(tmp_path), "crawl", 0, None, [StageResult("crawl")], {"one": 1})
    details = written(tmp_path)["details"]
    assert isinstance(details, dict)
    assert details["one"] == 1
