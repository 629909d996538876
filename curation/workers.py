"""The workers of a run: of one step, or shared by several."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from curation.engine.local import LocalEngine

if TYPE_CHECKING:
    from curation.runner import RunContext


@contextlib.contextmanager
def shared_workers(context: RunContext) -> Iterator[RunContext]:
    """The context with workers that all steps of the block share: each would start some of its own."""
    with open_engine(context) as engine:
        yield replace(context, engine=engine)


@contextlib.contextmanager
def open_engine(context: RunContext) -> Iterator[LocalEngine]:
    """The context's engine, or one for the time of the block."""
    if context.engine is not None:
        yield context.engine
    else:
        with LocalEngine(context.workers) as engine:
            yield engine
