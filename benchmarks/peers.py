"""Programs that ours is compared with, each in a pinned virtual environment of its own.

``benchmarks/peers/NAME.txt`` pins what an environment holds; it is made by pip in ``build/peers/NAME`` when first
needed, and again when that file changes. ``benchmarks/peers/SCRIPT.py`` runs in it as a process of its own and prints
one line of JSON last. Nothing of ours can be imported there, and nothing of theirs here.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "peers"
ENVIRONMENTS = Path(__file__).resolve().parents[1] / "build" / "peers"


def command(environment: str, script: str, *arguments: object) -> list[str]:
    """The command that runs ``benchmarks/peers/SCRIPT`` in an environment, which is made if it is not there yet."""
    # -I: neither PYTHONPATH nor the script's folder, whose names could hide a library's.
    return [str(python_of(environment)), "-I", str(FOLDER / script), *map(str, arguments)]


def python_of(environment: str) -> Path:
    """The interpreter of an environment, made by pip if it is not there as its requirements say.

    Raises:
        RuntimeError: pip failed; the message holds what it said.
    """
    requirements = FOLDER / f"{environment}.txt"
    folder = ENVIRONMENTS / environment
    python, mark = folder / "bin" / "python", folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with open(ENVIRONMENTS / f".{environment}.lock", "w") as lock:  # of two benchmarks, one makes it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text() != wanted:
            print(f"making {folder} ...", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)])
            mark.write_text(wanted)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr or done.stdout}")
