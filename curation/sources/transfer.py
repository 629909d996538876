"""Whole files from servers: fetched once, resumed where a transfer or a run broke, hashed on the way.

TARGET.part        what has arrived so far; whoever writes to it holds its lock
TARGET.part.json   of which file that is: URL, size, validator
TARGET             the complete file
TARGET.json        its receipt: URL, size, validator, sha256; written first, so that no file stands without one
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curation import storage
from curation.errors import PipelineError
from curation.shards import canonical_json
from curation.sources.web import Client, Identity, Patience, TransferError

PART, SIDE = ".part", ".json"
LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Receipt:
    """What was fetched, and from where."""

    url: str
    bytes: int
    sha256: str
    validator: str | None


def download(client: Client, url: str, target: Path) -> Receipt:
    """Have the file of ``url`` at ``target``: taken as it is if it is there with a receipt, else fetched.

    Two runs that want the same file share one transfer: the second waits for the first.

    Raises:
        InputError: there is no such file, or too many tries failed; what has arrived stays for the next call.
        PipelineError: the disk is full or cannot be written to.
        Stopped: the client was stopped; what has arrived stays for the next call.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _held_part(client, target) as stream:
            receipt = read_receipt(target)
            if stream is None or receipt is not None:
                assert receipt is not None
                return receipt
            receipt = _receive(client, url, stream, _beside(target, PART + SIDE))
            os.fsync(stream.fileno())
            storage.commit_bytes(str(_beside(target, SIDE)), canonical_json(asdict(receipt)))
            os.replace(_beside(target, PART), target)
            _beside(target, PART + SIDE).unlink(missing_ok=True)
            return receipt
    except OSError as error:
        raise PipelineError(f"cannot write {target}: {error.strerror or error}; free space or choose another folder") from error


def discard(target: Path) -> None:
    """Delete a file, its receipt, and what there is of it."""
    for name in ("", SIDE, PART, PART + SIDE):
        _beside(target, name).unlink(missing_ok=True)


def read_receipt(target: Path) -> Receipt | None:
    """The receipt of a complete file; None if there is none, or the file has another size."""
    values = _read_json(_beside(target, SIDE))
    try:
        receipt = Receipt(**values)
        return receipt if target.stat().st_size == receipt.bytes else None
    except (TypeError, OSError):
        return None


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)


def _read_json(path: Path) -> dict[str, Any]:
    """The values of a side file; empty if it is missing or no such file."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


@contextlib.contextmanager
def _held_part(client: Client, target: Path) -> Iterator[io.FileIO | None]:
    """The partial file, open and locked; None if the complete one is there. The kernel frees the lock of a killed process."""
    part = _beside(target, PART)
    while True:
        if read_receipt(target) is not None:
            yield None
            return
        with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0) as stream:
            while not _lock(stream):
                client.wait(LOCK_POLL_SECONDS)
            with contextlib.suppress(FileNotFoundError):  # the holder before us may have finished or discarded it
                if os.path.samestat(os.fstat(stream.fileno()), part.stat()):
                    yield stream
                    return


def _lock(stream: io.FileIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _receive(client: Client, url: str, stream: io.FileIO, side: Path) -> Receipt:
    """Bring the partial file to its end."""
    patience = Patience(url, client.settings)
    known = _known(side, url)
    if known is None or known.validator is None:
        stream.truncate(0)  # nobody can say whether a continuation would fit
    digest = hashlib.file_digest(stream, "sha256")  # leaves the stream at its end
    while known is None or known.bytes is None or stream.tell() != known.bytes:
        try:
            with client.open(url, stream.tell(), known.validator if known else None) as answer:
                if answer.offset != stream.tell() or answer.identity != known:
                    known, digest = answer.identity, hashlib.sha256()
                    stream.seek(0)
                    stream.truncate()
                    storage.commit_bytes(str(side), canonical_json({"url": url, **asdict(known)}))
                    if answer.offset:
                        raise TransferError("the file has another size than before", restart=True)
                for block in answer.blocks:
                    _write(stream, block)
                    digest.update(block)
            if known.bytes not in (None, stream.tell()):
                raise TransferError(f"the transfer ended after {stream.tell()} of {known.bytes} bytes", restart=stream.tell() > known.bytes)
            break
        except TransferError as error:
            pause = patience.pause_after(error, stream.tell())
            if error.restart or known is None or known.validator is None:
                known, digest = None, hashlib.sha256()
                stream.seek(0)
                stream.truncate()
            client.back_off(url, error, pause)
    return Receipt(url, stream.tell(), digest.hexdigest(), known.validator)


def _known(side: Path, url: str) -> Identity | None:
    values = _read_json(side)
    return Identity(values.get("bytes"), values.get("validator")) if values.get("url") == url else None


def _write(stream: io.FileIO, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[stream.write(view) :]
