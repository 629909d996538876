"""Common Crawl: its snapshots, their lists of files, and the names by which documents know a file.

    crawl-data/CC-MAIN-2024-22/warc.paths.gz                          the list: one path a line
    crawl-data/CC-MAIN-2024-22/segments/.../warc/CC-MAIN-....warc.gz  a file, about 1 GB

A path means the same file on every server that has it: on data.commoncrawl.org, in the bucket
s3://commoncrawl, on a mirror. So documents carry the path, wherever the file was read.
"""

from __future__ import annotations

import difflib
import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from curation import storage
from curation.draws import draw_integer
from curation.errors import InputError, UsageError
from curation.sources.compressed import open_decompressed
from curation.sources.places import Places
from curation.sources.web import Client, NotThere

HOMES = (
    "s3://commoncrawl/",
    "s3a://commoncrawl/",
    "https://data.commoncrawl.org/",
    "http://data.commoncrawl.org/",
    "https://commoncrawl.s3.amazonaws.com/",
    "https://ds5q9oxwqwsfj.cloudfront.net/",
)
_SNAPSHOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)*")  # CC-MAIN-2024-22, also CC-NEWS/2024/05
_ARCHIVE = re.compile(r"\.(?:warc|wet|arc)(?:\.[a-z0-9]+)?$", re.IGNORECASE)
_OTHER_DATA = re.compile(r"\.wat(?:\.[a-z0-9]+)?$", re.IGNORECASE)
MAX_SHOWN = 80  # characters of a line in a message


@dataclass(frozen=True)
class Source:
    """One input file: ``name`` is what documents and manifests call it, ``location`` where it is read.

    ``places``: the records of it that are read, where they are not all.
    """

    name: str
    location: str
    places: Places | None = None

    @property
    def address(self) -> str:
        """What a receipt says was fetched."""
        return self.location if self.places is None else f"{self.location}#records-{self.places.digest}"


@dataclass(frozen=True)
class Snapshot:
    """A row of Common Crawl's list of snapshots; the days of its first and last page, where the list has them."""

    id: str
    name: str
    first_day: str
    last_day: str


# --- names and places -------------------------------------------------------------------------------


def source_of(entry: str, base_url: str) -> Source:
    """The file that a path of Common Crawl, a local path or a URL names.

    A path, and a URL of the bucket s3://commoncrawl in a list, is read below ``base_url``.
    """
    path = _common_path(entry, base_url)
    if path is None:
        return Source(_without_secrets(entry), entry)
    return Source(path, storage.join(str(base_url), path))


def name_of(location: str, base_url: str) -> str:
    """What documents call a file that is read from ``location``: its path at Common Crawl, if it has one there."""
    path = _common_path(location, base_url) if storage.is_remote(location) else None
    return _without_secrets(location) if path is None else path


def _common_path(entry: str, base_url: str) -> str | None:
    for home in (storage.join(base_url, ""), *HOMES):
        if entry.startswith(home):
            return entry.removeprefix(home)
    return None if "://" in entry or entry.startswith("/") else entry


def _without_secrets(url: str) -> str:
    """A URL without the user, the password and the fragment."""
    if "://" not in url or "@" not in url.partition("://")[2].partition("/")[0]:
        return url.partition("#")[0] if url.startswith(("http://", "https://")) else url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


# --- lists of files ---------------------------------------------------------------------------------


def snapshot_list(snapshot: str, kind: str, base_url: str) -> str:
    """Where the list of a snapshot's files is.

    Raises:
        UsageError: it is no name of a snapshot.
    """
    if not _SNAPSHOT.fullmatch(snapshot) or ".." in snapshot:
        raise UsageError(f"{snapshot:.{MAX_SHOWN}} is no name of a snapshot, such as CC-MAIN-2024-22; see `crawl --list-snapshots`")
    return storage.join(base_url, "crawl-data", snapshot, f"{kind}.paths.gz")


def read_snapshot(client: Client, snapshot: str, kind: str) -> list[Source]:
    """All files of a snapshot.

    Raises:
        InputError: there is no such snapshot, or the server cannot be reached.
    """
    location = snapshot_list(snapshot, kind, client.settings.base_url)
    try:
        content = _read(client, location)
    except NotThere as error:
        raise InputError(f"no list of the {kind} files of {snapshot}: {error}{_nearest(client, snapshot)}") from error
    return parse_list(content, location, client.settings.base_url)


def read_list(client: Client, location: str) -> list[Source]:
    """All files that a list names.

    Raises:
        InputError: there is no such list, or it is none.
    """
    return parse_list(_read(client, location), location, client.settings.base_url)


def _read(client: Client, location: str) -> bytes:
    return client.read_all(location) if storage.is_remote(location) else storage.read_bytes(location)


def parse_list(content: bytes, location: str, base_url: str) -> list[Source]:
    """The files of a list, plain or compressed: a path, URL or local path a line; blank lines and ``#`` comments are left out.

    Raises:
        InputError: a line is none of these, names a file that holds no pages, or there is no line at all.
    """
    with open_decompressed(io.BytesIO(content), location) as stream:
        lines = stream.read().removeprefix(BOM_UTF8).split(b"\n")
    sources = []
    for number, line in enumerate(lines, 1):
        entry = line.decode("utf-8", "backslashreplace").strip()
        if not entry or entry.startswith("#"):
            continue
        wrong = _what_is_wrong(entry)
        if wrong:
            raise InputError(f"{location}, line {number}: {entry:.{MAX_SHOWN}} {wrong}; give a list of WARC or WET files")
        sources.append(source_of(entry, base_url))
    if not sources:
        raise InputError(f"{location} names no file; give a list with a path or URL a line")
    return sources


def _what_is_wrong(entry: str) -> str | None:
    if not entry.isprintable() or any(character in entry for character in "<>{}\\"):
        return "is no path"
    if _OTHER_DATA.search(entry):
        return "is a WAT file, which holds no pages"
    if "://" not in entry and not _ARCHIVE.search(entry):
        return "is no WARC, WET or ARC file"
    return None


def select_files(sources: Sequence[Source], files: str | None, sample: int | None, seed: int) -> list[Source]:
    """Some files of a list: those of a slice (as in Python, ``8`` means ``8:9``), then ``sample`` of them, drawn by ``seed``.

    A sample stands in the order of its draw, so that a larger one begins with the smaller.

    Raises:
        UsageError: nothing is selected, or less than asked for.
    """
    selected = list(sources)
    if files is not None:
        numbers = [int(number) if number else None for number in files.split(":")]
        if numbers[2:] == [0]:
            raise UsageError(f"files {files}: the step of a slice cannot be 0")
        first = numbers[0]
        if len(numbers) == 1 and first is not None:
            numbers = [first, first + 1 or None]  # -1 means the last file
        selected = selected[slice(*numbers)]
    if not selected:
        raise UsageError(f"files {files} selects none of the {len(sources):,} files of the list; they count from 0")
    if sample is not None:
        if sample > len(selected):
            raise UsageError(f"a sample of {sample:,} cannot be drawn from {len(selected):,} files; lower crawl.sample")
        selected = sorted(selected, key=lambda source: draw_integer(seed, "sample files", source.name))[:sample]
    return selected


# --- the list of snapshots --------------------------------------------------------------------------


def list_snapshots(client: Client) -> list[Snapshot]:
    """Common Crawl's snapshots, newest first.

    Raises:
        InputError: the list cannot be reached, or is none.
    """
    url = client.settings.snapshots_url
    try:
        rows = json.loads(_read(client, url))
        snapshots = [
            Snapshot(str(row["id"]), str(row.get("name", "")), str(row.get("from", ""))[:10], str(row.get("to", ""))[:10]) for row in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{url} is no list of snapshots ({error!r}); check crawl.remote.snapshots_url") from error
    return sorted(snapshots, key=lambda snapshot: (snapshot.first_day or _year(snapshot.id), snapshot.id), reverse=True)


def _year(snapshot_id: str) -> str:
    match = re.search(r"\d{4}", snapshot_id)
    return match.group() if match else ""


def _nearest(client: Client, snapshot: str) -> str:
    """What to do about a snapshot that is not there: the nearest name, if the list of snapshots can be had."""
    how = "; `crawl --list-snapshots` lists all"
    hurried = Client(client.settings.model_copy(update={"retries": 0}))  # a hint is not worth waiting for
    try:
        names = [known.id for known in list_snapshots(hurried)]
    except InputError:
        return how
    nearest = difflib.get_close_matches(snapshot, names, 1, 0.0)
    return f"; nearest: {nearest[0]}{how}" if nearest and snapshot not in names else how
