"""One process at a time works on a run folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from curation import storage
from curation.errors import LockedError, PipelineError


@contextlib.contextmanager
def run_lock(run: str) -> Iterator[None]:
    """Hold the run folder; the kernel lets go when the process ends, however it ends.

    Object stores have no locks: there the scheduler must see to it, and two runs at once waste work
    but cannot mix their outputs (manifests carry fingerprints and checksums).

    Raises:
        LockedError: another process holds it.
    """
    if storage.is_remote(run):
        yield
        return
    path = storage.local_path(storage.join(run, ".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - held open for the lock
    except OSError as error:
        raise PipelineError(f"cannot write to {run}: {error.strerror}; choose another --run folder") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise LockedError(f"{run} is in use by process {holder}; wait for it, or choose another --run folder") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
