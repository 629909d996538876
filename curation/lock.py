"""One process at a time works on a run folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from curation import storage
from curation.errors import LockedError, PipelineError, UsageError


@contextlib.contextmanager
def run_lock(run: str, option: str = "--run") -> Iterator[None]:
    """Hold the run folder; the kernel lets go when the process ends, however it ends. ``option``: what names the folder, for messages.

    Object stores have no locks: there the scheduler must see to it, and two runs at once waste work
    but cannot mix their outputs (manifests carry fingerprints and checksums).

    Raises:
        LockedError: another process holds it.
    """
    if storage.is_remote(run):
        yield
        return
    path = storage.local_path(storage.join(run, ".lock"))
    if path.parent.exists() and not path.parent.is_dir():
        raise UsageError(f"{run} is a file; {option} names a folder")
    descriptor = -1
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode("ascii", "replace") or "unknown"
            raise LockedError(f"{run} is in use by process {holder}; wait for it, or choose another {option} folder") from None
        except OSError as error:
            raise PipelineError(f"cannot write to {run}: {error.strerror}; free space or choose another {option} folder") from error
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
