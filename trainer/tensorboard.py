"""The training log for TensorBoard, beside the log of our own.

``tensorboard`` brings a dozen packages with it, gRPC among them, for what many never look at: it is an extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from curation.errors import UsageError

FOLDER = "tensorboard"
NO_CURVES = ("step", "tokens")


def open_tensorboard(model_folder: Path, tokens: int, stack: ExitStack) -> Callable[[Mapping[str, Any]], None]:
    """What writes a row of the log as points over tokens, until ``stack`` closes; points behind ``tokens`` are hidden.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("train.tensorboard needs a package: pip install 'crawl2gpt[tensorboard]', or set it to false") from error
    writer = SummaryWriter(str(model_folder / FOLDER), purge_step=tokens + 1)  # type: ignore[no-untyped-call]
    stack.callback(writer.close)

    def write(row: Mapping[str, Any]) -> None:
        by_source = {f"source_losses/{source}": loss for source, loss in row.get("source_losses", {}).items()}
        for name, value in {**row, **by_source}.items():
            if name not in NO_CURVES and isinstance(value, int | float):
                writer.add_scalar(name, value, row["tokens"])  # type: ignore[no-untyped-call]

    return write
