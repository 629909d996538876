"""What each process of tests/trainer/test_processes.py does: a list of trainings, given as JSON."""

from __future__ import annotations

import contextlib
import json
import sys

import torch

from curation.errors import InterruptedRun
from tests.trainer.small_training import SETTINGS, never, run, stop_after
from trainer.processes import joined


def main() -> None:
    torch.set_num_threads(1)
    with joined("cpu") as processes:
        for case in json.loads(sys.argv[2]):
            stop = stop_after(case["stop"]) if "stop" in case and processes.rank == case["rank"] else never
            with contextlib.suppress(InterruptedRun):
                run(
                    sys.argv[1],
                    f"{sys.argv[1]}/../{case['folder']}",
                    SETTINGS.model_copy(update=case["settings"]),
                    stop=stop,
                    processes=processes,
                )


if __name__ == "__main__":
    main()
