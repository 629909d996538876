"""The command ``fetch``; everything heavy is imported when it runs."""

from __future__ import annotations

import argparse
import json
import time


def add_fetch_arguments(command: argparse.ArgumentParser) -> None:
    """Options of ``fetch``."""
    command.add_argument("links", metavar="LINKS", help="what `links` made, or a text file with an address a line")
    command.add_argument("--output", metavar="FOLDER", required=True, help="local folder for the WARC files and the outcome of every link")
    command.add_argument("--contact", metavar="ADDRESS", help="your page or mail address, for the User-Agent (fetch.contact)")
    command.add_argument("--allow-private-hosts", action="store_true", help="also ask private addresses, on any port: for your own servers")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N links of the list")
    command.add_argument("--recipe", metavar="FILE", help="recipe to take the section fetch from (default: all defaults)")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value, such as fetch.delay_seconds=2")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")


def fetch(options: argparse.Namespace) -> int:
    """Fetch the linked pages into WARC files."""
    from curation.errors import EXIT_DONE, UsageError
    from curation.fetching.fetch import fetch_links
    from curation.fetching.results import summary_line
    from curation.progress import Progress
    from curation.recipe_file import load_recipe

    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit} is no positive whole number; leave it out for all links")
    overrides = list(options.set)
    if options.contact is not None:
        overrides.append(f"fetch.contact={json.dumps(options.contact, ensure_ascii=False)}")
    if options.allow_private_hosts:
        overrides.append("fetch.allow_private_hosts=true")
    settings = load_recipe(options.recipe, overrides).fetch
    started = time.monotonic()
    summary = fetch_links(settings, options.links, options.output, Progress(options.quiet), options.limit)
    print(summary_line(summary, time.monotonic() - started))
    print(f"output: {options.output}")
    if summary["files"]:
        print(f"next: python cli.py crawl {options.output} --run RUN")
    return EXIT_DONE
