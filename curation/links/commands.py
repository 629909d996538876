"""The commands ``links`` and ``lookup``; everything heavy is imported when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from curation.options import positive

if TYPE_CHECKING:
    from curation.links.dumps import LinksResult
    from curation.recipe_links import LinksSettings


def add_links_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``links``."""
    help_text = "submission dumps, one JSON object a line (.zst, .xz, .bz2, .gz or plain): paths, globs, folders, URLs"
    command.add_argument("dumps", nargs="+", metavar="DUMPS", help=help_text)
    command.add_argument("--output", required=True, metavar="FILE", help="Parquet file to write; FILE.summary.json tells each row's fate")
    _add_common_arguments(command)
    command.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)")


def links(options: argparse.Namespace) -> int:
    """Write the table of links and its summary, and say where each row went."""
    from curation.errors import EXIT_DONE, EXIT_FAILED
    from curation.links.dumps import write_links
    from curation.progress import Progress
    from curation.recipe_file import load_recipe

    settings = load_recipe(options.recipe, options.set).links
    result = write_links(options.dumps, options.output, settings, options.workers, Progress(options.quiet))
    _write_summary(options.output, result, settings)
    fates = ", ".join(f"{count:,} {fate}" for fate, count in result.rows.items() if count)
    print(f"links: {result.rows.total():,} rows of {len(result.dumps)} dumps: {fates}")
    for failure in result.failures:
        print(f"error: {failure['error']}", file=sys.stderr)
    print(f"output: {options.output} ({result.links:,} links)")
    print(f"next: python cli.py lookup {options.output} --snapshot CC-MAIN-YYYY-WW --output places.parquet")
    return EXIT_FAILED if result.failures else EXIT_DONE


def add_lookup_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``lookup``."""
    command.add_argument("links", metavar="LINKS", help="table of links, as `links` writes it")
    help_text = "a snapshot of Common Crawl whose columnar index is asked, such as CC-MAIN-2024-22"
    command.add_argument("--snapshot", nargs="+", action="extend", default=[], metavar="ID", help=help_text)
    help_text = (
        "an index: Parquet files of the columnar one, the cluster.idx of a CDX one, "
        "files of CDX lines (.cdxj, cdx-00000.gz), or a CDX server (https://.../ID-index)"
    )
    command.add_argument("--index", nargs="+", action="extend", default=[], metavar="PATH", help=help_text)
    command.add_argument("--output", required=True, metavar="FILE", help="Parquet file to write; FILE.summary.json tells the links' fates")
    _add_common_arguments(command)


def lookup(options: argparse.Namespace) -> int:
    """Write the table of places and its summary."""
    from curation.errors import EXIT_DONE, UsageError
    from curation.links.lookup import look_up, open_indexes
    from curation.progress import Progress
    from curation.recipe_file import load_recipe
    from curation.sources.web import Client

    if not options.snapshot and not options.index:
        raise UsageError("no index to look into; give a --snapshot of Common Crawl or an --index")
    recipe = load_recipe(options.recipe, options.set)
    indexes = open_indexes(options.snapshot, options.index, Client(recipe.crawl.remote))
    result = look_up(options.links, indexes, options.output, recipe.lookup, Progress(options.quiet))
    fates = {"found": result.found, "no_page": result.no_page, "no_capture": result.no_capture}
    settings = {**recipe.lookup.model_dump(mode="json"), "snapshots": options.snapshot, "indexes": options.index}
    _commit_json(options.output, {"links": {"total": result.links, **fates}, "captures": result.captures, "settings": settings})
    print(
        f"lookup: {result.links:,} links: {', '.join(f'{count:,} {fate}' for fate, count in fates.items())}; {result.captures:,} captures"
    )
    print(f"output: {options.output}\nnext: python cli.py crawl --places {options.output} --run RUN")
    return EXIT_DONE


def _write_summary(output: str, result: LinksResult, settings: LinksSettings) -> None:
    values = {
        "links": result.links,
        "rows": {"total": result.rows.total(), **result.rows},
        "dumps": result.dumps,
        "failed_inputs": result.failures,
        "settings": settings.model_dump(mode="json"),
    }
    _commit_json(output, values)


def _commit_json(output: str, values: dict[str, Any]) -> None:
    from curation import storage

    content = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    storage.commit_bytes(f"{output}.summary.json", content.encode("utf-8", "replace"))


def _add_common_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recipe", metavar="FILE", help="recipe to take settings from (default: all defaults)")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value, such as links.min_karma=5")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")
