import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from curation import storage
from curation.errors import InputError, PipelineError
from tests.curation.runs import ROOT


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_commit_tells_size_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    stored = storage.commit_bytes(str(path), b"content")
    assert path.read_bytes() == b"content"
    assert (stored.path, stored.bytes, stored.sha256) == (str(path), 7, hashlib.sha256(b"content").hexdigest())
    assert names(path.parent) == ["file"]


def test_commit_replaces_the_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a longer content than the new one")
    reader = path.open("rb")
    storage.commit_bytes(f"file://{path}", b"new")
    assert path.read_bytes() == b"new"
    # Who has the old file open goes on reading it: it was replaced, not overwritten.
    assert reader.read() == b"a longer content than the new one"
    reader.close()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_commit_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(PipelineError, match=r"cannot write .*file: No space left on device; free space") as caught:
        storage.commit_bytes(str(tmp_path / "file"), b"new")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_content_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append("fsync"), sync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda old, new: (steps.append("replace"), replace(old, new)))
    storage.commit_bytes(str(tmp_path / "file"), b"content")
    assert steps == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_file_size_limit_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from curation import storage\n"
        "from curation.errors import PipelineError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "storage.commit_bytes(sys.argv[1] + '/small', b'x' * 1000)\n"
        "try:\n"
        "    storage.commit_bytes(sys.argv[1] + '/large', b'x' * 1001)\n"
        "except PipelineError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {tmp_path}/large: File too large; free space or choose another --run folder, then run again\n"
    assert names(tmp_path) == ["small"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000  # the limit held for the other process only


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PipelineError, match="Permission denied"):
        storage.commit_bytes(str(tmp_path / "file"), b"content")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc, which nobody can write to")
def test_place_that_even_root_cannot_write_to() -> None:
    with pytest.raises(PipelineError, match="cannot write /proc/run/file: "):
        storage.commit_bytes("/proc/run/file", b"content")


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PipelineError, match="cannot write"):
        storage.commit_bytes(str(tmp_path / "file" / "below"), b"content")


def test_reading_names_what_is_missing(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for read in (storage.read_bytes, storage.hash_file, storage.file_size):
        with pytest.raises(InputError, match=f"no such file: {missing}; check the path"):
            read(missing)
    with pytest.raises(InputError, match=r"cannot open .*: Is a directory"):
        storage.read_bytes(str(tmp_path))
    assert not storage.exists(missing)
    storage.remove(missing)
    assert storage.list_folder(missing) == []


def test_hash_of_more_than_one_block(tmp_path: Path) -> None:
    content = bytes(range(256)) * (3 * storage.READ_BLOCK // 512)
    (tmp_path / "file").write_bytes(content)
    stored = storage.hash_file(str(tmp_path / "file"))
    assert (stored.bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_remove_temporary_files(tmp_path: Path) -> None:
    keep = tmp_path / "tokens" / "kept.tmp-file"
    storage.commit_bytes(str(keep), b"")
    (tmp_path / "tokens" / f".kept{storage.TEMPORARY_MARK}0123").write_bytes(b"half")
    storage.remove_temporary_files(str(tmp_path))
    assert names(tmp_path / "tokens") == ["kept.tmp-file"]


def test_expand_folder_glob_and_plain_path(tmp_path: Path) -> None:
    for name in ("a.warc", "deep/b.warc.gz", "notes.txt", "README.warc", ".hidden.warc"):
        storage.commit_bytes(str(tmp_path / name), b"")
    both = [str(tmp_path / "a.warc"), str(tmp_path / "deep/b.warc.gz")]
    assert storage.expand_paths([str(tmp_path)], (".warc", ".warc.gz")) == both
    assert storage.expand_paths([f"{tmp_path}/**/b*", f"file://{tmp_path}/a.warc", both[0]], (".warc",)) == both
    # A plain path is named even if it is not there, so that the error can say so.
    assert storage.expand_paths([f"{tmp_path}/missing.warc"], (".warc",)) == [f"{tmp_path}/missing.warc"]


def test_expand_a_name_with_brackets(tmp_path: Path) -> None:
    path = tmp_path / "part[1].warc"
    path.write_bytes(b"")
    assert storage.expand_paths([str(path)], (".warc",)) == [str(path)]


@pytest.mark.parametrize("pattern", ["*.nothing", "empty"])
def test_expand_without_a_match(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no input file matches .*; files are expected to end in \.warc"):
        storage.expand_paths([str(tmp_path / pattern)], (".warc",))


def test_file_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.warc")).write_bytes(b"")
    with pytest.raises(InputError, match=r"\\udcff\.warc' is no valid UTF-8; rename it"):
        storage.expand_paths([str(tmp_path)], (".warc",))


def test_join() -> None:
    assert storage.join("run/", "crawl", "stage.json") == "run/crawl/stage.json"
    assert storage.join("s3://bucket/run", "crawl") == "s3://bucket/run/crawl"
    assert storage.join("", "crawl") == "crawl"


def test_remote_files(tmp_path: Path) -> None:
    folder = f"memory://{tmp_path.name}"
    stored = storage.commit_bytes(f"{folder}/a/file", b"content")
    assert storage.read_bytes(stored.path) == b"content"
    assert storage.hash_file(stored.path) == stored
    assert storage.file_size(stored.path) == 7
    assert storage.list_folder(folder) == [f"memory:///{tmp_path.name}/a/file"]
    assert storage.expand_paths([folder], ("file",)) == [f"memory:///{tmp_path.name}/a/file"]
    assert storage.expand_paths([f"{folder}/*/f*"], ()) == [f"memory:///{tmp_path.name}/a/file"]
    storage.remove(stored.path)
    assert not storage.exists(stored.path)
    with pytest.raises(InputError, match="no such file"):
        storage.read_bytes(stored.path)
    with pytest.raises(InputError, match="no such file"):
        storage.file_size(stored.path)
    storage.remove(stored.path)


@pytest.mark.parametrize("act", [storage.read_bytes, storage.exists, storage.list_folder, lambda path: storage.commit_bytes(path, b"")])
def test_unknown_protocol(act: object) -> None:
    with pytest.raises(PipelineError, match="cannot reach nowhere://bucket/file: Protocol not known"):
        act("nowhere://bucket/file")  # type: ignore[operator]
