"""Tasks of the LM evaluation harness with local data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contamination.benchmarks import read_benchmark
from contamination.lm_eval import render
from contamination.specs import read_spec, resolve_specs
from curation.errors import InputError, UsageError
from tests.shared_data import shared

ROWS = [
    {"ctx": "A man sits", "question": {"stem": "What now?"}, "choices": {"text": ["He stands.", "He sleeps."]}, "gold": 1},
    {"ctx": "It rains", "question": {"stem": "And?"}, "choices": {"text": ["Wet.", "Dry."]}, "gold": 0},
]
TASK = """
task: sitting
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "{{ctx}}: {{question.stem}}\\nAnswer:"
doc_to_target: gold
doc_to_choice: "{{choices.text}}"
metric_list: [{metric: acc}]
"""


def task_file(folder: Path, content: str, name: str = "task.yaml") -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / name).write_text(content)
    return str(folder / name)


def test_a_task_of_several_choices(tmp_path: Path) -> None:
    [spec] = resolve_specs([task_file(tmp_path, TASK)])
    assert (spec.label, spec.files) == ("sitting/test", [str(tmp_path / "rows.jsonl")])
    first, second = read_benchmark(spec).items
    assert first.passages == [
        "A man sits: What now?\nAnswer:\nHe stands.",
        "A man sits: What now?\nAnswer:\nHe sleeps.",
        "A man sits: What now?\nAnswer:\nHe stands.\nHe sleeps.",
    ]
    assert second.slots == (("It rains: And?\nAnswer:",), ("Wet.", "Dry."))


def test_a_task_without_choices_includes_another(tmp_path: Path) -> None:
    task_file(tmp_path, TASK.replace('doc_to_choice: "{{choices.text}}"', ""), "base.yaml")
    path = task_file(tmp_path, "include: base.yaml\ntask: derived\ndoc_to_text: ctx\ndoc_to_target: '{{choices.text[gold]}}'\n")
    [spec] = resolve_specs([path])
    assert [item.text for item in read_benchmark(spec).items] == ["A man sits\nHe sleeps.", "It rains\nWet."]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dataset_path: json", "dataset_path: allenai/ai2_arc", "dataset_path is 'allenai/ai2_arc'; fetch the data"),
        ("test: rows.jsonl", "train: rows.jsonl", "names no file of split test"),
        (
            'doc_to_choice: "{{choices.text}}"',
            "doc_to_choice: !function utils.choices",
            "doc_to_choice is the Python function utils.choices",
        ),
        ("output_type", "process_docs: !function utils.process\noutput_type", "process_docs changes the rows"),
        ("{{ctx}}: {{question.stem}}", "{{ctx}}: {{nothing}}", "row|line 1: the template .* cannot be filled in: 'nothing' is undefined"),
        ("{{ctx}}: {{question.stem}}", "{{ctx", "cannot be filled in"),
        ("{{ctx}}: {{question.stem}}", "{{ctx.__class__.__mro__}}", "cannot be filled in: access to attribute '__class__'"),
        ("{{ctx}}: {{question.stem}}", "{{1 // 0}}", "cannot be filled in: integer division"),
        ("{{ctx}}: {{question.stem}}", "{{range(1000000000) | list}}", "cannot be filled in: Range too big"),
        ("{{ctx}}: {{question.stem}}", "{{[].pop()}}", "cannot be filled in: pop from empty list"),
        ("dataset_path: json", "dataset_path: json\nday: 2024-99-99", "not YAML .*month"),
        ("task: sitting", "task: sitting\ndeep: " + "[" * 2000, "not YAML"),
        ("task: sitting", "task: [", "not YAML"),
        ("task: sitting", "include: task.yaml", "round in a circle"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = task_file(tmp_path, TASK.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        [read_benchmark(spec) for spec in resolve_specs([path])]
    assert "\n" not in str(caught.value)


def test_what_a_template_makes() -> None:
    row: dict[str, Any] = {"text": "[not a list", "list": ["a", "b"], "number": 7}
    assert render("text", row, "x") == ["[not a list"]
    assert render("{{text}}", row, "x") == ["[not a list"]
    assert render("list", row, "x") == ["a", "b"]
    assert render("{{list}}", row, "x") == ["a", "b"]
    assert render("{{number}}", row, "x") == ["7"]
    assert render("[{[1]: 2}]{#a literal that cannot be#}", row, "x") == ["[{[1]: 2}]"]
    assert render("{{self_}}", {**row, "self": "name of an argument", "self_": "x"}, "x") == ["x"]


def test_of_several_included_files_the_first_counts_most(tmp_path: Path) -> None:
    task_file(tmp_path, TASK, "base.yaml")
    task_file(tmp_path, "task: first\n", "first.yaml")
    [spec] = resolve_specs([task_file(tmp_path, "include: [first.yaml, base.yaml]\ndoc_to_text: ctx\n")])
    assert (spec.label, spec.templates) == ("first/test", ["ctx", "{{choices.text}}"])


def test_data_files_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    path = task_file(tmp_path, "task: sitting\ndataset_path: json\ndataset_kwargs: [a]\ntest_split: test\ndoc_to_text: text\n")
    with pytest.raises(InputError, match="data_files names no file of split test"):
        resolve_specs([path])


def test_a_shipped_spec_for_a_file_of_another_name(tmp_path: Path) -> None:
    row = {"context": "A passage.", "question": "Which?", "answers": {"text": ["This."], "answer_start": [0]}}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n")
    [spec] = resolve_specs([{"shipped": "squad_v2_val", "files": [str(tmp_path / "mine.jsonl")]}])
    [item] = read_benchmark(spec).items
    assert (spec.name, spec.passage_fields, item.text, item.answer) == ("SQuADv2", 1, "A passage.\nWhich?", "This.")
    with pytest.raises(UsageError, match=r"no shipped spec is called squad; there are anli_r1_test, .* wsc273_test"):
        resolve_specs([{"shipped": "squad", "files": ["x.jsonl"]}])


def test_every_row_of_table_c1_has_a_shipped_spec() -> None:
    table = shared("spec", "gpt3_table_c1.csv").read_text().splitlines()[1:]
    names = {line.split(",")[0].lower() for line in table}
    specs = [read_spec(str(path)) for path in sorted(Path("contamination/specs").glob("*.yaml"))]
    shipped = {spec.name.lower() for spec in specs}
    other_names = {"nqs": "natural questions, open", "webqs": "webquestions"}
    same_file = {"lambada (no blanks)", "en-de 16", "en-ro 16", "en-fr 14"}  # scored in two ways, translated in two directions
    assert {other_names.get(name, name) for name in names - same_file} <= shipped
