"""What a crawl stores of the extraction: metadata where asked, a reason for each refusal, and how bytes were decoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curation.extraction.extractor import EXTRACTORS
from tests.curation.test_crawl import bare, crawl, plain_page, table
from tests.curation.warc_samples import html_page, member, page_headers, page_record, warc_record, write

DATED = b'<meta property="article:published_time" content="2024-02-29T10:00:00Z">'
DEEP = b"<div>" * 3000


def dated_page(number: int) -> bytes:
    return html_page(number).replace(b"</head>", DATED + b"</head>")


@pytest.mark.parametrize("extractor", sorted(EXTRACTORS))
def test_metadata_is_stored_where_asked(tmp_path: Path, extractor: str) -> None:
    wet = warc_record(b"text of a WET file", page_headers(3, "conversion"))
    content = member(page_record(1, dated_page(1))) + member(plain_page(2, "plain text")) + member(wet)
    path = write(tmp_path / "pages.warc.gz", content)
    crawl(tmp_path, path, extractor=extractor, metadata=True)
    fields = [(row["title"], row["published"], row["main_content"]) for row in table(tmp_path, "documents")]
    assert fields == [("Page 1", "2024-02-29", True), (None, None, False), (None, None, False)]


def test_what_extraction_refuses_has_a_reason(tmp_path: Path) -> None:
    accents = "The café, the château and the crème brûlée of the señor: déjà vu. ".encode() * 3
    broken = html_page(3).replace(b"The ", accents + b"The \xff ", 1)
    hidden = html_page(4).replace(b"The ", accents, 1).replace(b"<title>", b'<title class="\xff">')
    pages = [html_page(1).replace(b"<article>", DEEP), b"%PDF-1.4 " + html_page(2), broken, hidden]
    path = write(tmp_path / "pages.warc.gz", b"".join(member(page_record(number, page)) for number, page in enumerate(pages, 1)))
    result = crawl(tmp_path, path)
    rows: dict[str, dict[str, Any]] = {row["id"]: {**row, "detail": json.loads(row["detail"])} for row in table(tmp_path, "ledger")}
    assert {key: (row["action"], row["reason"]) for key, row in rows.items()} == {
        bare(1): ("quarantined", "page_too_deep"),
        bare(2): ("removed", "not_text"),
        bare(3): ("changed", "characters_replaced"),
    }
    assert rows[bare(1)]["detail"]["limit_depth"] == 512
    assert (rows[bare(3)]["detail"]["replaced_characters"], rows[bare(3)]["detail"]["encoding"]) == (1, "utf-8")
    assert [row["id"] for row in table(tmp_path, "documents")] == [bare(3), bare(4)]
    assert DEEP in table(tmp_path, "quarantine")[0]["raw"]
    assert (result.counts.kept, result.counts.changed) == (1, 1)


def test_a_repaired_record_says_what_could_not_be_decoded(tmp_path: Path) -> None:
    """One row a document: the repair is the reason, the replaced characters are in its detail."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = html_page(1).replace(b"The ", "The café, the château and the crème brûlée of the señor, déjà vu ".encode() * 3 + b"\xff ", 1)
    path = write(tmp_path / "pages.warc.gz", member(page_record(1, b"%x\r\n%s\r\n" % (len(body), body), head)))
    crawl(tmp_path, path)
    (row,) = table(tmp_path, "ledger")
    assert (row["action"], row["reason"], json.loads(row["detail"])["replaced_characters"]) == ("changed", "repaired_record", 1)


@pytest.mark.parametrize("extractor", ["trafilatura-precision", "resiliparse"])
def test_output_does_not_depend_on_the_number_of_workers(tmp_path: Path, extractor: str) -> None:
    pages = b"".join(member(page_record(number, dated_page(number) + b"<!--" + b"x" * 200_000 + b"-->")) for number in range(12))
    path = write(tmp_path / "pages.warc.gz", pages)
    outputs = []
    for workers in (1, 2):
        crawl(tmp_path / str(workers), path, extractor=extractor, metadata=True, workers=workers)
        files = sorted((tmp_path / str(workers) / "run" / "crawl" / "documents").iterdir())
        outputs.append([file.read_bytes() for file in files])
    assert outputs[0] == outputs[1] and len(table(tmp_path / "1", "documents")) == 12
