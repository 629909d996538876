"""What tests that train share: tokens, and one thread."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainer.small_training import write_tokens


@pytest.fixture
def one_thread():  # type: ignore[no-untyped-def]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are too small to share
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tokens_folder(tmp_path: Path) -> Path:
    return write_tokens(tmp_path / "tokens")
