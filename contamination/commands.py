"""The command ``contamination report``; everything heavy is imported when it runs."""

from __future__ import annotations

import argparse


def add_report_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``contamination report``."""
    command.add_argument("--run", metavar="RUN", required=True, help="folder of the run, or an fsspec URL")
    help_text = 'scores of a model, JSON Lines: {"benchmark": "BoolQ/validation", "item": 0, "score": 1.0}, also with "metric"'
    command.add_argument("--scores", nargs="+", action="extend", default=[], metavar="FILE", help=help_text)


def report(options: argparse.Namespace) -> int:
    """Print the report of overlap; with scores, the comparison, which is also committed as JSON, CSV and a page."""
    from contamination.scores import SCORES, compare_run, comparisons_to_csv, comparisons_to_json, published_report
    from contamination.scores_page import render_scores_page
    from curation import storage
    from curation.errors import EXIT_DONE

    if not options.scores:
        for row in published_report(options.run):
            label = f"{row['name']}/{row['split']}" if row["split"] else row["name"]
            print(f"{label}: {row['dirty']:,} of {row['items']:,} items dirty ({row['clean_percent']:.2f} % clean), n = {row['n']}")
        print(f"page: {storage.join(options.run, 'contamination/report.html')}")
        return EXIT_DONE
    comparisons = compare_run(options.run, options.scores)
    for comparison in comparisons:
        dirty = f"dirty {_shown(comparison.dirty_score)} ({comparison.dirty:,})"
        clean = f"clean {_shown(comparison.clean_score)} ({comparison.clean:,})"
        difference = _difference(comparison.relative_low, comparison.relative_difference, comparison.relative_high)
        print(
            f"{comparison.benchmark} {comparison.metric}".rstrip() + f": all {_shown(comparison.all_score)}, {dirty}, {clean}; {difference}"
        )
    outputs = {"json": comparisons_to_json, "csv": comparisons_to_csv, "html": render_scores_page}
    for kind, render in outputs.items():
        path = storage.commit_bytes(storage.join(options.run, SCORES[kind]), render(comparisons)).path
    print(f"page: {path}")
    return EXIT_DONE


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _difference(low: float | None, value: float | None, high: float | None) -> str:
    if value is None:
        return "no relative difference"
    interval = "" if low is None else f" ({low:+.1f} to {high:+.1f})"
    return f"relative difference {value:+.1f} %{interval}"
