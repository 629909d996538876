"""trainer/metrics.py: a log that is continued, and what is left of a damaged one."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.metrics import MetricsLog, read_metrics

ROWS = [{"step": step, "tokens": 10 * step, "loss": 0.1 + step} for step in range(4)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    with MetricsLog(tmp_path / "metrics.jsonl", None, pytest.fail) as metrics:
        for row in ROWS:
            metrics.write(row)
        metrics.sync()
    return tmp_path / "metrics.jsonl"


def test_rows_read_back_and_later_ones_are_cut_off(log: Path) -> None:
    assert read_metrics(log) == ROWS
    with MetricsLog(log, 20, pytest.fail) as metrics:
        metrics.write({"tokens": 25})
    assert read_metrics(log) == [*ROWS[:3], {"tokens": 25}]


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"\xff\xfe\n",
        b"\n",
        b"[1]\n",
        b"{}\n",
        b'{"tokens": "20"}\n',
        b'{"tokens": 20, "loss": NaN}\n',
        b'{"tokens": 20, "loss": 1e999}\n',
        b"[" * 100_000 + b"\n",
        b'{"tokens": 20, "lo',
    ],
)
def test_a_damaged_log_is_cut_at_the_damage_and_said_to_be(log: Path, line: bytes) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], line, *lines[3:]]))
    assert read_metrics(log) == ROWS[:2]
    notes: list[str] = []
    with MetricsLog(log, 30, notes.append) as metrics:
        metrics.write({"tokens": 40})
    assert read_metrics(log) == [*ROWS[:2], {"tokens": 40}]
    assert len(notes) == 1 and "damaged after 10 tokens; the rows up to 30 tokens are missing" in notes[0]


def test_a_lost_log_is_begun_anew(log: Path) -> None:
    log.unlink()
    assert read_metrics(log) == []
    notes: list[str] = []
    with MetricsLog(log, 30, notes.append):
        pass
    assert log.read_bytes() == b""
    assert len(notes) == 1 and "damaged from its beginning" in notes[0]


def test_damage_after_the_checkpoint_needs_no_word(log: Path) -> None:
    log.write_bytes(log.read_bytes() + b"garbage")
    with MetricsLog(log, 30, pytest.fail):
        pass
    assert read_metrics(log) == ROWS
