"""The commands that look at a run, ``explain`` and ``verify``, and at Common Crawl's snapshots; what is heavy is imported when it runs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from curation.errors import EXIT_DONE, EXIT_FAILED, InputError, PipelineError, UsageError

if TYPE_CHECKING:
    from curation.explain import CrawledPage


def add_explain_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``explain``."""
    command.add_argument("document", metavar="URL_OR_ID", help="address or id of the document")
    _add_run_argument(command)
    command.add_argument(
        "--blocks", action="store_true", help="list all blocks of its page, not only the kept ones and the likeliest others"
    )
    command.add_argument("--html", metavar="FILE", help="write its page with the blocks painted to this file, kept ones green, others red")


def explain(options: argparse.Namespace) -> int:
    """Print a document's whole life, and which blocks of its page were kept, where the page is at hand."""
    from curation.explain import document_ids, explain_document, find_page

    ids = document_ids(options.run, options.document)
    if not ids:
        raise InputError(f"{options.document} is not in {options.run}: no document and no ledger row has this URL or id")
    pages = {document_id: find_page(options.run, document_id) for document_id in ids}
    crawled = [document_id for document_id, page in pages.items() if page]
    if options.html and not crawled:
        raise UsageError(f"--html paints a crawled page, and {options.document} was not crawled in {options.run}; leave --html out")
    if options.html and len(crawled) > 1:
        raise UsageError(f"--html paints one page, and {options.document} names {len(crawled)}: {', '.join(crawled)}; give an id")
    for document_id, page in pages.items():
        print("\n".join(explain_document(options.run, document_id)), flush=True)
        if page:
            _explain_blocks(page, options.blocks, options.html)
    return EXIT_DONE


def _explain_blocks(page: CrawledPage, whole: bool, painted: str | None) -> None:
    """Print the blocks of a page, or why they cannot be told.

    Raises:
        InputError: they were to be painted, but cannot be.
    """
    from pathlib import Path

    from curation.extraction.paint import painted_page
    from curation.extraction.show import block_lines, judge_crawled

    try:
        judgement = judge_crawled(page)
    except (PipelineError, OSError) as error:
        if painted:
            raise InputError(f"--html {painted}: no blocks of {page.id}: {error}") from error
        print(f"  blocks             not shown: {error}")
        return
    first, *lines = block_lines(judgement, whole)
    # The crawl looks at more than blocks: at what the kept ones say, at how many there are, and at limits.
    first += "; the crawl kept no text of them, see above" if page.text is None and judgement.kept.any() else ""
    print("\n".join([f"  blocks             by {page.extractor}: {first}", *(f"  {line}" for line in lines)]))
    if painted:
        Path(painted).write_text(painted_page(judgement, page.id), encoding="utf-8")
        print(f"output: {painted}")


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
