"""Settings that all tests share."""

from __future__ import annotations

from hypothesis import settings

# Compiling kernels and starting processes would break a deadline on a busy machine.
settings.register_profile("project", deadline=None)
settings.load_profile("project")
