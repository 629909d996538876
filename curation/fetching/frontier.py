"""The links of a crawl and what became of each, in a SQLite file: on disk at every moment, of any size, and the way to go on.

All methods belong to one thread. A change is on disk, as far as a killed process is concerned, when its method returns.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yarl import URL

from curation.errors import InputError
from curation.fetching.outcomes import FetchProblem, FetchReason
from curation.fetching.targets import host_key, parse_target
from curation.fetching.warc_files import Place
from curation.fetching.warc_records import Original

LINKS_PER_COMMIT = 50_000
CACHE_KIB = 16 << 10  # our choice: pages of the file that SQLite keeps in memory
CLAIM_BYTES = 16  # of a hash; two in ten thousand million addresses share one with a chance of 10^-19
SCHEMA = """
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links(
    number INTEGER PRIMARY KEY, url TEXT NOT NULL, target TEXT, host INTEGER, redirects INTEGER NOT NULL DEFAULT 0,
    outcome TEXT, reason TEXT, detail TEXT, status INTEGER, bytes INTEGER, file TEXT, offset INTEGER, date TEXT);
CREATE INDEX IF NOT EXISTS waiting ON links(host) WHERE outcome IS NULL;
CREATE TABLE IF NOT EXISTS claims(address BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payloads(digest TEXT PRIMARY KEY, record_id TEXT, uri TEXT, date TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS site_files(url TEXT PRIMARY KEY, fetched REAL, state TEXT, content BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hosts(host TEXT PRIMARY KEY, not_before REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS synced(file TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
"""
COLUMNS = ("url", "outcome", "reason", "detail", "status", "bytes", "file", "offset", "final_url", "redirects", "date")


@dataclass(frozen=True)
class Link:
    """A link that waits. ``target``: what to ask for next, after ``redirects`` redirects."""

    number: int
    target: URL
    redirects: int


@dataclass(frozen=True)
class Stored:
    """An answer in a WARC file; ``bytes``: header and body as received."""

    reason: FetchReason
    status: int
    bytes: int
    place: Place
    date: str


class Frontier:
    """Opens, or makes, the file of a crawl."""

    def __init__(self, path: Path, any_port: bool = False) -> None:
        self._any_port = any_port
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._database.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise InputError(f"cannot use {path}: {error}; choose another --output folder, or delete this one to begin anew") from error

    def close(self) -> None:
        """Fold the journal into the file."""
        self._database.close()

    # --- filling -----------------------------------------------------------------------------------------

    def fill(self, urls: Iterable[str], source: str) -> bool:
        """Take the links of a list, unless they are here; returns whether they were. ``source``: what tells the list from others.

        Raises:
            InputError: the links of another list are here.
        """
        known = self._value("SELECT value FROM settings WHERE name = 'source'")
        if known is not None and known != source:
            raise InputError("the output folder belongs to another list of links; choose another --output folder")
        if known is not None:
            return True
        self._database.execute("DELETE FROM links")  # of a process that was killed in here
        self._database.execute("DELETE FROM claims")
        rows: list[tuple[Any, ...]] = []
        count = 0
        for count, url in enumerate(urls, 1):
            rows.append(self._new_row(count, url))
            if len(rows) == LINKS_PER_COMMIT:
                self._insert(rows)
        self._insert(rows)
        with self._transaction():
            self._database.execute("INSERT INTO settings VALUES ('source', ?), ('links', ?)", (source, str(count)))
        return False

    def _new_row(self, number: int, url: str) -> tuple[Any, ...]:
        url = url.encode("utf-8", "replace").decode()
        try:
            target = parse_target(url, any_port=self._any_port)
        except FetchProblem as problem:
            return (number, url, None, None, problem.reason.outcome.value, problem.reason.value)
        return (number, url, str(target), host_key(target.raw_host or ""), None, None)

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        with self._transaction():
            for row in rows:
                if row[2] is not None and not self._claim(row[2]):
                    twice = FetchReason.LISTED_TWICE
                    row = (row[0], row[1], row[2], None, twice.outcome.value, twice.value)
                self._database.execute("INSERT INTO links(number, url, target, host, outcome, reason) VALUES (?, ?, ?, ?, ?, ?)", row)
        rows.clear()

    def _claim(self, target: str) -> bool:
        """Take an address for one link; False if it was taken before."""
        digest = hashlib.blake2b(target.encode(), digest_size=CLAIM_BYTES).digest()
        return self._database.execute("INSERT OR IGNORE INTO claims VALUES (?)", (digest,)).rowcount == 1

    # --- what waits --------------------------------------------------------------------------------------

    def next_hosts(self, after: int, count: int) -> list[int]:
        """Keys of hosts whose links wait, in order, behind a key (-1: from the first)."""
        query = "SELECT host FROM links WHERE outcome IS NULL AND host > ? ORDER BY host LIMIT 1"
        hosts: list[int] = []
        while len(hosts) < count and (host := self._value(query, after)) is not None:  # DISTINCT would read all links of a host
            hosts.append(host)
            after = host
        return hosts

    def next_links(self, host: int, count: int) -> list[Link]:
        """Links of a host that wait, in the order of the list."""
        query = "SELECT number, target, redirects FROM links WHERE outcome IS NULL AND host = ? ORDER BY number LIMIT ?"
        rows = self._database.execute(query, (host, count))
        return [Link(number, URL(target, encoded=True), redirects) for number, target, redirects in rows]

    # --- what became of it -------------------------------------------------------------------------------

    def store(self, number: int, stored: Stored, payload: tuple[str, Original] | None) -> None:
        """An answer was stored; ``payload``: digest of its body, for revisits to it."""
        with self._transaction():
            if payload is not None:
                digest, original = payload
                self._database.execute(
                    "INSERT OR IGNORE INTO payloads VALUES (?, ?, ?, ?)", (digest, original.record_id, original.uri, original.date)
                )
            self._finish(number, stored.reason, None, stored.status, stored.bytes, stored.place.file, stored.place.offset, stored.date)

    def redirect(self, number: int, target: URL) -> bool:
        """The link waits for another address now; False if another link has taken that, and this one is done."""
        with self._transaction():
            if not self._claim(str(target)):
                self._finish(number, FetchReason.REDIRECT_TO_KNOWN, str(target))
                return False
            query = "UPDATE links SET target = ?, host = ?, redirects = redirects + 1 WHERE number = ?"
            self._database.execute(query, (str(target), host_key(target.raw_host or ""), number))
            return True

    def refuse(self, number: int, problem: FetchProblem, status: int | None = None) -> None:
        """The link is done, without a stored answer."""
        with self._transaction():
            self._finish(number, problem.reason, problem.detail or None, status)

    def give_up(self, host: int, reason: FetchReason) -> int:
        """All links of a host that wait are done; returns their number."""
        query = "UPDATE links SET outcome = ?, reason = ? WHERE outcome IS NULL AND host = ?"
        return self._database.execute(query, (reason.outcome.value, reason.value, host)).rowcount

    def reopen(self, file: str, offset: int) -> None:
        """What was stored in a file from an offset on is lost: its links wait again."""
        query = """UPDATE links SET outcome = NULL, reason = NULL, status = NULL, bytes = NULL, file = NULL, offset = NULL, date = NULL
            WHERE file = ? AND offset >= ?"""
        with self._transaction():
            if self._database.execute(query, (file, offset)).rowcount:
                self._database.execute("DELETE FROM payloads")  # one of them may be lost

    def waiting_for(self, target: str) -> int | None:
        """Number of the link that waits for an address."""
        number: int | None = self._value("SELECT number FROM links WHERE target = ? AND outcome IS NULL", target)
        return number

    def offsets(self, file: str, start: int) -> set[int]:
        """Where in a file the answers of links lie, from an offset on."""
        query = "SELECT offset FROM links WHERE file = ? AND offset >= ?"
        return {offset for (offset,) in self._database.execute(query, (file, start))}

    def _finish(self, number: int, reason: FetchReason, detail: str | None, *answer: Any) -> None:
        values = [*answer, *[None] * (5 - len(answer))]
        query = """UPDATE links SET outcome = ?, reason = ?, detail = ?, status = ?, bytes = ?, file = ?, offset = ?, date = ?
            WHERE number = ?"""
        detail = detail.encode("utf-8", "replace").decode() if detail else None
        self._database.execute(query, (reason.outcome.value, reason.value, detail, *values, number))

    # --- what helps to be polite -------------------------------------------------------------------------

    def original_of(self, digest: str) -> Original | None:
        """The first record with a body."""
        row = self._database.execute("SELECT record_id, uri, date FROM payloads WHERE digest = ?", (digest,)).fetchone()
        return Original(*row) if row else None

    def read_site_file(self, url: str) -> tuple[float, str, bytes] | None:
        """When a file of a site came, its state and content."""
        row = self._database.execute("SELECT fetched, state, content FROM site_files WHERE url = ?", (url,)).fetchone()
        return (row[0], row[1], zlib.decompress(row[2])) if row else None

    def write_site_file(self, url: str, fetched: float, state: str, content: bytes) -> None:
        """Keep a file of a site."""
        values = (url, fetched, state.encode("utf-8", "replace").decode(), zlib.compress(content))
        self._database.execute("INSERT OR REPLACE INTO site_files VALUES (?, ?, ?, ?)", values)

    def write_host(self, host: str, not_before: float) -> None:
        """Keep the wall-clock time before which a host must not be asked."""
        self._database.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?)", (host, not_before))

    def read_host(self, host: str) -> float:
        """That time; 0 where nothing is known."""
        return float(self._value("SELECT not_before FROM hosts WHERE host = ?", host) or 0.0)

    def write_synced(self, place: Place) -> None:
        """A file is on the disk up to a place."""
        self._database.execute("INSERT OR REPLACE INTO synced VALUES (?, ?)", (place.file, place.offset))

    def synced_bytes(self, file: str) -> int:
        """Up to where a file is on the disk."""
        return int(self._value("SELECT bytes FROM synced WHERE file = ?", file) or 0)

    # --- what is told ------------------------------------------------------------------------------------

    def counts(self) -> dict[tuple[str, str], int]:
        """Number of links by outcome and reason; those that wait have neither."""
        rows = self._database.execute("SELECT outcome, reason, count(*) FROM links GROUP BY outcome, reason")
        return {(outcome or "", reason or ""): count for outcome, reason, count in rows}

    def links(self) -> int:
        """Number of links that were taken from the list."""
        return int(self._value("SELECT value FROM settings WHERE name = 'links'"))

    def waiting(self) -> int:
        """Number of links that wait."""
        return int(self._value("SELECT count(*) FROM links WHERE outcome IS NULL") or 0)

    def stored_bytes(self) -> int:
        """Bytes received for stored answers to links."""
        return int(self._value("SELECT sum(bytes) FROM links") or 0)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The columns ``COLUMNS`` of every link, in the order of the list."""
        names = ", ".join("target" if column == "final_url" else column for column in COLUMNS)
        return iter(self._database.execute(f"SELECT {names} FROM links ORDER BY number"))

    def _value(self, query: str, *values: Any) -> Any:
        row = self._database.execute(query, values).fetchone()
        return row[0] if row else None

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    """Everything inside, or nothing."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")
