"""Blocks for a terminal: of a file, and of a page of a run, read again as its crawl read it, or why not."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from cli import main
from curation.errors import InputError
from curation.explain import CrawledPage, find_page
from curation.extraction.blocks.judge import judge
from curation.extraction.show import SHOWN_LINES, block_lines, judge_crawled
from tests.curation.runs import run_here
from tests.curation.test_crawl import bare, crawl
from tests.curation.warc_samples import html_page, member, page_record, write

PROSE = "The ferry crosses the river twice a day, and the captain knows every passenger by name. It leaves at nine, and again at four. "
PAGE = (
    f"<ul><li>Home<li>About</ul><article><h1>The ferry</h1><p>{PROSE * 2}</p>"
    f"<ul><li><a href=/s>Share</a></ul><p>{PROSE * 3}</p></article><footer>© 2024"
)


def test_every_block_has_a_line() -> None:
    judgement = judge(PAGE)
    assert judgement.kept.tolist() == [False, False, False, True, False, True, False]
    first, *lines = block_lines(judgement, whole=True)
    assert first.startswith("2 of 7 blocks kept, expected F1 0.")
    assert [line.split()[0] for line in lines] == ["-", "-", "-", "kept", "-", "kept", "-"]
    assert block_lines(judge(""), whole=True) == ["no block of text"]


def test_of_neighbours_that_are_left_out_the_likeliest_is_told() -> None:
    _, *lines = block_lines(judge(PAGE), whole=False)
    assert [line.split()[0] for line in lines] == ["-", "kept", "-", "kept", "-"]
    assert lines[0].endswith("h1         The ferry  (the likeliest of 3)") and lines[2].endswith("li         Share")
    long = block_lines(judge("".join(f"<p>{PROSE}{number}</p>" for number in range(100))), whole=False)
    assert len(long) == 2 + SHOWN_LINES and long[-1] == "  ... and so on; --blocks lists all of them"


def test_no_text_of_a_page_steers_the_terminal() -> None:
    lines = block_lines(judge("<pre>red \x1b[31m \u202e txet \x9b2J \x07"), whole=True)
    assert len(lines) == 2 and all(line.isprintable() for line in lines) and "red  [31m   txet" in lines[1]


def test_explain_of_a_notice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its blocks are kept and its page is removed; nothing of its text, which the ledger holds, steers the terminal."""
    notice = "<h1>404</h1><p>Page not found. \x1b[31mThe page you are looking for does not exist \x9b2J or has been moved.</p>"
    crawl(tmp_path, write(tmp_path / "pages.warc", page_record(1, notice.encode())))
    assert run_here("explain", bare(1), "--run", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert (
        "notice: Page not found" in shown and "blocks kept, expected F1" in shown and "the crawl kept no text of them, see above" in shown
    )
    assert all(line.isprintable() for line in shown.splitlines())


def found(run: Path, number: int) -> CrawledPage:
    page = find_page(str(run), bare(number))
    assert page
    return page


def test_explain_shows_the_blocks_of_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "pages.warc.gz", member(page_record(1, PAGE.encode())) + member(page_record(2, b"<ul><li>a</ul>")))
    crawl(tmp_path, path)
    run, painted = tmp_path / "run", tmp_path / "painted.html"
    assert run_here("explain", "http://site1.example/page", "--run", run, "--html", painted) == 0
    shown = capsys.readouterr().out
    assert "  crawl              kept: " in shown and "  blocks             by blocks: 2 of 7 blocks kept, expected F1 0." in shown
    assert "(the likeliest of 3)" in shown and "x-kept" in painted.read_text()
    assert run_here("explain", bare(2), "--run", run, "--blocks") == 0
    shown = capsys.readouterr().out
    assert "removed: no_main_content" in shown and "by blocks: 0 of 1 blocks kept" in shown  # its page is there
    (tmp_path / "pages.warc.gz").unlink()
    assert run_here("explain", bare(1), "--run", run) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"not shown: {path}, which held the page, is not here; fetch it to that path")
    assert run_here("explain", bare(1), "--run", run, "--html", painted) == 1
    assert "no blocks of" in capsys.readouterr().err


def test_the_balance_is_the_crawls_own(tmp_path: Path) -> None:
    """The recipe of a later command, without the setting, does not matter."""
    doubtful = PAGE.replace("<a href=/s>Share</a>", "Share")
    path = write(tmp_path / "pages.warc", page_record(1, doubtful.encode()) + page_record(2, html_page(2)))
    kept = {}
    for name in ("blocks-precision", "blocks-recall"):
        crawl(tmp_path / name, path, extractor=name)
        page = found(tmp_path / name / "run", 1)
        assert page.extractor == name
        kept[name] = judge_crawled(page).kept.sum()
        assert judge_crawled(page).kept.tolist() == judge(doubtful, name.removeprefix("blocks-")).kept.tolist()
    assert kept["blocks-precision"] < kept["blocks-recall"]


@pytest.mark.parametrize("layout", ["plain", "members", "one member"])
def test_a_page_is_found_wherever_it_lies(tmp_path: Path, layout: str) -> None:
    records = [page_record(number, PAGE.replace("Share", f"Share {number}").encode()) for number in range(1, 4)]
    layouts = {"plain": b"".join(records), "members": b"".join(map(member, records)), "one member": gzip.compress(b"".join(records))}
    crawl(tmp_path, write(tmp_path / ("pages.warc" if layout == "plain" else "pages.warc.gz"), layouts[layout]))
    for number in range(1, 4):
        assert b"Share %d" % number in judge_crawled(found(tmp_path / "run", number)).scan.code.tobytes()


def test_why_blocks_cannot_be_shown(tmp_path: Path) -> None:
    http_text = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    records = page_record(1, PAGE.encode()) + page_record(2, PROSE.encode(), http_text) + page_record(3)[:-30]
    path = Path(write(tmp_path / "pages.warc", records))
    crawl(tmp_path, str(path))
    page, other = found(tmp_path / "run", 1), tmp_path / "other.warc"
    shutil.copy(path, other)
    for changed, why in (
        (CrawledPage(**{**vars(page), "extractor": "resiliparse"}), "extracted by resiliparse, and only `blocks` tells"),
        (CrawledPage(**{**vars(page), "extractor": None}), "a version that did not note by what"),
        (CrawledPage(**{**vars(page), "file": "s3://bucket/pages.warc"}), "is not here"),
        (CrawledPage(**{**vars(page), "file_bytes": 1}), "has changed since the crawl"),
        (CrawledPage(**{**vars(page), "offset": page.offset + 1}), "holds no page at offset 1"),
        (CrawledPage(**{**vars(page), "text": "another"}), "gives another text now"),
        (found(tmp_path / "run", 2), "a plain text"),
        (found(tmp_path / "run", 3), "the record is damaged"),
    ):
        with pytest.raises(InputError, match=why):
            judge_crawled(changed)
    path.write_bytes(path.read_bytes().replace(b"captain", b"skipper"))
    with pytest.raises(InputError, match="gives another text now"):
        judge_crawled(page)


def test_documents_that_were_not_crawled_have_no_page(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_page(str(small_run), "curated:c0") is None
    assert run_here("explain", "curated:c0", "--run", small_run) == 0
    assert "blocks" not in capsys.readouterr().out
    assert run_here("explain", "curated:c0", "--run", small_run, "--html", "painted.html") == 2
    assert "curated:c0 was not crawled in" in capsys.readouterr().err


def test_the_command_for_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, painted = tmp_path / "page.html", tmp_path / "painted.html"
    page.write_text(PAGE)
    (tmp_path / "link.html").symlink_to(page)
    assert main(["extraction", "blocks", str(page), "--html", str(painted), "--balance", "recall"]) == 0
    assert "blocks kept, expected F1" in capsys.readouterr().out and "x-kept" in painted.read_text()
    for name in ("page.html", "link.html"):
        assert main(["extraction", "blocks", str(page), "--html", str(tmp_path / name)]) == 2
        assert "would replace" in capsys.readouterr().err
    assert page.read_text() == PAGE
    assert main(["extraction", "blocks", "nothing.html"]) == 1
    assert "is no HTML file" in capsys.readouterr().err
