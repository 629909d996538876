"""Runs that are killed, stopped or out of disk at any moment: nothing half-written, and the next run ends as if nothing had been."""

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from curation.shards import Manifest, file_is_intact
from tests.curation.runs import command_line, outputs, pages_of, rows_of, run_here, run_program, table, write_pages, write_rows

FILES = 4
PAGES = 6


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with WARC files, one segment each, and curated texts."""
    folder = tmp_path_factory.mktemp("inputs")
    for number in range(FILES):
        write_pages(folder / f"site-{number}.warc.gz", pages_of(PAGES, f"site{number}.org"), first=number * PAGES)
    write_rows(folder / "curated.jsonl", [{**row, "id": f"c{row['id']}"} for row in rows_of(8)])
    return folder


def crawl(inputs: Path, run: Path) -> list[object]:
    return ["crawl", inputs, "--run", run, "--workers", 2, "--quiet"]


def following(inputs: Path, run: Path) -> list[list[object]]:
    """The stages after crawl that the long test runs, too."""
    common = ["--run", run, "--workers", 2, "--quiet"]
    return [
        ["filter", "--set", f"filter.positives=[{inputs}/curated.jsonl]", "--set", "filter.keep_rule=none", *common],
        ["dedup", *common],
        ["decontaminate", *common],
    ]


@pytest.fixture(scope="module")
def undisturbed(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Outputs of a crawl that nobody disturbed."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run_here(*crawl(inputs, run)) == 0
    return outputs(run)


def start(arguments: Sequence[object]) -> subprocess.Popen[str]:
    return subprocess.Popen(command_line(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(what: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is there or the process has ended."""
    while not what() and process.poll() is None:
        time.sleep(0.005)


def kill_after(seconds: float, arguments: Sequence[object]) -> None:
    """Run a command and kill it with SIGKILL, unless it ends before."""
    with start(arguments) as process:
        workers = []
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            workers = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        process.communicate()
    psutil.wait_procs(workers, timeout=60)
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]


def check_manifests(run: Path) -> None:
    """Whatever a manifest names is there and intact, at any moment."""
    for path in run.rglob("manifests/part-*.json"):
        for file in Manifest.read(str(path)).files:
            assert file_is_intact(str(run / file.name), file)


def check_no_orphans(run: Path) -> None:
    """Every file belongs to a finished output."""
    left = [path for path in run.rglob("*") if ".tmp-" in path.name or path.name.startswith(".scratch-")]
    assert left == []


def test_killed_at_random_moments(inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run = tmp_path / "run"
    moments = random.Random(1)
    for _ in range(2):
        kill_after(moments.uniform(0.3, 1.8), crawl(inputs, run))
        check_manifests(run)
    assert run_here(*crawl(inputs, run)) == 0
    check_no_orphans(run)
    assert outputs(run) == undisturbed


def test_killed_after_the_first_manifest(
    inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with start(crawl(inputs, run)) as process:
        wait_for(lambda: list(run.glob("crawl/manifests/part-*.json")), process)
        process.kill()
    assert run_here(*[word for word in crawl(inputs, run) if word != "--quiet"]) == 0
    assert f" of {FILES} parts reused" in capsys.readouterr().out
    assert outputs(run) == undisturbed


@pytest.mark.slow
def test_whole_pipeline_killed_at_random_moments(inputs: Path, tmp_path: Path) -> None:
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    moments = random.Random(2)
    for calm_command, wild_command in zip(
        [crawl(inputs, calm), *following(inputs, calm)], [crawl(inputs, wild), *following(inputs, wild)], strict=True
    ):
        started = time.monotonic()
        assert run_program(*calm_command).returncode == 0
        seconds = time.monotonic() - started
        for _ in range(6):
            kill_after(moments.uniform(0.1, seconds), wild_command)
            check_manifests(wild)
        assert run_program(*wild_command).returncode == 0
        check_no_orphans(wild)
    assert outputs(wild) == outputs(calm)
    for stage in ("crawl", "filter", "dedup", "decontaminate"):
        counts = json.loads((wild / stage / "stage.json").read_text())["counts"]
        assert counts["in"] == counts["kept"] + counts["changed"] + sum(counts["removed"].values()) + sum(counts["quarantined"].values())
        assert table(wild, stage, "ledger").height == counts["in"] - counts["kept"]


def test_workers_killed_from_outside(inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    run, victims, killed = tmp_path / "run", random.Random(3), 0
    with start(crawl(inputs, run)) as process:
        parent = psutil.Process(process.pid)
        while process.poll() is None and killed < 4:
            time.sleep(0.25)
            children = parent.children(recursive=True) if process.poll() is None else []
            if children:
                victims.choice(children).kill()
                killed += 1
        _, said = process.communicate(timeout=100)
        assert process.returncode == 0, said
    assert killed == 4
    assert outputs(run) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_in_order(inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path, number: signal.Signals, code: int) -> None:
    run = tmp_path / "run"
    with start(crawl(inputs, run)) as process:
        wait_for(lambda: list(run.glob("crawl/manifests/part-*.json")), process)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, said = process.communicate(timeout=100)
    assert (process.returncode, said) == (code, "error: stopped; what is committed stays, run the same command again to go on\n")
    assert json.loads((run / "summary.json").read_text())["exit_code"] == code
    psutil.wait_procs(workers, timeout=60)
    check_manifests(run)
    check_no_orphans(run)
    if number == signal.SIGTERM:
        assert run_here(*crawl(inputs, run)) == 0
        assert outputs(run) == undisturbed


def test_stopped_while_it_loads(inputs: Path, tmp_path: Path) -> None:
    with start(["verify", "--run", tmp_path]) as process:
        wait_for(lambda: b"libpolars" in _maps(process.pid) or b"_polars_runtime" in _maps(process.pid), process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=100)
    assert (process.returncode, said.count("\n")) in ((130, 1), (1, 1))  # 1: it had said that there is no run already


def _maps(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return b""


def test_second_run_on_the_same_folder(inputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with start(crawl(inputs, run)) as process:
        wait_for(lambda: (run / "recipe.yaml").exists(), process)
        second = run_program(*crawl(inputs, run))
        process.kill()
    assert (second.returncode, second.stderr) == (
        75,
        f"error: {run} is in use by process {process.pid}; wait for it, or choose another --run folder\n",
    )


@pytest.mark.parametrize("limit_bytes", [0, 1000, 8000])
def test_disk_that_fills_up(tmp_path: Path, limit_bytes: int) -> None:
    """A limit on the size of files stands for a full disk: at the lock, at the recipe, at the first shard."""
    words = random.Random(4)
    rows = [{"id": f"d{number}", "text": "".join(words.choices("abcdefghij ", k=400))} for number in range(40)]
    run = tmp_path / "run"
    command = ["decontaminate", "--input", write_rows(tmp_path / "rows.jsonl", rows), "--run", run, "--workers", 1, "--quiet"]
    limited = run_program(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)))
    assert limited.returncode == 1
    assert limited.stderr.startswith("error: ")
    assert "File too large; free space or choose another --run folder" in limited.stderr
    assert limited.stderr.count("\n") == 1
    assert not list(run.rglob("manifests/*"))
    check_no_orphans(run)
    assert run_here(*command) == 0
    assert table(run, "decontaminate", "documents").height == 40


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_read_only_run_folder(inputs: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run_program(*crawl(inputs, tmp_path / "run"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot write to" in done.stderr


@pytest.mark.parametrize("environment", [{"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"}])
def test_same_bytes_in_another_environment(
    inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [word if word != 2 else 3 for word in crawl(inputs, tmp_path / "run")]
    assert run_program(*command, environment=environment).returncode == 0
    assert outputs(tmp_path / "run") == undisturbed
