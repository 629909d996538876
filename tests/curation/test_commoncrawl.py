"""Lists of Common Crawl: what a line names, which files are selected, which snapshots there are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from curation.errors import InputError, UsageError
from curation.recipe import CrawlSettings, RemoteSettings
from curation.recipe_file import load_recipe
from curation.sources.commoncrawl import (
    Source,
    list_snapshots,
    name_of,
    parse_list,
    read_snapshot,
    select_files,
    snapshot_list,
    source_of,
)
from curation.sources.web import Client
from tests.curation.archive_server import archive_server
from tests.shared_data import shared

HTTPS = "https://data.commoncrawl.org/"
PATH = "crawl-data/CC-MAIN-2013-20/segments/1368696382185/warc/CC-MAIN-20130516092622-00084-ip-10-60-113-184.ec2.internal.warc.gz"
LIST = [Source(f"crawl-data/{number}.warc.gz", f"{HTTPS}crawl-data/{number}.warc.gz") for number in range(100)]


@pytest.mark.parametrize("home", ["", "s3://commoncrawl/", "s3a://commoncrawl/", HTTPS, "https://commoncrawl.s3.amazonaws.com/"])
@pytest.mark.parametrize("base_url", [HTTPS, "s3://commoncrawl", "/mirror/", "http://127.0.0.1:80"])
def test_a_path_is_read_below_the_base_url_in_whatever_form_it_is_given(home: str, base_url: str) -> None:
    assert source_of(home + PATH, base_url) == Source(PATH, f"{base_url.rstrip('/')}/{PATH}")


@pytest.mark.parametrize("entry", ["https://example.org/x.warc.gz", "s3://bucket/x.warc.gz", "/data/x.warc.gz"])
def test_other_places_are_read_where_they_are(entry: str) -> None:
    assert source_of(entry, HTTPS) == Source(entry, entry)


def test_documents_name_no_password() -> None:
    assert name_of("https://user:secret@example.org/x.warc.gz#part", HTTPS) == "https://example.org/x.warc.gz"
    assert name_of("https://example.org/a@b.warc.gz", HTTPS) == "https://example.org/a@b.warc.gz"


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("dclm-400m-1x.paths.txt.gz", 10_364, PATH),  # `zcat | grep -c .`
        (
            "test-100.wet.paths.txt",
            100,
            "crawl-data/CC-MAIN-2014-35/segments/1408500800168.29/wet/CC-MAIN-20140820021320-00000-ip-10-180-136-8.ec2.internal.warc.wet.gz",
        ),
    ],
)
def test_real_lists(name: str, count: int, first: str) -> None:
    path = shared("data", "warc", "commoncrawl", "index", name)
    sources = parse_list(path.read_bytes(), str(path), HTTPS)
    assert len(sources) == len({source.name for source in sources}) == count
    assert sources[0] == Source(first, HTTPS + first)


@pytest.mark.parametrize(
    ("name", "problem"), [("test-100.wat.paths.txt", "is a WAT file"), ("cc-main-2024-22.parquet-parts.gz", "is no WARC")]
)
def test_real_lists_of_other_things(name: str, problem: str) -> None:
    path = shared("data", "warc", "commoncrawl", "index", name)
    with pytest.raises(InputError, match=f"line 1: .*{problem}"):
        parse_list(path.read_bytes(), str(path), HTTPS)


def test_lists_written_by_people() -> None:
    content = b"# two files\r\n\r\n  a/b.warc.gz \r\nhttps://example.org/get?id=5\n"
    assert [source.location for source in parse_list(content, "list", HTTPS)] == [f"{HTTPS}a/b.warc.gz", "https://example.org/get?id=5"]
    assert parse_list(gzip.compress(content), "list", HTTPS) == parse_list(content, "list", HTTPS)
    assert parse_list(b"\xef\xbb\xbf" + content[content.index(b"a/b") :], "list", HTTPS) == parse_list(content, "list", HTTPS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "list names no file"),
        (b"# nothing\n", "list names no file"),
        (b"a.warc.gz\n<html><body>No such list</body></html>", "list, line 2: <html>.* is no path"),
        (b'{"error": 1}', "line 1: .* is no path"),
        (b"\x00\xff", "line 1: .* is no path"),
        (b"crawl-data/index.html", "is no WARC, WET or ARC file"),
    ],
)
def test_what_is_no_list(content: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_list(content, "list", HTTPS)


def test_a_list_cut_short() -> None:
    with pytest.raises(InputError, match=r"cannot decompress warc\.paths\.gz: .*fetch it again"):
        parse_list(gzip.compress(b"a.warc.gz\n" * 1000)[:-9], "warc.paths.gz", HTTPS)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (None, list(range(100))),
        ("0:8", list(range(8))),
        (":3", [0, 1, 2]),
        ("97:", [97, 98, 99]),
        ("-2:", [98, 99]),
        ("98:1000", [98, 99]),
        ("::40", [0, 40, 80]),
        ("5", [5]),
        ("-1", [99]),
        ("-2", [98]),
    ],
)
def test_selection_is_a_slice(files: str | None, expected: list[int]) -> None:
    assert CrawlSettings(files=files).files == files
    assert select_files(LIST, files, None, 0) == [LIST[number] for number in expected]


@pytest.mark.parametrize("files", ["100", "50:50", "100:", "8:0"])
def test_an_empty_selection_is_an_error(files: str) -> None:
    with pytest.raises(UsageError, match=f"files {files} selects none of the 100 files"):
        select_files(LIST, files, None, 0)


@pytest.mark.parametrize("files", ["a", "", "1:2:3:4", "1.5", "0-8", "1,2"])
def test_what_is_no_slice(files: str) -> None:
    with pytest.raises(UsageError, match=r"crawl\.files"):
        load_recipe(None, [f"crawl.files={json.dumps(files)}"])


def test_samples_are_drawn_by_the_seed_and_grow_at_their_end() -> None:
    ten, twenty = (select_files(LIST, None, count, 7) for count in (10, 20))
    assert twenty[:10] == ten
    assert len({source.name for source in twenty}) == 20
    assert set(select_files(LIST, None, 10, 8)) != set(ten)
    assert set(select_files(LIST, "50:", 50, 7)) == set(LIST[50:])
    with pytest.raises(UsageError, match="a sample of 101 cannot be drawn from 100 files"):
        select_files(LIST, None, 101, 0)


@pytest.mark.parametrize("snapshot", ["CC-MAIN-2024-22", "CC-MAIN-2012", "CC-MAIN-2008-2009", "CC-NEWS/2024/05"])
def test_where_the_list_of_a_snapshot_is(snapshot: str) -> None:
    assert snapshot_list(snapshot, "wet", HTTPS) == f"{HTTPS}crawl-data/{snapshot}/wet.paths.gz"


@pytest.mark.parametrize("snapshot", ["../x", "a b", "CC-MAIN-2024-22/", "/etc", "x/../y", "https://example.org"])
def test_what_is_no_name_of_a_snapshot(snapshot: str) -> None:
    with pytest.raises(UsageError, match="is no name of a snapshot"):
        snapshot_list(snapshot, "warc", HTTPS)


SNAPSHOTS = [
    {"id": "CC-MAIN-2024-18", "name": "April 2024 Index", "from": "2024-04-12T11:51:17", "to": "2024-04-25T15:40:56"},
    {"id": "CC-MAIN-2024-22", "name": "May 2024 Index", "from": "2024-05-18T01:02:03", "to": "2024-05-31T01:02:03"},
    {"id": "CC-MAIN-2012", "name": "Index of 2012 ARC files"},
]


def test_snapshots_come_newest_first() -> None:
    with archive_server() as server:
        server.files["collinfo.json"] = json.dumps(SNAPSHOTS).encode()
        found = list_snapshots(Client(RemoteSettings(snapshots_url=server.url + "collinfo.json")))
    assert [(snapshot.id, snapshot.first_day, snapshot.last_day) for snapshot in found] == [
        ("CC-MAIN-2024-22", "2024-05-18", "2024-05-31"),
        ("CC-MAIN-2024-18", "2024-04-12", "2024-04-25"),
        ("CC-MAIN-2012", "", ""),
    ]


@pytest.mark.parametrize("content", [b"<html>", b"{}", b"[1]", b'[{"name": "x"}]', b"null"])
def test_what_is_no_list_of_snapshots(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "collinfo.json").write_bytes(content)
    client = Client(RemoteSettings(snapshots_url=str(tmp_path / "collinfo.json")))
    if content == b"{}":
        assert list_snapshots(client) == []
        return
    with pytest.raises(InputError, match="is no list of snapshots"):
        list_snapshots(client)


def test_an_unknown_snapshot_is_told_with_the_nearest() -> None:
    with archive_server() as server:
        server.files["collinfo.json"] = json.dumps(SNAPSHOTS).encode()
        client = Client(RemoteSettings(base_url=server.url, snapshots_url=server.url + "collinfo.json"))
        with pytest.raises(InputError, match=r"404.*; nearest: CC-MAIN-2024-22; `crawl --list-snapshots` lists all"):
            read_snapshot(client, "CC-MAIN-2024-23", "warc")
        del server.files["collinfo.json"]
        with pytest.raises(InputError, match=r"404.*check the path; `crawl --list-snapshots` lists all"):
            read_snapshot(client, "CC-MAIN-2024-23", "warc")
