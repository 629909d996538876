"""Settings and a run that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.curation.runs import make_small_run

# Compiling kernels and starting processes would break a deadline on a busy machine.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small finished run, made once; tests that change it work on a copy."""
    return make_small_run(tmp_path_factory.mktemp("small"))
