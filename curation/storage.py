"""Files at the edge: committing, reading and hashing, on a local disk or any fsspec filesystem.

A file is either absent or complete under its name. Locally that is a temporary file beside the
target, flushed to the disk and renamed. On an object store it is a single PUT, which is atomic
there; nothing is renamed, and nothing is streamed that an error could publish half-written.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec

from curation.errors import InputError, PipelineError

TEMPORARY_MARK = ".tmp-"
READ_BLOCK = 1 << 20


@dataclass(frozen=True)
class StoredFile:
    """A committed file: path, size in bytes, sha256 of its content in hex."""

    path: str
    bytes: int
    sha256: str


def is_remote(path: str) -> bool:
    """Whether the path is an fsspec URL of something else than the local disk."""
    return "://" in path and not path.startswith(("file://", "local://"))


def local_path(path: str) -> Path:
    """The local path that a non-remote path or ``file://`` URL names."""
    for prefix in ("file://", "local://"):
        path = path.removeprefix(prefix)
    return Path(path)


@contextlib.contextmanager
def _remote(path: str) -> Iterator[tuple[Any, str]]:
    """Filesystem and name in it of an fsspec URL; what its library raises inside becomes one of our errors.

    Listings are not cached, since other processes write to the same folders.

    Raises:
        FileNotFoundError: there is no such file or bucket.
        PipelineError: anything else: no credentials, no connection, a protocol that is not installed.
    """
    try:
        yield fsspec.core.url_to_fs(path, use_listings_cache=False)
    except (FileNotFoundError, PipelineError):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PipelineError(f"cannot reach {path}: {reason}; check the URL, the credentials and the installed extras") from error


def join(folder: str, *names: str) -> str:
    """Path of a name below a folder, for local paths and URLs alike."""
    return "/".join([folder.rstrip("/"), *names]) if folder else "/".join(names)


def sha256_of(content: bytes | memoryview) -> str:
    """sha256 in hex."""
    return hashlib.sha256(content).hexdigest()


def commit_bytes(path: str, content: bytes | memoryview) -> StoredFile:
    """Write a whole file atomically and durably; returns its size and checksum.

    Raises:
        PipelineError: the disk is full or the place cannot be written to; nothing is left behind.
    """
    try:
        if is_remote(path):
            with _remote(path) as (filesystem, name):
                filesystem.pipe_file(name, bytes(content))
        else:
            _commit_local(local_path(path), content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PipelineError(f"cannot write {path}: {reason}; free space or choose another --run folder, then run again") from error
    return StoredFile(path, len(content), sha256_of(content))


def _commit_local(target: Path, content: bytes | memoryview) -> None:
    with _replaced(target) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def committed_file(path: str) -> Iterator[Path]:
    """A local path to write a file of any size to; it is committed at the end, and nothing is left behind after an error.

    Raises:
        PipelineError: the disk is full or the place cannot be written to.
    """
    try:
        if not is_remote(path):
            with _replaced(local_path(path)) as temporary:
                yield temporary
            return
        with tempfile.TemporaryDirectory(prefix="crawl2gpt-") as folder:
            temporary = Path(folder, "file")
            yield temporary
            with _remote(path) as (filesystem, name):
                filesystem.put_file(str(temporary), name)
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror or error}; free space or choose another place") from error


@contextlib.contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    """A temporary path beside the target, which takes its name at the end, durably."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}{TEMPORARY_MARK}{uuid.uuid4().hex}")
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; a no-op where folders cannot be opened (Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_bytes(path: str) -> bytes:
    """Whole content of a file.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    with open_binary(path) as stream:
        try:
            return stream.read()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error


class _RemoteStream(io.RawIOBase):
    """A stream of an fsspec library, whose errors while reading become ``OSError``, as with local files."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except OSError:
            raise
        except Exception as error:
            raise OSError((str(error).splitlines() or [type(error).__name__])[0]) from error

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


@contextlib.contextmanager
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """Open a local path or fsspec URL for reading, seekable where the store allows it."""
    try:
        if is_remote(path):
            with _remote(path) as (filesystem, name):
                stream: Any = filesystem.open(name, "rb")
        else:
            if not stat.S_ISREG(local_path(path).stat().st_mode) and not local_path(path).is_dir():
                raise InputError(f"{path} is no ordinary file; a pipe or device cannot be read twice, so save its content to a file")
            stream = local_path(path).open("rb")
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}; check the path") from error
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror or error}") from error
    with stream:
        content: Any = _RemoteStream(stream) if is_remote(path) else stream
        yield content


def exists(path: str) -> bool:
    """Whether a file or folder of that name is there."""
    if is_remote(path):
        with _remote(path) as (filesystem, name):
            return bool(filesystem.exists(name))
    return local_path(path).exists()


def remove(path: str) -> None:
    """Delete a file if it is there."""
    if is_remote(path):
        with contextlib.suppress(FileNotFoundError), _remote(path) as (filesystem, name):
            filesystem.rm_file(name)
    else:
        with contextlib.suppress(FileNotFoundError):
            local_path(path).unlink()


def list_folder(folder: str) -> list[str]:
    """Sorted full paths of the files in a folder and the folders below it; empty if it is not there."""
    if is_remote(folder):
        with _remote(folder) as (filesystem, name):
            return sorted(filesystem.unstrip_protocol(entry) for entry in filesystem.find(name))
    return sorted(str(entry) for entry in local_path(folder).rglob("*") if entry.is_file())


def remove_temporary_files(folder: str) -> None:
    """Delete what a killed process left half-written anywhere in a local folder: files, and folders of checkpoints."""
    if not is_remote(folder):
        for entry in list(local_path(folder).rglob(f".*{TEMPORARY_MARK}*")):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def file_size(path: str) -> int:
    """Size in bytes.

    Raises:
        InputError: the file is missing.
    """
    try:
        if is_remote(path):
            with _remote(path) as (filesystem, name):
                return int(filesystem.size(name))
        return local_path(path).stat().st_size
    except OSError as error:
        raise InputError(f"no such file: {path}; check the path") from error


def hash_file(path: str) -> StoredFile:
    """Size and sha256 of a file, read once in blocks."""
    digest, size = hashlib.sha256(), 0
    with open_binary(path) as stream:
        try:
            while block := stream.read(READ_BLOCK):
                digest.update(block)
                size += len(block)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    return StoredFile(path, size, digest.hexdigest())


def expand_paths(patterns: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """Files that paths, globs, folders and fsspec URLs name: sorted, each once.

    A folder stands for the files below it whose names end in one of ``suffixes``, README files excepted. A plain path is
    returned even when no such file exists, so that the reader can say so.

    Raises:
        InputError: a glob or a folder holds no file, or a file's name is no UTF-8.
    """
    found: set[str] = set()
    if not all(pattern.strip() for pattern in patterns):
        raise InputError("an input path is empty; name a file or a folder (is a variable of the shell unset?)")
    for pattern in patterns:
        matches = _expand_remote(pattern, suffixes) if is_remote(pattern) else _expand_local(pattern, suffixes)
        if not matches:
            raise InputError(f"no input file matches {pattern}; files are expected to end in {', '.join(suffixes)}")
        found.update(matches)
    for path in found:
        if _holds_surrogates(path):  # the name stands in documents and manifests, which are UTF-8
            raise InputError(f"the name of the input file {path!a} is no valid UTF-8; rename it")
    return sorted(found)


def _holds_surrogates(path: str) -> bool:
    """Whether a file name has bytes that are no UTF-8 (``os.fsdecode`` gives them as lone surrogates)."""
    return any("\ud800" <= character <= "\udfff" for character in path)


def _expand_local(pattern: str, suffixes: tuple[str, ...]) -> list[str]:
    path = local_path(pattern)
    if _is_too_long(path):
        return [str(path)]  # opening it says what is wrong, and the other inputs are read
    if path.is_dir():
        return [str(entry) for entry in sorted(path.rglob("*")) if entry.is_file() and _is_data(entry.name, suffixes)]
    if path.exists() or not glob.has_magic(pattern):
        return [str(path)]
    return [entry for entry in glob.glob(str(path), recursive=True) if os.path.isfile(entry)]


def _is_too_long(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _is_data(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file of a folder is meant: a known ending, not hidden, not the folder's own README."""
    return name.endswith(suffixes) and not name.startswith((".", "README"))


def _expand_remote(pattern: str, suffixes: tuple[str, ...]) -> list[str]:
    with _remote(pattern) as (filesystem, name):
        if glob.has_magic(name):
            return [filesystem.unstrip_protocol(entry) for entry in filesystem.glob(name)]
        if filesystem.isdir(name):
            return [filesystem.unstrip_protocol(entry) for entry in filesystem.find(name) if _is_data(entry.rpartition("/")[2], suffixes)]
    return [pattern]
