"""Which pages are worth reading at all, by their address, size and type, before any of their HTML is parsed.

What excludes wins over what includes. ``prepare_selection`` gathers the recipe's domains and lists into one
committed file; ``why_not_selected`` asks it about a page.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from dataclasses import dataclass
from typing import Any

from curation import storage
from curation.errors import UsageError
from curation.ledger import Reason
from curation.recipe import SelectSettings
from curation.sources.address_lists import SUFFIXES, AddressTable, build_table, entry_of, list_name, read_list
from curation.sources.urls import canonical_key, path_of

FILE = "addresses.zip"


@dataclass(frozen=True)
class PreparedSelection:
    """The committed tables of a run, and what they were made from, for the manifest and the fingerprint."""

    content: bytes
    lists: list[dict[str, Any]]
    entries: int


@dataclass(frozen=True)
class _Tables:
    deny: AddressTable
    allow: AddressTable


def prepare_selection(settings: SelectSettings) -> PreparedSelection:
    """Read every list that the recipe names.

    Raises:
        UsageError: a domain of the recipe is none.
        InputError: a list cannot be read, or is empty.
    """
    tables, lists = {}, []
    for kind, domains, paths in (
        ("deny", settings.deny_domains, settings.deny_lists),
        ("allow", settings.allow_domains, settings.allow_lists),
    ):
        files = storage.expand_paths(paths, SUFFIXES) if paths else []
        own = (f"crawl.select.{kind}_domains", [_entry_of_recipe(kind, domain) for domain in domains])
        tables[kind] = build_table([own, *((list_name(path), read_list(path)) for path in files)])
        for path in files:
            stored = storage.hash_file(path)
            lists.append({"kind": kind, "name": list_name(path), "bytes": stored.bytes, "sha256": stored.sha256})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for kind, table in tables.items():
            archive.writestr(zipfile.ZipInfo(kind), table.to_bytes())
    return PreparedSelection(stream.getvalue(), lists, sum(len(table.hashes) for table in tables.values()))


def _entry_of_recipe(kind: str, domain: str) -> str:
    entry = entry_of(domain)
    if entry is None:
        raise UsageError(f"crawl.select.{kind}_domains: {domain!r} is no domain and no address; write example.org or example.org/forum")
    return entry


@functools.lru_cache(maxsize=1)
def _load_tables(path: str, sha256: str) -> _Tables:
    """The tables of a run; ``sha256`` tells apart what one path has held at different times."""
    with zipfile.ZipFile(io.BytesIO(storage.read_bytes(path))) as archive:
        return _Tables(AddressTable.from_bytes(archive.read("deny")), AddressTable.from_bytes(archive.read("allow")))


def why_not_selected(
    url: str | None, media_type: str, body_bytes: int, settings: SelectSettings, tables: tuple[str, str] | None
) -> tuple[Reason, dict[str, Any]] | None:
    """The reason and its details for a page that the recipe does not select; None for the others.

    ``tables``: path and sha256 of the committed tables, if the recipe has domains or lists.
    """
    url = url or ""
    key = canonical_key(url)
    denied = _why_denied(url, key, settings, tables)
    if denied is not None:
        return Reason.ADDRESS_DENIED, denied
    if not _is_allowed(url, key, settings, tables):
        return Reason.ADDRESS_NOT_ALLOWED, {}
    if media_type not in settings.media_types:
        return Reason.OTHER_MEDIA_TYPE, {"media_type": media_type}
    if body_bytes < settings.min_body_bytes:
        return Reason.OTHER_SIZE, {"body_bytes": body_bytes, "min_body_bytes": settings.min_body_bytes}
    if settings.max_body_bytes is not None and body_bytes > settings.max_body_bytes:
        return Reason.OTHER_SIZE, {"body_bytes": body_bytes, "max_body_bytes": settings.max_body_bytes}
    return None


def _why_denied(url: str, key: str | None, settings: SelectSettings, tables: tuple[str, str] | None) -> dict[str, Any] | None:
    """What excludes an address; ``key``: its canonical form, None if it is no web address."""
    found = _load_tables(*tables).deny.find(key) if tables and key else None
    if found is not None:
        return {"entry": found[0], "list": found[1]}
    extension = _extension(key) if key else None
    if extension in settings.deny_extensions:
        return {"extension": extension}
    pattern = next((pattern for pattern in settings.deny_patterns if _compiled(pattern).search(url)), None)
    return {"pattern": pattern} if pattern is not None else None


def _extension(key: str) -> str | None:
    """``pdf`` of ``example.org/a.b/report.PDF?page=1``; None where the last part of the path has no dot."""
    _, dot, extension = path_of(key).rpartition("/")[2].rpartition(".")
    return extension.lower() if dot else None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_allowed(url: str, key: str | None, settings: SelectSettings, tables: tuple[str, str] | None) -> bool:
    """Whether something includes the address, or the recipe includes all."""
    if not (settings.allow_domains or settings.allow_lists or settings.allow_patterns):
        return True
    if tables and key and _load_tables(*tables).allow.find(key) is not None:
        return True
    return any(_compiled(pattern).search(url) for pattern in settings.allow_patterns)
