"""The processes of one training, as torchrun starts them: who is who, and what they tell each other.

``torchrun --nproc-per-node K cli.py train --run RUN`` starts K of them. All compute; the first alone
holds the lock of the run, writes and prints. Without torchrun there is one, and nothing to tell.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from curation.errors import PipelineError, UsageError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

VARIABLES = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}  # of torchrun, and what they are for one process
MEETING_POINT = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Processes:
    """This process among all. ``local_rank`` counts those of one machine, each with a GPU of its own."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of all processes' tensors, in place."""
        if self.count > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def largest(self, value: int) -> int:
        """The largest of all processes' numbers."""
        if self.count == 1:
            return value
        import torch
        from torch import distributed

        values = torch.tensor(value)
        distributed.all_reduce(values, distributed.ReduceOp.MAX)
        return int(values)

    def share(self, value: T | None) -> T:
        """What the first process says; the others' own value is not looked at."""
        said: list[Any] = [value]
        if self.count > 1:
            import torch
            from torch import distributed

            distributed.broadcast_object_list(said, src=0, device=torch.device("cpu"))
        shared: T = said[0]
        return shared


def processes_of_environment() -> Processes:
    """This process as torchrun's variables describe it; alone without them.

    Raises:
        UsageError: they describe none, as where somebody has set a part of them.
    """
    try:
        rank, count, local_rank = (int(os.environ.get(name, alone)) for name, alone in VARIABLES.items())
    except ValueError:
        rank = count = local_rank = -1
    if not 0 <= rank < count or local_rank < 0 or (count > 1 and not os.environ.keys() >= {*VARIABLES, *MEETING_POINT}):
        names = ", ".join((*VARIABLES, *MEETING_POINT))
        raise UsageError(f"the variables {names} describe no process of torchrun's; start with torchrun, or unset them for one process")
    return Processes(rank, count, local_rank)


@contextlib.contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The processes, connected while inside: by NCCL between GPUs, by gloo between processors.

    Raises:
        UsageError: a machine has more processes than GPUs.
        PipelineError: a connection broke, mostly since another process ended.
    """
    processes = processes_of_environment()
    if processes.count == 1:
        yield processes
        return
    import torch
    from torch import distributed

    gpus = device.startswith(("auto", "cuda")) and torch.cuda.is_available()
    if gpus:
        if processes.local_rank >= torch.cuda.device_count():
            raise UsageError(
                f"process {processes.local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}; "
                "start torchrun with as many processes for each node"
            )
        torch.cuda.set_device(processes.local_rank)
    # No handler runs while a process waits for the others, and torchrun ends it where one of them has failed.
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    signal.signal(signal.SIGTERM, handler)
    try:
        yield processes
    except RuntimeError as error:  # what torch raises where a peer has gone; the peer has told why
        if "onnection" not in str(error):
            raise
        first_line = str(error).splitlines()[0]
        raise PipelineError(f"process {processes.rank} of {processes.count} lost the others ({first_line}); see what they say") from error
    finally:
        distributed.destroy_process_group()
