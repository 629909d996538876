"""The report stage: one self-contained HTML page about a run, from what the run has committed.

``collect`` reads a run into ``facts``; ``page`` and the modules it calls turn these into HTML.
"""

from __future__ import annotations

import time

from curation import storage
from curation.recipe import ReportSettings
from curation.runner import RunContext, StageResult

STAGE = "report"
PAGE = "report/index.html"


def run_report(settings: ReportSettings, context: RunContext) -> StageResult:
    """Commit ``RUN/report/index.html``: the same run and settings give the same bytes.

    Raises:
        InputError: no stage of the run has finished.
        IntegrityError: a committed file is damaged or missing.
    """
    from curation.report.collect import collect
    from curation.report.page import render_page

    started = time.monotonic()
    facts = collect(context.folder, settings)
    stored = storage.commit_bytes(storage.join(context.folder, PAGE), render_page(facts, settings.title))
    message = f"{len(facts.stages)} stages, {len(facts.samples)} sample texts, {stored.bytes:,} bytes"
    return StageResult(STAGE, parts=1, seconds=time.monotonic() - started, message=message)
