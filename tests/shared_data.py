"""Data that lies beside the project on machines where it is developed; tests skip without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared(*parts: str) -> Path:
    """Path of a file of the shared data; skips the test with a reason if it is absent."""
    path = Path(os.environ.get("CRAWL2GPT_SHARED", Path(__file__).resolve().parents[2] / "shared")).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared data is absent: {'/'.join(parts)}")
    return path
