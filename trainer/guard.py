"""Which steps are skipped: those that are not finite, and those whose gradient is far larger than of late."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.errors import PipelineError

# Ours. The median over a hundred steps follows the slow fall of the norm and is blind to single spikes; before it has twenty
# to go by, nothing counts as a spike.
REMEMBERED_NORMS = 100
FEWEST_NORMS = 20


@dataclass
class StepGuard:
    """The rule, and what it remembers: norms of the steps taken (before clipping), and how many were skipped."""

    spike_factor: float | None
    max_skipped_steps: int
    norms: list[float] = field(default_factory=list)
    skipped: int = 0
    skipped_in_a_row: int = 0

    def reason_to_skip(self, loss: float, gradient_norm: float) -> str | None:
        """Why a step must not be taken; None: it may be.

        A loss or norm that is not finite; or a norm above ``spike_factor`` times the median of the
        last ``REMEMBERED_NORMS`` steps taken.
        """
        if not math.isfinite(loss):
            return "the loss is not finite"
        if not math.isfinite(gradient_norm):
            return "the gradient norm is not finite"
        if self.spike_factor is None or len(self.norms) < FEWEST_NORMS:
            return None
        median = statistics.median(self.norms)
        if gradient_norm > self.spike_factor * median:
            return f"the gradient norm {gradient_norm:.4g} is more than {self.spike_factor:g} times the median {median:.4g}"
        return None

    def took(self, gradient_norm: float) -> None:
        """Remember a step that was taken."""
        self.norms = [*self.norms, gradient_norm][-REMEMBERED_NORMS:]
        self.skipped_in_a_row = 0

    def skip(self, reason: str, step: int) -> None:
        """Count a step that was not taken.

        Raises:
            PipelineError: more than ``max_skipped_steps`` in a row were skipped.
        """
        self.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row > self.max_skipped_steps:
            raise PipelineError(
                f"{self.skipped_in_a_row} steps in a row were skipped, the last being step {step}: {reason}; "
                "lower train.learning_rate or raise train.warmup_tokens, and train again"
            )

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"norms": self.norms, "skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of ``state``."""
        self.norms, self.skipped, self.skipped_in_a_row = list(state["norms"]), state["skipped"], state["skipped_in_a_row"]
