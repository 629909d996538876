"""What a command costs is what it was made to cost; candidates take turns."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.measure import REPEATS, in_turns, median, run

MIB = 1 << 20


def test_output_time_and_memory_of_a_command_and_its_child() -> None:
    child = f"import time; held = bytearray(b'x' * {64 * MIB}); time.sleep(0.5)"
    parent = (
        f"import json, subprocess, sys; held = bytearray(b'x' * {64 * MIB}); "
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True); print('first'); print(json.dumps({{'done': 1}}))"
    )
    measured = run([sys.executable, "-c", parent])
    assert measured.json() == {"done": 1}
    assert measured.seconds >= 0.5
    assert measured.peak_process_bytes >= 64 * MIB
    assert measured.peak_bytes >= 128 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who shares a page")
def test_shared_memory_counts_once() -> None:
    forked = f"import os, time; held = bytearray(b'x') * {64 * MIB}; child = os.fork(); time.sleep(0.5); child and os.wait()"
    measured = run([sys.executable, "-c", forked])
    assert 64 * MIB <= measured.peak_bytes < 2 * 64 * MIB


def test_processor_time_counts_children_but_no_sleep() -> None:
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    measured = run([sys.executable, "-c", f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}]); time.sleep(1)"])
    assert 0.3 <= measured.cpu_seconds < measured.seconds


def test_processor_time_counts_children_whose_parent_was_killed() -> None:
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys, os; subprocess.Popen([sys.executable, '-c', {burn!r}]); os._exit(0)"
    assert run([sys.executable, "-c", parent]).cpu_seconds >= 0.3


def test_own_children_of_before_are_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as own:
        run([sys.executable, "-c", "pass"])
        assert own.poll() is None
        own.kill()


def test_a_failed_command_says_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="because"):
        run([sys.executable, "-c", "raise SystemExit('because')"])


def test_candidates_take_turns_and_another_begins_each_round() -> None:
    order: list[str] = []
    results = in_turns({name: lambda name=name: order.append(name) for name in "abc"}, repeats=3)  # type: ignore[misc]
    assert "".join(order) == "abcbcacab"
    assert {name: len(runs) for name, runs in results.items()} == {"a": 3, "b": 3, "c": 3}


def test_short_runs_are_repeated_five_times() -> None:
    assert len(in_turns({"a": lambda: None})["a"]) == REPEATS == 5


def test_median_of_one_figure() -> None:
    assert median([(3, "x"), (1, "y"), (10, "z")], lambda pair: pair[0]) == 3
