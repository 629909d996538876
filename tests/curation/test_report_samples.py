"""Which documents are shown, and the training log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import IntegrityError
from curation.finished import committed_manifests
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.report.samples import KEPT, draw_key, draw_samples, make_excerpt
from curation.report.training import CURVE_POINTS, read_training
from tests.curation.report_run import commit_part, document, finish_stage


def run_of(run: Path, sizes: list[int]) -> Path:
    """The same thirty documents in parts of different sizes, every third one removed."""
    manifests, first = [], 0
    for number, size in enumerate(sizes):
        ids = [f"d{place}" for place in range(first, first + size)]
        removed = [name for name in ids if int(name[1:]) % 3 == 0]
        rows = [ledger_row(name, Action.REMOVED, Reason.EMPTY_TEXT) for name in removed]
        counts = Counts(size, size - len(removed))
        counts.removed["empty_text"] = len(removed)
        kept = [document(name, f"text of {name}") for name in ids if name not in removed]
        manifests.append(commit_part(run, "crawl", number, kept, rows, counts))
        first += size
    finish_stage(run, "crawl", manifests)
    return run


def test_samples_do_not_depend_on_the_parts(tmp_path: Path) -> None:
    drawn = []
    for name, sizes in {"one": [30], "many": [1, 9, 0, 20]}.items():
        run = run_of(tmp_path / name, sizes)
        samples = draw_samples(str(run), {"crawl": committed_manifests(str(run), "crawl")}, 4)
        drawn.append([(sample.action, sample.reason, sample.document.id) for sample in samples])
    assert drawn[0] == drawn[1]
    smallest = sorted((f"d{number}" for number in range(30) if number % 3), key=draw_key)[:4]
    assert [document_id for action, _, document_id in drawn[0] if action == KEPT] == smallest
    assert [reason for action, reason, _ in drawn[0] if action == "removed"] == ["empty_text"] * 4


def test_fewer_documents_than_asked_for(tmp_path: Path) -> None:
    run = run_of(tmp_path, [3])
    samples = draw_samples(str(run), {"crawl": committed_manifests(str(run), "crawl")}, 100)
    assert sorted(sample.document.id for sample in samples) == ["d0", "d1", "d2"]


@given(st.integers(0, 3000), st.lists(st.integers(0, 3000), max_size=8, unique=True), st.integers(1, 2000))
def test_excerpts_lie_within_the_text_and_cuts_within_the_excerpt(length: int, edges: list[int], size: int) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(length))
    edges = sorted(edge for edge in edges if edge <= length)
    cuts = list(zip(edges[::2], edges[1::2], strict=False))
    excerpt = make_excerpt(text, cuts, size)
    assert excerpt.text == text[excerpt.start : excerpt.start + len(excerpt.text)]
    assert len(excerpt.text) <= size and excerpt.length == length
    end = excerpt.start + len(excerpt.text)
    assert all(excerpt.start <= first < last <= end for first, last in excerpt.cuts)
    assert list(excerpt.cuts) == sorted(excerpt.cuts)


def test_an_excerpt_begins_before_the_first_cut() -> None:
    excerpt = make_excerpt("x" * 5000, [(1000, 1100), (1400, 9999), (4000, 4100)], size=500)
    assert (excerpt.start, len(excerpt.text)) == (800, 500)
    assert excerpt.cuts == ((1000, 1100),)


def write_log(run: Path, lines: bytes) -> Path:
    (run / "model").mkdir()
    (run / "model/metrics.jsonl").write_bytes(lines)
    return run


def step_line(step: int) -> bytes:
    row = {"step": step, "tokens": 10 * step, "loss": float(step), "learning_rate": 0.5, "gradient_norm": 1.0}
    return json.dumps(row).encode() + b"\n"


def test_long_curves_are_averaged(tmp_path: Path) -> None:
    # 1000 steps at most 400 points: means of 3 steps, the last one of a single step.
    training = read_training(str(write_log(tmp_path, b"".join(step_line(step) for step in range(1, 1001)))))
    assert training is not None and training.averaged == 3
    assert len(training.loss.values) == 334 <= CURVE_POINTS
    assert training.loss.values[:2] == [2.0, 5.0] and training.loss.tokens[:2] == [30.0, 60.0]
    assert (training.loss.values[-1], training.loss.tokens[-1]) == (1000.0, 10_000.0)


def test_a_log_that_a_crash_cut_short(tmp_path: Path) -> None:
    training = read_training(str(write_log(tmp_path, step_line(1) + step_line(2) + b'{"step": 3, "los')))
    assert training is not None and training.loss.values == [1.0, 2.0] and not training.finished


@pytest.mark.parametrize("lines", [b"", b'{"step": 0, "tokens": 0, "elapsed_seconds": 1.5}\n'])
def test_a_log_without_losses(tmp_path: Path, lines: bytes) -> None:
    training = read_training(str(write_log(tmp_path, lines)))
    assert training is not None and training.loss.values == [] and training.averaged == 1


@pytest.mark.parametrize("line", [b'{"tokens": 1, "loss": NaN, "learning_rate": 1, "gradient_norm": 1}\n', b'{"loss": 1}\n', b"[]\n\n"])
def test_a_damaged_log_is_named_with_its_line(tmp_path: Path, line: bytes) -> None:
    run = write_log(tmp_path, step_line(1) + line)
    with pytest.raises(IntegrityError, match=r"model/metrics\.jsonl: line [23] is no row"):
        read_training(str(run))


def test_no_training(tmp_path: Path) -> None:
    assert read_training(str(tmp_path)) is None
