"""Errors by the reaction they ask for; each class carries the exit code of the whole program.

Every message is one line and says what went wrong, where (file, offset, record, line of the
recipe), and what to do about it. ``cli.py`` prints it and exits with ``exit_code``.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_QUARANTINE = 3
EXIT_LOCKED = 75  # EX_TEMPFAIL of sysexits.h: try again later
EXIT_INTERRUPTED = 130  # 128 + SIGINT
EXIT_TERMINATED = 143  # 128 + SIGTERM


class PipelineError(Exception):
    """An expected failure with a message for the user; never shown as a traceback."""

    exit_code = EXIT_FAILED


class UsageError(PipelineError):
    """The command line or the recipe is wrong: nothing was read or written."""

    exit_code = EXIT_USAGE


class InputError(PipelineError):
    """An input cannot be used: missing, unreadable, damaged, or without what it must hold."""


class IntegrityError(PipelineError):
    """A committed file is not what its manifest says, or a stage's sums do not match."""


class QuarantineError(PipelineError):
    """More of the input was quarantined than the recipe tolerates."""

    exit_code = EXIT_QUARANTINE


class LockedError(PipelineError):
    """Another process works on the same run folder."""

    exit_code = EXIT_LOCKED


class InterruptedRun(PipelineError):
    """The run was asked to stop (SIGINT, SIGTERM); what was committed stays."""

    def __init__(self, message: str, exit_code: int = EXIT_INTERRUPTED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
