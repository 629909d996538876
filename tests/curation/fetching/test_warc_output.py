"""The WARC files: what other readers make of them, revisits, sizes, and the columns beside them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.checker import Checker

from cli import main
from curation.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE
from curation.fetching.outcomes import FetchReason, Outcome
from curation.sources.warc import GOOD, read_records
from tests.curation.fetching.crawls import CONTACT, crawl, records, rows
from tests.curation.fetching.sites import Sites, answer

ROOT = Path(__file__).resolve().parents[3]
SAME = answer(b"the same body on two hosts")
PAGES = {
    "a.example/": SAME,
    "b.example/": SAME,
    "a.example/gzip": answer(
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00", "200 OK", "Content-Encoding: gzip"
    ),
    "b.example/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "b.example/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "b.example/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "c.example/missing": answer(b"not here", "404 Not Found"),
}


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A small crawl: its folder, and the answers by address."""
    folder = tmp_path_factory.mktemp("crawled")
    with Sites(dict(PAGES)) as sites:
        crawl(folder, [sites.url(place) for place in PAGES])
        return folder / "warc", {sites.url(place): page for place, page in PAGES.items()}


def test_warcio_finds_nothing_wrong(crawled: tuple[Path, dict[str, bytes]], capsys: pytest.CaptureFixture[str]) -> None:
    [path] = crawled[0].glob("*.warc.gz")
    checker = Checker(type("Options", (), {"inputs": [str(path)], "verbose": True})())
    checker.process_all()
    said = capsys.readouterr().out
    assert checker.exit_value == 0 and "failed" not in said and said.count("digest pass") >= 2 * len(PAGES)


def test_fastwarc_finds_nothing_wrong(crawled: tuple[Path, dict[str, bytes]]) -> None:
    [path] = crawled[0].glob("*.warc.gz")
    with open(path, "rb") as stream:
        found = [
            (record.record_type, record.verify_block_digest()) for record in ArchiveIterator(stream, parse_http=False, strict_mode=True)
        ]
    assert all(sound for _, sound in found)
    kinds = [kind for kind, _ in found]
    assert kinds.count(WarcRecordType.request) == len(PAGES) == kinds.count(WarcRecordType.response) + 1
    assert kinds.count(WarcRecordType.revisit) == 1 and kinds[0] is WarcRecordType.warcinfo
    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            assert record.verify_payload_digest()


def test_our_own_reader_finds_nothing_wrong_but_what_was_cut(crawled: tuple[Path, dict[str, bytes]]) -> None:
    [path] = crawled[0].glob("*.warc.gz")
    states = {record.target_uri: record.state for record in read_records(str(path)) if record.record_type == "response"}
    assert [uri for uri, state in states.items() if state != GOOD] == [uri for uri in crawled[1] if uri.endswith("/cut")]


def test_an_equal_body_becomes_a_revisit(crawled: tuple[Path, dict[str, bytes]]) -> None:
    folder, answers = crawled
    found = records(folder)
    [(_, uri, fields, content)] = [record for record in found if record[0] == "revisit"]
    [(_, original, original_fields, _)] = [
        record for record in found if record[0] == "response" and record[2]["WARC-Payload-Digest"] == fields["WARC-Payload-Digest"]
    ]
    assert {urlsplit(uri).hostname, urlsplit(original).hostname} == {"a.example", "b.example"}
    assert fields["WARC-Refers-To-Target-URI"] == original and fields["WARC-Refers-To"] == original_fields["WARC-Record-ID"]
    assert fields["WARC-Refers-To-Date"] == original_fields["WARC-Date"]
    assert fields["WARC-Profile"] == "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
    assert content == SAME[: -len(b"the same body on two hosts")]
    assert rows(folder)[uri]["reason"] == FetchReason.SAME_PAYLOAD and answers[uri] == SAME


def test_outcomes_tell_where_each_answer_lies(crawled: tuple[Path, dict[str, bytes]]) -> None:
    for url, row in rows(crawled[0]).items():
        with open(crawled[0] / row["file"], "rb") as stream:
            stream.seek(row["offset"])
            record = next(iter(ArchiveIterator(stream, parse_http=False)))
        assert record.headers["WARC-Target-URI"] == url == row["final_url"]
        assert row["bytes"] == len(crawled[1][url]) and str(row["status"]).encode() in crawled[1][url][:15]


def test_files_are_closed_at_a_size(tmp_path: Path) -> None:
    places = [f"a.example/{number}" for number in range(12)]
    with Sites({place: answer(place.encode()) for place in places}) as sites:
        crawl(tmp_path, [sites.url(place) for place in places], file_bytes=1500)
        found = records(tmp_path / "warc")
        files = sorted((tmp_path / "warc").glob("*.warc.gz"))
        assert len(files) > 3 and all(path.stat().st_size < 3500 for path in files)
        infos = [(fields["WARC-Filename"], content) for kind, _, fields, content in found if kind == "warcinfo"]
        assert [name for name, _ in infos] == [path.name for path in files]
        assert CONTACT.encode() in infos[0][1] and b"robots: classic\r\n" in infos[0][1]
        assert sorted(uri for kind, uri, *_ in found if kind == "response") == sorted(sites.url(place) for place in places)


def test_an_empty_list(tmp_path: Path) -> None:
    assert crawl(tmp_path, []) == {}


def test_every_line_of_a_list_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.fetching.results.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("curation.fetching.results.ROWS_PER_FILE", 4)
    with Sites({"a.example/": answer(b"page"), "a.example/away": answer(b"", "301 Moved", "Location: /")}) as sites:
        page = sites.url("a.example/")
        links = [page, page + "#part", page.replace("http", "HTTP", 1), page + "away", "mailto:x@y.example", "http://[", "http://\udcff/"]
        found = crawl(tmp_path, links)
        assert list(found) == [*links[:-1], "http://\ufffd\ufffd\ufffd/"] and len(list((tmp_path / "warc/outcomes").iterdir())) == 2
        assert [row["reason"] for row in found.values()] == [
            "whole",
            "listed_twice",
            "listed_twice",
            "redirect_to_known",
            "no_web_address",
            "odd_address",
            "odd_address",
        ]
        assert sites.asked() == {"a.example/": 1, "a.example/away": 1}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sites({"127.0.0.1/": answer(b"<p>page</p>")}) as sites:
        links, output = tmp_path / "links.parquet", tmp_path / "warc"
        pl.DataFrame({"url": [sites.url("127.0.0.1/"), sites.url("127.0.0.1/2")], "karma": [3, 4]}).write_parquet(links)
        command = ["fetch", str(links), "--output", str(output), "--allow-private-hosts", "--limit", "1", "--quiet"]
        assert main(command) == EXIT_USAGE
        assert "contact" in capsys.readouterr().err and not output.exists()
        assert main([*command, "--contact", CONTACT]) == EXIT_DONE
        said = capsys.readouterr().out
        assert re.match(r"fetch: 1 links, 1 fetched \(1 whole\); [\d.]+ s\noutput: ", said) and "next: python cli.py crawl" in said
        assert [path.name for path in sorted(output.iterdir())] == [
            ".lock",
            "fetch-00000.warc.gz",
            "frontier.sqlite",
            "outcomes",
            "summary.json",
        ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (["--contact", "nobody"], EXIT_USAGE),
        (["--contact", "a@b.example\r\nX-Injected: yes"], EXIT_USAGE),
        (["--set", "fetch.robot='Crawl2 GPT'"], EXIT_USAGE),
        (["--limit", "0"], EXIT_USAGE),
        (["--output", "s3://bucket/x"], EXIT_USAGE),
    ],
)
def test_wrong_options(tmp_path: Path, change: list[str], code: int) -> None:
    (tmp_path / "links.txt").write_text("http://a.example/\n")
    assert (
        main(["fetch", str(tmp_path / "links.txt"), "--output", str(tmp_path / "warc"), "--contact", CONTACT, "--quiet", *change]) == code
    )


@pytest.mark.parametrize("content", [None, b"PAR1 but no table", "table"])
def test_wrong_lists(tmp_path: Path, content: bytes | str | None, capsys: pytest.CaptureFixture[str]) -> None:
    links = tmp_path / "links"
    if content == "table":
        pl.DataFrame({"address": ["http://a.example/"]}).write_parquet(links)
    elif isinstance(content, bytes):
        links.write_bytes(content)
    assert main(["fetch", str(links), "--output", str(tmp_path / "warc"), "--contact", CONTACT, "--quiet"]) == EXIT_FAILED
    assert str(links) in capsys.readouterr().err


def test_every_reason_is_documented() -> None:
    page = (ROOT / "docs/fetch.md").read_text(encoding="utf-8")
    for reason in FetchReason:
        assert f"| `{reason.value}` | {reason.outcome.value} | {reason.sentence} |" in page
    assert all(f"`{outcome.value}`" in page for outcome in Outcome)
