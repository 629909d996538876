"""Lookups in indexes made by the tests, and crawls of what was found: from files, from a web server, against a whole crawl."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from curation.links import cdx_index, columnar_index, lookup
from tests.curation.archive_server import ArchiveServer, Mood, archive_server
from tests.curation.links.snapshot import CDX, SNAPSHOT, TABLE, Capture, cdx_line, make_snapshot, warc_name, write_cdx, write_columnar
from tests.curation.runs import pages_of, run_here, table

LINKED = {"site0.example/1": 5, "site0.example/4": 9, "site1.example/0": 3, "site3.example/2": 8, "site9.example/": 4, "site2.example/1": 7}
TIED = "site0.example/1"  # in the first file, and again in the last, which is two days younger


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with three files of four sites, and both indexes of it."""
    folder = tmp_path_factory.mktemp("mirror")
    files = [pages_of(6, "site0.example"), {**pages_of(3, "site1.example"), **pages_of(3, "site2.example")}]
    files.append({f"https://{TIED}": "Younger words on ships. " * 9, **pages_of(4, "site3.example")})
    captures = make_snapshot(folder, files)
    # The only capture of this page is a redirect, which crawl does not read.
    captures = [replace(capture, status=301) if capture.url.endswith("site2.example/1") else capture for capture in captures]
    write_columnar(folder, captures)
    write_cdx(folder, captures)
    (folder / "captures.json").write_text(json.dumps([[capture.url, capture.file, capture.offset, capture.length] for capture in captures]))
    return folder


@pytest.fixture
def server(mirror: Path) -> Iterator[ArchiveServer]:
    with archive_server() as running:
        for path in mirror.rglob("*.*"):
            if path.is_file():
                running.files[str(path.relative_to(mirror))] = path.read_bytes()
        yield running


@pytest.fixture
def links(tmp_path: Path) -> Path:
    path = tmp_path / "links.parquet"
    pl.DataFrame({"url": [f"http://www.{key}" for key in LINKED], "key": list(LINKED), "karma": list(LINKED.values())}).write_parquet(path)
    return path


def look_up(links: Path, *arguments: object, expected: int = 0) -> list[dict[str, object]]:
    """The rows of the table of places."""
    output = links.with_name("places.parquet")
    assert run_here("lookup", links, *arguments, "--output", output, "--quiet") == expected
    return pl.read_parquet(output).to_dicts() if expected == 0 else []


def expected_places(mirror: Path) -> list[tuple[str, str, int, int]]:
    """Page, file, offset and length of what must be found: of the page with two captures the younger one."""
    rows = [
        (url.partition("://")[2], file, offset, length) for url, file, offset, length in json.loads((mirror / "captures.json").read_text())
    ]
    found = [row for row in rows if row[0] in LINKED and row[0] != "site2.example/1" and (row[0], row[1]) != (TIED, warc_name(0))]
    return sorted(found, key=lambda row: row[1:])


def places_of(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(row["key"], row["file"], row["offset"], row["length"]) for row in rows]


def test_all_indexes_give_the_same_places(mirror: Path, links: Path) -> None:
    tables = [
        look_up(links, "--snapshot", SNAPSHOT, "--set", f"crawl.remote.base_url={mirror}"),
        look_up(links, "--index", mirror / TABLE),
        look_up(links, "--index", f"{mirror / TABLE}/*.parquet"),
        look_up(links, "--index", mirror / CDX / "cluster.idx"),
    ]
    assert places_of(tables[0]) == expected_places(mirror)
    assert all(rows == tables[0] for rows in tables)
    (row,) = [row for row in tables[0] if row["key"] == TIED]
    assert (row["url"], row["capture_url"], row["karma"], row["timestamp"], row["status"], row["mime"], row["digest"]) == (
        f"http://www.{TIED}",
        f"https://{TIED}",
        5,
        "2024-05-20T01:02:03Z",
        200,
        "text/html",
        f"DIGEST{row['offset']}",
    )
    summary = json.loads(links.with_name("places.parquet.summary.json").read_text())
    assert summary["links"] == {"total": 6, "found": 4, "no_page": 1, "no_capture": 1}


def test_indexes_of_a_web_server(mirror: Path, links: Path, server: ArchiveServer) -> None:
    remote = ["--set", f"crawl.remote.base_url={server.url}"]
    assert places_of(look_up(links, "--snapshot", SNAPSHOT, *remote)) == expected_places(mirror)
    assert places_of(look_up(links, "--index", f"{server.url}{CDX}/cluster.idx")) == expected_places(mirror)
    blocks = [request.range for request in server.requests if "cdx-0" in request.path]
    assert len(blocks) == len(set(blocks)) < sum(1 for _ in (mirror / CDX / "cluster.idx").open())


def test_a_cdx_server(mirror: Path, links: Path, server: ArchiveServer) -> None:
    """It answers 404 where it has nothing; of its lines, those of other keys are passed over."""
    rows = [
        (url.partition("://")[2], url, file, offset, length)
        for url, file, offset, length in json.loads((mirror / "captures.json").read_text())
    ]
    made = pl.read_parquet(f"{mirror / TABLE}/*.parquet").to_dicts()
    for key in LINKED:
        lines = []
        for page, url, file, offset, length in rows:
            if page == key:
                (row,) = [row for row in made if (row["warc_filename"], row["warc_record_offset"]) == (file, offset)]
                capture = Capture(row["url_surtkey"], url, file, offset, length, row["fetch_time"], row["fetch_status"])
                surt, timestamp, fields = cdx_line(capture).split(" ", 2)
                lines.append(json.dumps({"urlkey": surt, "timestamp": timestamp, **json.loads(fields)}))
        if lines:
            path = f"{SNAPSHOT}-index?url={quote(key, safe='')}&output=json"
            server.files[path] = "\n".join([*lines, lines[0].replace(",site", ",other")]).encode()
    found = look_up(links, "--index", f"{server.url}{SNAPSHOT}-index")
    assert places_of(found) == expected_places(mirror)


def test_a_crowded_cdx_server_is_asked_again(tmp_path: Path, links: Path) -> None:
    """As Common Crawl's answers: 503 or 403 to whoever asks too often, 404 with a message for what it has not."""
    asked = f"{SNAPSHOT}-index?url={quote(TIED, safe='')}&output=json"
    fields = {"url": f"http://{TIED}", "mime": "text/html", "status": "200", "filename": "f.warc.gz", "offset": "5", "length": "9"}
    line = json.dumps({"urlkey": "example,site0)/1", "timestamp": "20240518010203", **fields})
    with archive_server() as running:
        running.files[asked] = line.encode() + b"\n"
        running.moods[asked] = [Mood(status=503, headers={"Retry-After": "0"}), Mood(status=429), Mood(status=403)]
        found = look_up(links, "--index", f"{running.url}{SNAPSHOT}-index/", "--set", "crawl.remote.retry_seconds=0.01")
        assert [(row["key"], row["offset"]) for row in found] == [(TIED, 5)]
        assert sum(request.path == asked for request in running.requests) == 4


@pytest.mark.parametrize("ending", ["cdxj", "cdxj.gz", "idx", "glob"])
def test_indexes_of_other_tools(mirror: Path, links: Path, tmp_path: Path, ending: str) -> None:
    """Lines as cdxj-indexer 1.5 writes them, in one file or in blocks, and Common Crawl's own files without their ``cluster.idx``."""
    lines = [line for path in sorted((mirror / CDX).glob("cdx-*.gz")) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    index = tmp_path / f"all.{ending}"
    if ending == "idx":
        index.write_text('!meta 0 {"format": "cdxj-gzip-1.0", "filename": "all.cdx.gz"}\n')
        blocks = [lines[start : start + 3] for start in range(0, len(lines), 3)]
        packed = [gzip.compress("".join(f"{line}\n" for line in block).encode()) for block in blocks]
        (tmp_path / "all.cdx.gz").write_bytes(b"".join(packed))
        with index.open("a") as stream:
            for number, block in enumerate(blocks):
                place = {"offset": sum(map(len, packed[:number])), "length": len(packed[number])}
                stream.write(f"{' '.join(block[0].split(' ')[:2])} {json.dumps(place)}\n")
    elif ending == "glob":
        index = mirror / CDX / "cdx-*.gz"
    else:
        content = "".join(f"{line}\n" for line in ["!meta 0 {}", *reversed(lines)]).encode()
        index.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    assert places_of(look_up(links, "--index", index)) == expected_places(mirror)


def test_columns_as_spark_wrote_them_for_old_snapshots(mirror: Path, links: Path, tmp_path: Path) -> None:
    """The schema of commoncrawl/cc-index-table: SMALLINT, INT; INT96, read as nanoseconds; before 2019 no ``content_truncated``."""
    folder = tmp_path / "cc-main" / "crawl=CC-MAIN-2018-05" / "subset=warc"
    folder.mkdir(parents=True)
    types = {"fetch_time": pl.Datetime("ns"), "fetch_status": pl.Int16, "warc_record_offset": pl.Int32, "warc_record_length": pl.Int32}
    table = pl.read_parquet(f"{mirror / TABLE}/*.parquet").with_columns(pl.col("fetch_time").dt.replace_time_zone(None))
    table.drop("content_truncated").cast(types).write_parquet(folder / "part-00000.c000.gz.parquet")
    found = look_up(links, "--index", tmp_path / "cc-main")
    assert places_of(found) == expected_places(mirror)
    assert [row["timestamp"] for row in found if row["key"] == TIED] == ["2024-05-20T01:02:03Z"]


def test_parts_and_joins_change_nothing(mirror: Path, links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "PART_LINKS", 2)
    monkeypatch.setattr(lookup, "READ_LINKS", 4)
    for most in (0, 20_000):
        monkeypatch.setattr(columnar_index, "MAX_PUSHED_KEYS", most)
        for index in (mirror / TABLE, mirror / CDX / "cluster.idx"):
            assert places_of(look_up(links, "--index", index)) == expected_places(mirror)


@pytest.mark.parametrize(("rule", "chosen"), [("whole", 1), ("newest", 2), ("oldest", 0)])
def test_which_capture_is_taken(tmp_path: Path, links: Path, rule: str, chosen: int) -> None:
    """Three captures of a page, the youngest of which was cut short, and one that is an image."""
    (first,) = make_snapshot(tmp_path, [{"https://site0.example/1": "A page."}])
    captures = [replace(first, offset=1000 * number, time=first.time + timedelta(hours=number)) for number in range(4)]
    captures[2] = replace(captures[2], truncated="length")
    captures[3] = replace(captures[3], mime="image/png")
    write_columnar(tmp_path, captures)
    write_cdx(tmp_path, captures)
    for index in (tmp_path / TABLE, tmp_path / CDX / "cluster.idx"):
        (row,) = look_up(links, "--index", index, "--set", f"lookup.capture={rule}")
        assert row["offset"] == 1000 * chosen


def test_only_row_groups_that_may_hold_a_link_are_fetched(tmp_path: Path, links: Path) -> None:
    surts = [f"com,site{number:06d})/" for number in range(20_000)]
    surts.append("example,site0)/1")
    fields = {"url": "https://site0.example/1", "fetch_status": 200, "content_mime_type": "text/html", "warc_filename": "f.warc.gz"}
    fields |= {"fetch_time": "2024-05-18T01:02:03Z", "warc_record_offset": 7, "warc_record_length": 9}
    frame = pl.DataFrame({"url_surtkey": surts}).with_columns(pl.lit(value).alias(name) for name, value in fields.items())
    digests = pl.Series("content_digest", [random.Random(number).randbytes(40).hex() for number in range(len(frame))])
    frame.with_columns(digests).write_parquet(tmp_path / "index.parquet", row_group_size=500)
    with archive_server() as server:
        server.files["index.parquet"] = (tmp_path / "index.parquet").read_bytes()
        assert [row["offset"] for row in look_up(links, "--index", f"{server.url}index.parquet")] == [7]
        assert sum(server.body_bytes.values()) < len(server.files["index.parquet"]) / 2


# --- crawling what was found --------------------------------------------------------------------------


def documents(run: Path, *arguments: object, expected: int = 0) -> pl.DataFrame:
    assert run_here("crawl", *arguments, "--run", run, "--quiet", "--set", "crawl.remote.retry_seconds=0.01") == expected
    return table(run, "crawl", "documents")


def test_documents_of_places_are_those_of_a_whole_crawl(mirror: Path, links: Path, tmp_path: Path) -> None:
    here = ["--set", f"crawl.remote.base_url={mirror}"]
    look_up(links, "--snapshot", SNAPSHOT, *here)
    some = documents(tmp_path / "some", "--places", links.with_name("places.parquet"), *here)
    names = ",".join(str(mirror / warc_name(number)) for number in range(3))
    whole = documents(tmp_path / "whole", *names.split(","), "--set", f"crawl.links=[{links}]", *here)
    wanted = pl.DataFrame(expected_places(mirror), schema=["key", "file_path", "warc_offset", "warc_length"], orient="row").drop("key")
    whole = whole.with_columns(pl.col("file_path").str.replace(f"{mirror}/", "", literal=True))
    expected = whole.join(wanted, on=["file_path", "warc_offset", "warc_length"], how="semi")
    assert some.sort("id").equals(expected.sort("id"))
    assert dict(some.select("url", "karma").iter_rows()) == {
        f"https://{key}": karma for key, karma in LINKED.items() if key not in ("site9.example/", "site2.example/1")
    }
    assert set(some["source"]) == {"webtext"}
    assert set(some["dump"]) == {SNAPSHOT}


def test_only_the_records_are_fetched_and_once(mirror: Path, links: Path, tmp_path: Path, server: ArchiveServer) -> None:
    remote = ["--set", f"crawl.remote.base_url={server.url}"]
    rows = look_up(links, "--snapshot", SNAPSHOT, *remote)
    places = ["--places", links.with_name("places.parquet")]
    server.moods[warc_name(0)] = [Mood(status=503), Mood(break_after=10)]
    first = documents(tmp_path / "run", *places, *remote)
    asked = [request.range for request in server.requests if request.path.endswith(".warc.gz") and request.method == "GET"]
    assert set(asked) == {f"bytes={row['offset']}-{row['offset'] + row['length'] - 1}" for row in rows}
    assert len(asked) == len(rows) + 2
    assert not (tmp_path / "run" / "crawl" / "arrived").exists()
    server.requests.clear()
    assert documents(tmp_path / "run", *places, *remote).equals(first)
    assert not [request for request in server.requests if request.path.endswith(".warc.gz")]


def test_a_dry_run_tells_how_much_would_be_fetched(mirror: Path, links: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = look_up(links, "--index", mirror / TABLE)
    capsys.readouterr()
    assert run_here("crawl", "--places", links.with_name("places.parquet"), "--run", tmp_path / "run", "--dry-run") == 0
    assert f"# crawl would read 4 records of 3 files, {sum(int(str(row['length'])) for row in rows):,} bytes" in capsys.readouterr().out


# --- what is no index ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.parquet", b"hello", "give Parquet files of Common Crawl's index"),
        ("cluster.idx", b"hello\n", "line 1: hello is no line of a cluster.idx"),
        ("cluster.idx", b'com,a)/ 2024 {"offset": 0, "length": 5}\n', "is no line of a cluster.idx"),
        ("cluster.idx", b"com,a)/ 2024 5\n", "is no line of a cluster.idx"),
        ("cluster.idx", b"!meta 0 []\n", "line 1: !meta 0 [] is no line of a cluster.idx"),
        ("a.cdxj", b"example,site0)/1 20240518010203 http://site0.example/1 text/html 200\n", "a.cdxj, line 1: 20240518010203"),
        ("cluster.idx", b"com,a)/ 2024\tcdx-00000.gz\t0\t5\t1\n", "cdx-00000.gz"),
        ("cluster.idx", b"com,a)/ 2024\tcdx-00000.gz\t9\t5\t1\n", "too short: of bytes 9 to 14, which are wanted, it has 0"),
        *(
            ("cluster.idx", f"com,a)/ 2024\tcdx-00000.gz\t{place}\t1\n".encode(), "is no line of a cluster.idx")
            for place in ("-5\t5", "0\t-1", "0\t0", f"{10**30}\t5", f"0\t{10**14}")
        ),
    ],
)
def test_wrong_indexes(tmp_path: Path, links: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str) -> None:
    (tmp_path / "cdx-00000.gz").write_bytes(b"short")
    (tmp_path / name).write_bytes(content)
    look_up(links, "--index", tmp_path / name, expected=1)
    assert message in capsys.readouterr().err


def test_an_odd_index_has_no_page_and_is_named(mirror: Path, links: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a capture without an address nobody knows whose it is; one without a place cannot be fetched."""
    whole = pl.read_parquet(f"{mirror / TABLE}/*.parquet")
    index, odd = tmp_path / "index.parquet", [("url", None, 0), ("warc_record_offset", None, 5), ("warc_record_offset", -1, 5)]
    for column, value, no_page in [*odd, ("warc_record_length", None, 5), ("warc_record_length", 0, 5), ("fetch_status", None, 5)]:
        whole.with_columns(pl.lit(value, whole.schema[column]).alias(column)).write_parquet(index)
        assert look_up(links, "--index", index) == []
        summary = json.loads(links.with_name("places.parquet.summary.json").read_text())
        assert summary["links"] == {"total": 6, "found": 0, "no_page": no_page, "no_capture": 6 - no_page}
    whole.drop("url").write_parquet(index)
    look_up(links, "--index", index, expected=1)
    assert f"{index} has no column url" in capsys.readouterr().err


def test_no_input_is_replaced(mirror: Path, links: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = next((mirror / TABLE).iterdir())
    cluster = mirror / CDX / "cluster.idx"
    for output in (links, index, cluster):
        before = output.read_bytes()
        assert run_here("lookup", links, "--index", mirror / TABLE, cluster, "--output", output, "--quiet") == 2
        assert "is an input" in capsys.readouterr().err and output.read_bytes() == before


def test_wrong_tables_of_links(mirror: Path, links: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pl.read_parquet(links).drop("key").with_columns(pl.col("karma").cast(pl.Int32)).write_parquet(links)
    look_up(links, "--index", mirror / TABLE, expected=1)
    assert "it has no column key (String), karma (Int64)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(({name: value}, "is no line of a CDX index") for name in ("offset", "length") for value in ("x", "-1", "9" * 30, None)),
        ({"url": "x" * 300_000}, "more than 200,000 bytes of lines"),
    ],
)
def test_wrong_lines_of_a_block(
    tmp_path: Path, links: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], message: str
) -> None:
    monkeypatch.setattr(cdx_index, "MAX_BLOCK_BYTES", 200_000)
    line = {"url": f"http://{TIED}", "status": "200", "mime": "text/html", "filename": "f.warc.gz", "offset": "5", "length": "9", **fields}
    block = gzip.compress(f"example,site0)/1 20240518010203 {json.dumps(line)}\n".encode())
    (tmp_path / "cdx-00000.gz").write_bytes(block)
    (tmp_path / "cluster.idx").write_text(f"example,site0)/1 20240518010203\tcdx-00000.gz\t0\t{len(block)}\t1\n")
    look_up(links, "--index", tmp_path / "cluster.idx", expected=1)
    assert message in capsys.readouterr().err


def test_no_index_is_a_usage_error(links: Path) -> None:
    look_up(links, expected=2)
