"""What a run says of its results, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from curation.runner import StageResult


def outcome_line(result: StageResult) -> str:
    """One line: what came in, what became of it."""
    counts = result.counts
    reused = f", {result.reused} of {result.parts} parts reused" if result.reused else ""
    if result.message:
        return f"{result.stage}: {result.message}; {result.seconds:.1f} s{reused}"
    parts = [f"{counts.entered:,} in", f"{counts.kept:,} kept"]
    if counts.changed:
        parts.append(f"{counts.changed:,} changed")
    for action, reasons in (("removed", counts.removed), ("quarantined", counts.quarantined)):
        parts += [f"{count:,} {action} ({reason})" for reason, count in sorted(reasons.items())]
    return f"{result.stage}: {', '.join(parts)}; {result.seconds:.1f} s{reused}"


def funnel_lines(results: Sequence[StageResult]) -> list[str]:
    """Documents in and out of every stage, as a table."""
    rows = [["stage", "in", "kept", "changed", "removed", "quarantined", "characters out"]]
    for result in results:
        counts = result.counts
        numbers = [counts.entered, counts.kept, counts.changed, counts.removed.total(), counts.quarantined.total()]
        if counts.entered:
            rows.append([result.stage, *(f"{number:,}" for number in (*numbers, counts.characters_out))])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
