import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation import lock
from curation.errors import EXIT_LOCKED, EXIT_USAGE, LockedError, PipelineError, UsageError
from curation.lock import run_lock
from tests.curation.runs import ROOT

HOLD = "import sys; from curation.lock import run_lock\nwith run_lock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"


def test_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, run]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"{run} is in use by process {holder.pid}; wait for it") as caught, run_lock(run):
            pass
        assert caught.value.exit_code == EXIT_LOCKED
        holder.kill()  # the kernel lets go, however the process ends
    with run_lock(run):
        assert (tmp_path / "run/.lock").read_text() == str(os.getpid())
    with run_lock(run):
        pass


def test_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(str(tmp_path)):
        raise ZeroDivisionError
    with run_lock(str(tmp_path)):
        pass


def test_run_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError, match="file is a file; --run names a folder") as caught, run_lock(str(tmp_path / "file")):
        pass
    assert caught.value.exit_code == EXIT_USAGE
    with pytest.raises(PipelineError, match="cannot write to"), run_lock(str(tmp_path / "file" / "below")):
        pass
    assert (tmp_path / "file").read_text() == "precious"


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock.os, "write", full)
    with pytest.raises(PipelineError, match=r"cannot write to .*: No space left on device"), run_lock(str(tmp_path)):
        pass


def test_object_stores_have_no_lock() -> None:
    with run_lock("memory://run"), run_lock("memory://run"):
        pass
