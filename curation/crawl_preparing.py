"""What a crawl reads once for all of its workers: links that readers shared, tables of domains and addresses.

All of it is committed below RUN/crawl/prepared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from curation import storage
from curation.cascade import PageJudge
from curation.errors import InputError
from curation.finished import prepared_file
from curation.preparing import commit_prepared
from curation.recipe import CrawlSettings
from curation.recipe_links import LinksSettings
from curation.runner import RunContext
from curation.selection import FILE as ADDRESSES_FILE
from curation.selection import prepare_selection
from curation.shards import ManifestFile, fingerprint_of

STAGE = "crawl"
TABLE_SUFFIX = ".parquet"  # of a table of links; anything else is a dump


@dataclass
class PreparedCrawl:
    """What was committed for the workers: folder of the links, path and sha256 of the tables of addresses.

    ``files``: all of it, with size and checksum, and the user's lists that it was made of.
    """

    judge: PageJudge | None
    links: str | None = None
    addresses: tuple[str, str] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)


def prepare_crawl(settings: CrawlSettings, links: LinksSettings, judge: PageJudge | None, context: RunContext) -> PreparedCrawl:
    """Read what the recipe selects pages by, and commit it.

    Raises:
        UsageError: a domain of the recipe is none.
        InputError: a dump, a table or a list cannot be read.
    """
    storage.remove(prepared_file(context.folder, STAGE))
    prepared = PreparedCrawl(judge)
    files: list[ManifestFile] = []
    values: dict[str, Any] = {}
    if settings.links or settings.places:
        values["rows"] = _prepare_links(settings, links, context, files)
        prepared.links = storage.join(context.folder, STAGE, "prepared")
    if settings.select.names_addresses:
        selection = prepare_selection(settings.select)
        context.progress.say(f"{STAGE}: {selection.entries:,} domains and addresses to select by")
        values["lists"] = selection.lists
        prepared.addresses = (_commit(context, ADDRESSES_FILE, selection.content, selection.entries, files), files[-1].sha256)
    listed = [asdict(file) for file in files]
    if files:
        commit_prepared(context.folder, STAGE, fingerprint_of({"files": listed, **values}), values, files)
    prepared.files = [*listed, *values.get("lists", [])]
    return prepared


def _prepare_links(settings: CrawlSettings, links: LinksSettings, context: RunContext, files: list[ManifestFile]) -> dict[str, int]:
    """Commit the shared pages; returns the rows of the dumps, if there are any, by fate."""
    from curation.links.dumps import write_links
    from curation.links.shared_pages import gather_shared_pages

    named = [path for path in [*settings.links, *settings.places] if path.endswith(TABLE_SUFFIX)]
    dumps = [path for path in settings.links if path not in named]
    tables = storage.expand_paths(named, (TABLE_SUFFIX,))
    rows: dict[str, int] = {}
    if dumps:
        name = f"{STAGE}/prepared/links.parquet"
        table = storage.join(context.folder, name)
        result = write_links(dumps, table, links, context.workers, context.progress)
        if result.failures:
            raise InputError(result.failures[0]["error"])
        stored = storage.hash_file(table)
        files.append(ManifestFile(name, result.links, stored.bytes, stored.sha256))
        tables.append(table)
        rows = dict(result.rows)
    pages = gather_shared_pages(tables, settings.links_match)
    submissions = f" in {sum(rows.values()):,} submissions" if rows else ""
    context.progress.say(f"{STAGE}: {len(pages.hashes):,} shared {'pages' if pages.match == 'url' else 'domains'}{submissions}")
    for name, content in pages.to_files().items():
        _commit(context, name, content, len(pages.hashes), files)
    return rows


def _commit(context: RunContext, name: str, content: bytes, rows: int, files: list[ManifestFile]) -> str:
    """Commit a prepared file and note it in ``files``; returns its path."""
    stored = storage.commit_bytes(storage.join(context.folder, f"{STAGE}/prepared/{name}"), content)
    files.append(ManifestFile(f"{STAGE}/prepared/{name}", rows, stored.bytes, stored.sha256))
    return stored.path
