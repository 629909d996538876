"""Ends of blocks: lengths that are a few bytes wrong hide in the line ends between two records."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.sources.endings import JUNK_FOLLOWS, LATE_END, LONG_RECORD, Follows, judge_end
from curation.sources.grammars import ARC, WARC
from curation.sources.warc import GOOD, REPAIRED
from tests.curation.warc_samples import HTML_HEAD, arc_file_header, arc_record, html_page, page_headers, records_of, warc_record

HEADER = b"WARC/1.0\r\nContent-Length: 1\r\n\r\n"
TEXT = b"some text of a page\n"


@pytest.mark.parametrize(
    ("block", "blanks", "follows", "expected", "problem"),
    [
        (TEXT, b"\r\n\r\n", Follows.RECORD, TEXT, None),
        (TEXT, b"\r\n\r\n\r\n", Follows.RECORD, TEXT, None),
        (TEXT, b"\n\n", Follows.RECORD, TEXT, None),
        (TEXT, b"", Follows.RECORD, TEXT, None),
        (TEXT, b"\r\n", Follows.END, TEXT, None),
        (TEXT + b"\r", b"\n\r\n", Follows.RECORD, TEXT, LATE_END),
        (TEXT + b"\r\n", b"\r\n", Follows.RECORD, TEXT, LATE_END),
        (TEXT + b"\r\n\r", b"\n", Follows.END, TEXT, LATE_END),
        (TEXT + b"\r\n\r\n", b"", Follows.RECORD, TEXT, LATE_END),
        (TEXT[:-1], b"\n\r\n\r\n", Follows.RECORD, TEXT, LONG_RECORD),
        (TEXT, b" \t\r\n\r\n", Follows.END, TEXT + b" \t", LONG_RECORD),
        (TEXT, b"\r\n\r\n", Follows.OTHER, TEXT, None),
        (TEXT + b"\r\n\r\nmore", b"\r\n\r\n", Follows.OTHER, TEXT + b"\r\n\r\nmore", JUNK_FOLLOWS),
        (HTML_HEAD + b"<p>x</p>", b"\r\n\r\n", Follows.OTHER, HTML_HEAD + b"<p>x</p>", JUNK_FOLLOWS),
        (HTML_HEAD + html_page(1), b"\r\n\r\n", Follows.OTHER, HTML_HEAD + html_page(1), None),
        (HTML_HEAD, b"", Follows.RECORD, HTML_HEAD, None),
    ],
)
def test_ends_of_warc_blocks(block: bytes, blanks: bytes, follows: Follows, expected: bytes, problem: str | None) -> None:
    assert judge_end(WARC, HEADER, block, blanks, follows) == (expected, problem)


@pytest.mark.parametrize(
    ("block", "blanks", "follows", "expected", "problem"),
    [
        (TEXT, b"\n", Follows.RECORD, TEXT, None),
        (TEXT, b"\n\n", Follows.END, TEXT, None),
        (TEXT[:-1], b"", Follows.RECORD, TEXT[:-1], None),
        (TEXT, b"", Follows.RECORD, TEXT[:-1], LATE_END),
    ],
)
def test_ends_of_arc_blocks(block: bytes, blanks: bytes, follows: Follows, expected: bytes, problem: str | None) -> None:
    line = b"http://e.example/ 192.0.2.7 20080601123456 text/html 1\n"
    assert judge_end(ARC, line, block, blanks, follows) == (expected, problem)


def test_the_length_that_http_declares_proves_an_end() -> None:
    block = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntext\r\n"
    assert judge_end(WARC, HEADER, block, b"\r\n", Follows.RECORD) == (block, None)
    assert judge_end(WARC, HEADER, block, b"\r\n\r\n", Follows.OTHER) == (block, None)


@pytest.mark.parametrize("difference", [*range(-12, 0), *range(1, 13), 40, 400])
@pytest.mark.parametrize("grammar", ["WARC", "ARC"])
def test_no_wrong_length_gives_a_wrong_body_as_good(tmp_path: Path, grammar: str, difference: int) -> None:
    """Between two sound records, in a plain file; the page ends without white space."""
    body = html_page(2).rstrip()
    block = HTML_HEAD + body
    if grammar == "WARC":
        odd = warc_record(block, page_headers(2), len(block) + difference)
        content = warc_record(HTML_HEAD + html_page(1), page_headers(1)) + odd + warc_record(HTML_HEAD + html_page(3), page_headers(3))
    else:
        odd = arc_record(2, body, length=len(block) + difference)
        content = arc_file_header() + arc_record(1) + odd + arc_record(3)
    records = [record for record in records_of(content, tmp_path) if record.record_type != "warcinfo"]
    good = [record.body for record in records if record.state == GOOD]
    assert good == [html_page(1), html_page(3)]
    if difference < 0:
        assert [record.body for record in records if record.state == REPAIRED] == [body]
