"""The commands that look at a run, ``explain`` and ``verify``, and at Common Crawl's snapshots; what is heavy is imported when it runs."""

from __future__ import annotations

import argparse
import sys

from curation.errors import EXIT_DONE, EXIT_FAILED, InputError


def add_explain_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``explain``."""
    command.add_argument("document", metavar="URL_OR_ID", help="address or id of the document")
    _add_run_argument(command)


def explain(options: argparse.Namespace) -> int:
    """Print a document's whole life."""
    from curation.explain import explain_document

    lines = explain_document(options.run, options.document)
    if not lines:
        raise InputError(f"{options.document} is not in {options.run}: no document and no ledger row has this URL or id")
    print("\n".join(lines))
    return EXIT_DONE


def add_verify_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``verify``."""
    _add_run_argument(command)


def verify(options: argparse.Namespace) -> int:
    """Check all committed outputs; exit code 1 if anything is damaged or missing."""
    from curation.verify import verify_run

    checked, problems = verify_run(options.run)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        return EXIT_FAILED
    print(f"verified: {checked} files of {options.run} are as their manifests say")
    return EXIT_DONE


def list_snapshots(options: argparse.Namespace) -> int:
    """Print Common Crawl's snapshots as a table, newest first."""
    from curation.recipe_file import load_recipe
    from curation.sources import commoncrawl
    from curation.sources.web import Client

    snapshots = commoncrawl.list_snapshots(Client(load_recipe(options.recipe, options.set).crawl.remote))
    widths = [max((len(getattr(snapshot, column)) for snapshot in snapshots), default=0) for column in ("id", "name")]
    for snapshot in snapshots:
        print(f"{snapshot.id:{widths[0]}}  {snapshot.name:{widths[1]}}  {snapshot.first_day}  {snapshot.last_day}".rstrip())
    return EXIT_DONE


def _add_run_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", metavar="RUN", required=True, help="folder of the run, or an fsspec URL")
