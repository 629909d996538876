"""The forms in which a recipe names benchmarks, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contamination.specs import SHIPPED, read_spec, resolve_specs, stem_of
from curation.errors import InputError, UsageError


def write(path: Path, text: str = '{"question": "a"}\n') -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_shipped_spec_is_valid() -> None:
    paths = sorted(SHIPPED.glob("*.yaml"))
    assert len(paths) >= 36
    specs = [read_spec(str(path)) for path in paths]
    assert len({spec.label for spec in specs}) == len(specs)
    assert all(spec.fields and not spec.files for spec in specs)


def test_a_data_file_finds_its_shipped_spec(tmp_path: Path) -> None:
    [spec] = resolve_specs([write(tmp_path / "hellaswag_val.jsonl")])
    assert (spec.name, spec.split, spec.fields) == ("HellaSwag", "validation", ["ctx", "endings"])
    assert spec.files == [str(tmp_path / "hellaswag_val.jsonl")]


def test_an_unknown_data_file_is_called_by_its_name(tmp_path: Path) -> None:
    [spec] = resolve_specs([write(tmp_path / "mine.v2.jsonl")])
    assert (spec.label, spec.fields) == ("mine.v2", None)


def test_a_folder_stands_for_its_json_lines_and_parquet_files(tmp_path: Path) -> None:
    for name in ("README.md", "table.csv", "overlap_frequency.md", "b.jsonl", "a.parquet", "deep/c.jsonl.gz", "d.jsonl.zst"):
        write(tmp_path / name)
    names = [spec.label for spec in resolve_specs([str(tmp_path)])]
    assert names == ["a", "b", "d", "c"]
    assert [spec.label for spec in resolve_specs([str(tmp_path / "table.csv"), str(tmp_path / "*.jsonl")])] == ["table", "b"]


def test_a_spec_file_names_files_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "data" / "one.jsonl")
    write(tmp_path / "data" / "two.jsonl")
    path = write(tmp_path / "own.yaml", "name: Own\nsplit: test\nfiles: [data/*.jsonl]\nfields: [question, [a, b]]\n")
    [spec] = resolve_specs([path])
    assert spec.files == [str(tmp_path / "data" / "one.jsonl"), str(tmp_path / "data" / "two.jsonl")]
    assert (spec.label, spec.fields, spec.path) == ("Own/test", ["question", ["a", "b"]], path)


def test_a_spec_in_the_recipe(tmp_path: Path) -> None:
    data = write(tmp_path / "x.jsonl")
    [spec] = resolve_specs([{"name": "Mine", "files": [data], "fields": ["question"], "synthetic": True}])
    assert (spec.label, spec.synthetic, spec.path) == ("Mine", True, None)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"files": ["x"]}, "name"),
        ({"name": "Mine", "file": "x"}, "file"),
        ({"name": "Mine", "files": ["x"], "fields": "question"}, "fields"),
        ({"name": "Mine", "files": ["x"], "report_words": 0}, "report_words"),
        ({"name": "Mine", "files": ["x"], "report_words": 101}, "report_words"),
        ({"name": "Mine", "files": ["x"], "fields": []}, "benchmark spec Mine, fields: List should have at least 1 item"),
        ({"name": "Mine", "files": ["x"], "fields": [[]]}, "benchmark spec Mine, fields"),
        ({"name": "Mine", "fields": ["a"], "templates": ["b"]}, "benchmark spec Mine, fields and templates are both given; keep one"),
        ({"name": "Mine", "fields": ["a"], "passage_fields": 2}, "benchmark spec Mine, passage_fields is 2, of 1 fields"),
    ],
)
def test_wrong_specs_in_the_recipe(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        resolve_specs([entry])
    assert "decontaminate.benchmarks" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1\n- 2\n", "no mapping"),
        ("name: [", "line 1: not valid YAML"),
        ("nmae: x\n", "nmae"),
        ("name: x\n", "no files"),
        ("\nname: 2020-99-99\n", "line 2: not valid YAML .*cannot be read as timestamp"),
        ("name: !!bool x\n", "line 1: not valid YAML .*cannot be read as bool"),
        ("name: " + "[" * 5000, "nested more than 100 deep"),
        ("name: x\nname: y\n", "line 2: name is given a second time, after line 1"),
        ("name: x\nfields: []\n", "benchmark spec x, fields"),
    ],
)
def test_wrong_spec_files(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "own.yaml", text)
    with pytest.raises(InputError, match=said) as caught:
        resolve_specs([path])
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    for entry in (str(tmp_path / "*.jsonl"), str(tmp_path), str(tmp_path / "none.yaml")):
        with pytest.raises(InputError):
            resolve_specs([entry])


def test_two_benchmarks_of_one_name(tmp_path: Path) -> None:
    paths = [write(tmp_path / folder / "x.jsonl") for folder in ("a", "b")]
    with pytest.raises(UsageError, match="both called x"):
        resolve_specs(paths)


def test_stems() -> None:
    assert stem_of("s3://bucket/folder/piqa_val.jsonl.zst") == "piqa_val"
    assert stem_of("C:\\data\\mine.csv") == "mine"
