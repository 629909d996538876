"""Submissions written by hand, and dumps of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def submission(**fields: Any) -> dict[str, Any]:
    """A submission that shares a page with just enough karma, but for ``fields``."""
    return {"url": "http://example.com/a", "score": 3, "is_self": False, "over_18": False, **fields}


def write_rows(path: Path, *rows: Any) -> str:
    """A dump with rows as JSON, and bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return str(path)
