"""Compiled kernels on the disk: found again, and never wrong, whatever became of the files or of the sources."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest
from numba.core.caching import InTreeCacheLocator

SOURCE = """
from curation.kernels import kernel
from {other} import FACTOR, inner

@kernel
def outer(value):
    return middle(value)

@kernel
def middle(value):
    return FACTOR * inner(value)
"""
OTHER = """
from curation.kernels import kernel
FACTOR = {factor}

@kernel
def inner(value):
    return value + {added}
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Imports the two files anew, as another process would, and returns ``outer``."""
    name = f"kernels_of_{tmp_path.name}"

    def load(factor: int = 2, added: int = 1) -> Any:
        other = module(name, tmp_path / "other.py", OTHER.format(factor=factor, added=added))
        monkeypatch.setitem(sys.modules, name, other)
        return module("source", tmp_path / "source.py", SOURCE.format(other=name)).outer

    return load


def module(name: str, path: Path, text: str) -> ModuleType:
    path.write_text(text)
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification and specification.loader
    made = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(made)
    return made


def files(folder: Path, name: str = "source.outer") -> list[Path]:
    return sorted((folder / "__pycache__").glob(f"{name}.*.kernel*"))


def hits(compiled: Any) -> int:
    return sum(compiled.stats.cache_hits.values())


def test_a_kernel_is_compiled_once(load: Callable[..., Any], tmp_path: Path) -> None:
    first, second = load(), load()
    assert (first(20), hits(first)) == (42, 0)
    assert (second(20), hits(second)) == (42, 1)
    assert len(files(tmp_path)) == 1
    assert second(0.5) == 3.0
    assert len(files(tmp_path)) == 2  # one for each signature
    assert not list((tmp_path / "__pycache__").glob("*.nb?"))  # none of numba's own


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "one bit of the code", "one bit of the checksum"])
def test_a_damaged_file_is_made_anew(load: Callable[..., Any], tmp_path: Path, damage: str) -> None:
    load()(20)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-1 if damage.endswith("code") else 0] ^= 1
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "zeros": bytes(len(whole))}.get(damage, bytes(flipped)))
    again = load()
    assert (again(20), hits(again)) == (42, 0)
    assert hits(again) == 0
    third = load()
    assert (third(20), hits(third)) == (42, 1)


@pytest.mark.parametrize("group_or_others", [0o020, 0o002])
def test_what_somebody_else_can_have_written_is_not_run(load: Callable[..., Any], tmp_path: Path, group_or_others: int) -> None:
    umask = os.umask(0)
    try:
        load()(20)
    finally:
        os.umask(umask)
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o644 | group_or_others)
    again = load()
    assert (again(20), hits(again)) == (42, 0)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_file_of_another_user_is_run_only_if_the_source_is_theirs(load: Callable[..., Any], tmp_path: Path) -> None:
    load()(20)
    (path,) = files(tmp_path)
    os.chown(path, 12345, -1)
    again = load()
    assert (again(20), hits(again)) == (42, 0)
    os.chown(path, 12345, -1)
    os.chown(tmp_path / "source.py", 12345, -1)
    again = load()
    assert (again(20), hits(again)) == (42, 1)


def test_a_renamed_file_is_not_run(load: Callable[..., Any], tmp_path: Path) -> None:
    load()(20)
    (whole,) = files(tmp_path)
    load()(0.5)
    (broken,) = {*files(tmp_path)} - {whole}
    shutil.copy(whole, broken)
    again = load()
    assert (again(0.5), hits(again)) == (3.0, 0)


def test_an_edit_of_another_file_is_seen(load: Callable[..., Any], tmp_path: Path) -> None:
    """Also by a kernel that stands above the one that is concerned; numba's own index knows the kernel's own file alone."""
    assert load()(20) == 42
    assert load(added=2)(20) == 44
    assert load(factor=3)(20) == 63
    assert len(files(tmp_path)) == 1  # what nobody can use again is gone


def test_a_full_disk_stops_nobody(load: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert load()(20) == 42
    assert files(tmp_path) == []


def test_a_folder_that_closes_meanwhile_stops_nobody(load: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = load()

    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(InTreeCacheLocator, "ensure_cache_path", closed)
    assert outer(20) == 42
    assert files(tmp_path) == []


def test_what_was_compiled_with_a_replaced_constant_is_for_nobody_else(load: Callable[..., Any]) -> None:
    outer = load()
    outer.py_func.__globals__["FACTOR"] = 3
    assert outer(20) == 63
    assert load()(20) == 42


def test_without_a_compiler_a_kernel_is_its_function(load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert load()(20) == 42


def test_two_processes_at_once_do_not_mix_their_signatures(load: Callable[..., Any], tmp_path: Path) -> None:
    """Both have looked for their file before either has written one."""
    one, other = load(), load()
    assert (one(20), other(0.5)) == (42, 3.0)
    last = load()
    assert (last(20), last(0.5), hits(last)) == (42, 3.0, 2)


def test_constants_that_are_arrays_are_seen(tmp_path: Path) -> None:
    text = "import numpy as np\nfrom curation.kernels import kernel\nTABLE = np.{table}\n@kernel\ndef first():\n    return TABLE[0]\n"
    assert module("table", tmp_path / "table.py", text.format(table="array([7])")).first() == 7
    changed = module("table", tmp_path / "table.py", text.format(table="array([8])")).first
    assert (changed(), hits(changed)) == (8, 0)
