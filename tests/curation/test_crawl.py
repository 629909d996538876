"""Crawl: from records to documents, ledger, quarantine and counts; every record has one fate."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from warcio.archiveiterator import ArchiveIterator

from curation.crawl import run_crawl
from curation.crawl_page import dump_name
from curation.dates import iso_date
from curation.errors import InputError, QuarantineError, UsageError
from curation.progress import Progress
from curation.recipe import MIB, CrawlLimits, CrawlSettings
from curation.runner import RunContext, StageResult
from tests.curation.warc_samples import HTML_HEAD, html_page, member, page_headers, page_record, record_id, warc_record, write
from tests.shared_data import shared

ALL_TOLERATED = 1.0
FILLER = " ".join(str(number) for number in range(40_000))  # 230 KB: three such pages make a segment


def crawl(folder: Path, *paths: str, workers: int = 1, limit: int | None = None, **settings: Any) -> StageResult:
    """Crawl files into ``folder``/run; any share of quarantined pages is tolerated unless told otherwise."""
    recipe = CrawlSettings(**{"max_quarantine_share": ALL_TOLERATED, **settings})
    return run_crawl(recipe, list(paths), RunContext(str(folder / "run"), workers, Progress(quiet=True)), limit)


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    """All rows of the documents, ledger or quarantine files, in order."""
    files = sorted((folder / "run" / "crawl" / name).glob("*.parquet"))
    return [row for file in files for row in pl.read_parquet(file).to_dicts()]


def bare(number: int) -> str:
    return record_id(number).removeprefix("urn:uuid:")


def plain_page(number: int, text: str, **changes: str) -> bytes:
    """A text/plain response, which needs no extraction."""
    return page_record(number, text.encode(), b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", **changes)


def test_every_column_of_a_document(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc.gz", member(page_record(1, WARC_Identified_Content_Language="eng,deu")))
    result = crawl(tmp_path, path, dump="CC-MAIN-2024-22", source="commoncrawl")
    (document,) = table(tmp_path, "documents")
    assert "people walked past it" in document.pop("text")
    assert document["language_score"] > 0.9 and 0.5 < document["confidence"] <= 1
    assert document == {
        "id": bare(1),
        "url": "http://site1.example/page",
        "date": "2024-05-18T01:02:03Z",
        "dump": "CC-MAIN-2024-22",
        "file_path": path,
        "language": "en",
        "language_score": document["language_score"],
        "token_count": None,
        "source": "commoncrawl",
        "warc_offset": 0,
        "warc_length": Path(path).stat().st_size,
        "title": None,
        "published": None,
        "main_content": None,
        "confidence": document["confidence"],
        "karma": None,
        "quality_score": None,
        "pieces": None,
        "metadata": None,
    }
    assert (result.counts.entered, result.counts.kept, result.failures, table(tmp_path, "ledger")) == (1, 1, [], [])


def test_every_record_has_one_fate(tmp_path: Path) -> None:
    """One file with a record for each fate; what the counts, the ledger and the quarantine say of each."""
    damaged = bytearray(member(page_record(3)))
    damaged[-6] ^= 1
    block = HTML_HEAD + html_page(4).rstrip()
    content = b"".join(
        [
            member(plain_page(1, "kept")),
            member(plain_page(2, "  \n\t ")),
            bytes(damaged),
            member(warc_record(block, page_headers(4), len(block) - 5)),
            member(plain_page(5, "x" * 5000)),
            member(page_record(6, b"not found", b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n")),
            member(page_record(7, b"\x89PNG", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")),
            member(page_record(8, b"{}", b"HTTP/1.1 200 OK\r\n\r\n")),
            member(page_record(9, html_page(9), b"HTTP/1.1 200 OK\r\n\r\n")),
            member(warc_record(b"text of a WET file", page_headers(10, "conversion"))),
            member(warc_record(b"GET / HTTP/1.1\r\n\r\n", page_headers(11, "request"))),
            member(warc_record(b"", {"WARC-Type": "warcinfo"})),
            b"junk between members" * 5,
            member(plain_page(12, "last")),
        ]
    )
    result = crawl(tmp_path, write(tmp_path / "fates.warc.gz", content), limits=CrawlLimits(body_bytes=4000))
    documents = {document["id"]: document["text"] for document in table(tmp_path, "documents")}
    assert documents.keys() == {bare(number) for number in (1, 4, 5, 9, 10, 12)}
    assert (documents[bare(5)], documents[bare(10)]) == ("x" * 4000, "text of a WET file")
    assert result.counts.to_json() == {
        "in": 8,
        "kept": 4,
        "changed": 2,
        "removed": {"empty_text": 1},
        "quarantined": {"damaged_record": 1},
        "skipped": {
            "http_status:404": 1,
            "content_type:image/png": 1,
            "content_type:none": 1,
            "record_type:request": 1,
            "record_type:warcinfo": 1,
            "damaged_record_type:junk": 1,
        },
        "characters_in": result.counts.characters_in,
        "characters_out": sum(map(len, documents.values())),
    }
    ledger = {row["id"]: (row["action"], row["reason"], json.loads(row["detail"])) for row in table(tmp_path, "ledger")}
    assert {name: fate[:2] for name, fate in ledger.items()} == {
        bare(2): ("removed", "empty_text"),
        bare(3): ("quarantined", "damaged_record"),
        bare(4): ("changed", "repaired_record"),
        bare(5): ("changed", "body_over_limit"),
    }
    assert ledger[bare(3)][2]["problem"] == "damaged gzip member (incorrect data check)"
    assert ledger[bare(3)][2]["url"] == "http://site3.example/page"
    assert "limit of 4000 bytes" in ledger[bare(5)][2]["problem"]
    quarantine = {row["reason"]: row for row in table(tmp_path, "quarantine")}
    assert quarantine.keys() == {"damaged_record", "damaged_record_type:junk"}
    assert quarantine["damaged_record"]["raw"] == page_record(3)[:-4]
    assert quarantine["damaged_record"]["sha256"] == hashlib.sha256(page_record(3)[:-4]).hexdigest()


def test_quarantine_keeps_a_mebibyte_of_a_record(tmp_path: Path) -> None:
    block = HTML_HEAD + b"<p>" + b"long " * 500_000
    record = warc_record(block, page_headers(1), len(block) + 99_999)
    crawl(tmp_path, write(tmp_path / "long.warc", record + plain_page(2, "kept")))
    (row,) = table(tmp_path, "quarantine")
    assert row["raw"] == record[:MIB]
    assert row["sha256"] == hashlib.sha256(record[:-4]).hexdigest()


def test_too_much_quarantine_fails_the_stage(tmp_path: Path) -> None:
    damaged = bytearray(member(page_record(1)))
    damaged[-6] ^= 1
    path = write(tmp_path / "half.warc.gz", bytes(damaged) + member(plain_page(2, "kept")))
    with pytest.raises(QuarantineError, match="1 of 2 documents are in quarantine"):
        crawl(tmp_path, path, max_quarantine_share=0.4)
    assert crawl(tmp_path, path, max_quarantine_share=0.5).counts.entered == 2


# --- ids ------------------------------------------------------------------------------------------


def test_ids_are_unique_whatever_the_input_says(tmp_path: Path) -> None:
    """The same file twice, an id twice in a file, one id in two dresses, no id at all: no document is lost or shares an id."""
    content = b"".join(
        [
            member(plain_page(1, "one")),
            member(plain_page(2, "two")),
            member(plain_page(2, "two again")),
            member(plain_page(3, "dressed", WARC_Record_ID="<urn:uuid:abc>")),
            member(plain_page(4, "undressed", WARC_Record_ID="abc")),
            member(plain_page(5, "none", WARC_Record_ID="")),
            member(plain_page(6, "none either", WARC_Record_ID="<>")),
        ]
    )
    paths = [write(tmp_path / name, content) for name in ("a.warc.gz", "b.warc.gz")]
    only = write(tmp_path / "c.warc.gz", member(plain_page(7, "only here")))
    result = crawl(tmp_path, *paths, only, only)
    documents = table(tmp_path, "documents")
    assert len({document["id"] for document in documents}) == len(documents) == result.counts.kept == 15
    assert Counter(document["text"] for document in documents)["two again"] == 2
    assert documents[-1]["id"] == bare(7)
    assert documents[0]["id"] == bare(1)  # the first file that has an id keeps it, unless it has it twice
    assert all(len(document["id"]) == 64 for document in documents[1:-1])


def test_ids_of_a_file_do_not_change_with_segments_and_workers(tmp_path: Path) -> None:
    path = write(tmp_path / "large.warc", b"".join(plain_page(number, f"{number} {FILLER}") for number in range(6)))
    outputs = []
    for workers in (1, 2):
        folder = tmp_path / f"workers{workers}"
        result = crawl(folder, path, workers=workers)
        assert result.parts > 1
        outputs.append({file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*.parquet"))})
    assert outputs[0] == outputs[1]
    assert [document["id"] for document in table(tmp_path / "workers1", "documents")] == [bare(number) for number in range(6)]


# --- limits, inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_reads_so_many_pages(tmp_path: Path, limit: int) -> None:
    first = write(tmp_path / "1.warc", plain_page(1, "one") + warc_record(b"", page_headers(9, "request")) + plain_page(2, "two"))
    second = write(tmp_path / "2.warc", plain_page(3, "three") + plain_page(4, "four"))
    assert crawl(tmp_path, second, first, limit=limit).counts.entered == min(limit, 4)
    assert [document["text"] for document in table(tmp_path, "documents")] == ["one", "two", "three", "four"][:limit]


def test_one_unreadable_input_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write(tmp_path / "good.warc.gz", member(plain_page(1, "kept")))
    html = write(tmp_path / "page.warc.gz", b"<html>404 Not Found</html>")
    missing = str(tmp_path / "absent.warc.gz")
    result = crawl(tmp_path, good, html, missing)
    assert result.counts.kept == 1
    assert [failure["input"] for failure in result.failures] == [missing, html]
    assert "no such file" in result.failures[0]["error"] and "is no WARC file" in result.failures[1]["error"]


def test_no_readable_input_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no WARC file"):
        crawl(tmp_path, write(tmp_path / "page.warc.gz", b"<html>404 Not Found</html>"))


def test_a_truncated_input_is_named_and_its_readable_records_are_used(tmp_path: Path) -> None:
    content = member(plain_page(1, "kept")) + member(plain_page(2, "cut"))[:-30]
    path = write(tmp_path / "cut.warc.gz", content)
    result = crawl(tmp_path, path)
    assert (result.counts.kept, dict(result.counts.quarantined)) == (1, {"damaged_record": 1})
    assert [failure["input"] for failure in result.failures] == [path]
    assert "the file ends in the middle of a compressed member" in result.failures[0]["error"]


def test_a_file_whose_middle_is_damaged_is_not_called_truncated(tmp_path: Path) -> None:
    """A far too long record in the middle of a file of several segments."""
    pages = [plain_page(number, f"{number} {FILLER}") for number in range(6)]
    pages[2] = pages[2].replace(b"Content-Length: 2", b"Content-Length: 9")
    result = crawl(tmp_path, write(tmp_path / "long.warc", b"".join(pages)))
    assert result.parts > 1
    assert (result.counts.kept, dict(result.counts.quarantined), result.failures) == (5, {"damaged_record": 1}, [])


def test_a_page_over_its_budget_is_quarantined_with_its_bytes(tmp_path: Path) -> None:
    body = b"<html><body>" + b"".join(html_page(number) for number in range(2000)) + b"</body></html>"
    limits = CrawlLimits(page_memory_bytes=64 * MIB)  # less than the extractor itself takes
    result = crawl(tmp_path, write(tmp_path / "heavy.warc", page_record(1, body)), limits=limits)
    assert dict(result.counts.quarantined) == {"page_over_memory": 1}
    (row,) = table(tmp_path, "ledger")
    assert json.loads(row["detail"]) == {
        "file": str(tmp_path / "heavy.warc"),
        "limit_bytes": 64 * MIB,
        "offset": 0,
        "url": "http://site1.example/page",
    }
    assert table(tmp_path, "quarantine")[0]["raw"] == page_record(1, body)[:-4][:MIB]


# --- languages ------------------------------------------------------------------------------------

GERMAN = "Der Hafen liegt an der Mündung des Flusses, und jeden Morgen kehren die Boote des Dorfes mit ihrem Fang zurück."
ENGLISH = "The harbour lies at the mouth of the river, and every morning the boats of the village return with their catch."


def test_the_language_of_every_document_is_told_whatever_its_record_declares(tmp_path: Path) -> None:
    wet = warc_record(GERMAN.encode(), {**page_headers(3, "conversion"), "WARC-Identified-Content-Language": "eng"})
    path = write(tmp_path / "pages.warc", plain_page(1, ENGLISH) + plain_page(2, "☃") + wet)
    crawl(tmp_path, path)
    documents = [(document["language"], document["language_score"]) for document in table(tmp_path, "documents")]
    assert [language for language, _ in documents] == ["en", "und", "de"]
    assert documents[0][1] > 0.9 and documents[1][1] == 0 and documents[2][1] > 0.9


def test_languages_select_pages(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", plain_page(1, ENGLISH) + plain_page(2, GERMAN) + plain_page(3, "Hotel"))
    result = crawl(tmp_path, path, languages=["deu"])
    assert [document["text"] for document in table(tmp_path, "documents")] == [GERMAN]
    assert dict(result.counts.removed) == {"other_language": 2}
    detail = json.loads(table(tmp_path, "ledger")[0]["detail"])
    assert (detail["language"], detail["languages"], detail["language_score"] > 0.9) == ("en", ["deu"], True)


def test_a_lowest_score_of_the_language_selects_pages(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", plain_page(1, ENGLISH) + plain_page(2, "☃"))
    result = crawl(tmp_path, path, min_language_score=0.5)
    assert [document["text"] for document in table(tmp_path, "documents")] == [ENGLISH]
    assert dict(result.counts.removed) == {"uncertain_language": 1}
    detail = json.loads(table(tmp_path, "ledger")[0]["detail"])
    assert (detail["language"], detail["language_score"], detail["min_language_score"]) == ("und", 0.0, 0.5)


def test_a_language_that_is_none_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'english' is no language that the identifier knows"):
        crawl(tmp_path, str(tmp_path / "absent.warc"), languages=["english"])


# --- links ----------------------------------------------------------------------------------------


def links_dump(folder: Path) -> str:
    rows = [
        {"url": "https://www.site1.example/page#top", "score": 5},
        {"url": "http://site1.example/page", "score": 9},
        {"url": "http://site2.example/page", "score": 2},
    ]
    return write(folder / "RS.ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def test_links_label_pages(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", plain_page(1, "shared") + plain_page(2, "hardly"))
    crawl(tmp_path, path, links=[links_dump(tmp_path)])
    rows = [(document["text"], document["source"], document["karma"]) for document in table(tmp_path, "documents")]
    assert rows == [("shared", "webtext", 9), ("hardly", "commoncrawl", None)]


def test_links_select_pages(tmp_path: Path) -> None:
    path = write(tmp_path / "pages.warc", plain_page(1, "shared") + plain_page(2, "hardly"))
    result = crawl(tmp_path, path, links=[links_dump(tmp_path)], links_action="select")
    assert [document["text"] for document in table(tmp_path, "documents")] == ["shared"]
    assert dict(result.counts.removed) == {"not_shared": 1}
    (row,) = table(tmp_path, "ledger")
    assert (row["id"], row["reason"]) == (bare(2), "not_shared")


# --- dates and dumps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2020-08-04T01:02:03Z", "2020-08-04T01:02:03Z"),
        ("2020-08-04T01:02:03+02:00", "2020-08-03T23:02:03Z"),
        ("2008-04-30T20:48:26.123456789Z", "2008-04-30T20:48:26.123456Z"),
        ("2020-08-04T01:02", "2020-08-04T01:02:00Z"),
        ("2020-08-04", "2020-08-04T00:00:00Z"),
        ("2020-08", "2020-08-01T00:00:00Z"),
        ("2020", "2020-01-01T00:00:00Z"),
        ("20200818081234", "2020-08-18T08:12:34Z"),
        ("5088968-11-06T12:31:23Z", None),
        ("2020-13", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1012120312300", None),  # milliseconds since 1970, no year 1012
        ("20200804010", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(date: str | None, expected: str | None) -> None:
    assert iso_date(date) == expected


@pytest.mark.parametrize(
    ("path", "dump"),
    [
        ("s3://commoncrawl/crawl-data/CC-MAIN-2024-22/segments/1715971057216.39/warc/x.warc.gz", "CC-MAIN-2024-22"),
        ("CC-MAIN-2009-2010/x.warc.gz", "CC-MAIN-2009-2010"),
        ("CC-MAIN-2012/x.warc.gz", "CC-MAIN-2012"),
        ("CC-MAIN-20240518010203-20240518031203-00000.warc.gz", None),
        ("other/x.warc", None),
    ],
)
def test_the_dump_is_read_from_the_path(path: str, dump: str | None) -> None:
    assert dump_name(path) == dump


# --- real files -----------------------------------------------------------------------------------


def test_counts_of_a_common_crawl_file_are_those_of_warcio(tmp_path: Path) -> None:
    path = shared("data", "warc", "commoncrawl", "cc-main-2020-34.warc.gz")
    types: Counter[str] = Counter()
    urls = []
    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream):
            types[record.rec_type] += 1
            if record.rec_type == "response":
                assert record.http_headers.get_statuscode() == "200" and "text/html" in record.http_headers.get_header("Content-Type")
                urls.append(record.rec_headers.get_header("WARC-Target-URI"))
    assert types == {"response": 16, "request": 17, "metadata": 16, "warcinfo": 1}
    result = crawl(tmp_path, str(path))
    assert result.counts.entered == 16
    assert result.counts.skipped == {"record_type:request": 17, "record_type:metadata": 16, "record_type:warcinfo": 1}
    fates = [document["url"] for document in table(tmp_path, "documents")]
    fates += [json.loads(row["detail"])["url"] for row in table(tmp_path, "ledger") if row["action"] != "changed"]
    assert sorted(fates) == sorted(urls)


def test_wet_files(tmp_path: Path) -> None:
    path = shared("data", "warc", "commoncrawl", "whirlwind.warc.wet.gz")
    with open(path, "rb") as stream:
        texts = [record.content_stream().read().decode() for record in ArchiveIterator(stream) if record.rec_type == "conversion"]
    result = crawl(tmp_path, str(path))
    assert (result.counts.kept, dict(result.counts.skipped)) == (len(texts), {"record_type:warcinfo": 1})
    assert [document["text"].split() for document in table(tmp_path, "documents")] == [text.split() for text in texts]


def test_a_record_dated_in_the_year_5088968(tmp_path: Path) -> None:
    path = shared("data", "warc", "commoncrawl", "cc-main-2016-50-unparsable-date.warc.gz")
    assert crawl(tmp_path, str(path)).counts.skipped == {"record_type:warcinfo": 1, "record_type:request": 1, "http_status:404": 1}


def test_quarantined_bytes_are_the_record_of_the_file(tmp_path: Path) -> None:
    """What the quarantine keeps is what stands in the file at that offset."""
    content = plain_page(1, "kept") + page_record(2, WARC_Block_Digest="sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") + plain_page(3, "kept")
    crawl(tmp_path, write(tmp_path / "digest.warc", content))
    (row,) = table(tmp_path, "quarantine")
    assert io.BytesIO(content).getbuffer()[row["warc_offset"] :][: len(row["raw"])] == row["raw"]
    assert row["problem"] == "the block does not match its WARC-Block-Digest"
