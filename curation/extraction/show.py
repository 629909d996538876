"""The blocks of a page for people: which page, read again from where the crawl read it, and its blocks as lines for a terminal."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from curation.crawl_page import page_request, why_no_page
from curation.errors import InputError
from curation.explain import CrawledPage, printable
from curation.extraction.blocks.judge import Judgement, judge
from curation.extraction.blocks.render import page_text
from curation.extraction.encoding import decode
from curation.extraction.extractor import BALANCES
from curation.extraction.paint import ShownBlock, shown_blocks, summary
from curation.normalize import normalize
from curation.sources.warc import DAMAGED, Record, read_records

SHOWN_CHARACTERS = 80
SHOWN_LINES = 40  # our choice: more do not fit a screen


def judge_crawled(page: CrawledPage) -> Judgement:
    """The blocks of a page as its crawl judged them.

    Raises:
        InputError: why they cannot be told: by another extractor, or the file that held the page is absent or has changed.
    """
    if page.extractor not in BALANCES:
        raise InputError(f"extracted by {page.extractor or 'a version that did not note by what'}, and only `blocks` tells of blocks")
    path = next((path for path in (page.file, *page.copies) if Path(path).is_file()), None)
    if path is None:
        raise InputError(f"{page.file}, which held the page, is not here; fetch it to {' or '.join(page.copies) or 'that path'}")
    if Path(path).stat().st_size != page.file_bytes:
        raise InputError(f"{path} has changed since the crawl")
    record = _record_at(path, page.offset)
    if record.state == DAMAGED:
        raise InputError(f"the record is damaged: {record.problem}")
    request = page_request(record)
    if not request.is_html:
        raise InputError("a plain text, which is taken whole")
    judgement = judge(decode(request.body, request.charset).text.replace("\0", ""), BALANCES[page.extractor])
    if page.text is not None and normalize(page_text(judgement.scan, judgement.kept)) != page.text:
        raise InputError(f"{path} gives another text now; it, the recipe's limits or the extractor have changed since the crawl")
    return judgement


def _record_at(path: str, offset: int) -> Record:
    for start in dict.fromkeys((offset, 0)):  # most records have a compressed member to themselves, and can be read by themselves
        for record in read_records(path, start, position=start):
            if record.offset == offset and why_no_page(record) is None:
                return record
            if start:
                break
    raise InputError(f"{path} holds no page at offset {offset}; it has changed since the crawl")


def judge_file(path: str, balance: str) -> Judgement:
    """The blocks of an HTML file.

    Raises:
        InputError: there is no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is no HTML file; check the name, or ask `explain` about a page of a run")
    return judge(decode(Path(path).read_bytes(), None).text.replace("\0", ""), balance)


def block_lines(judgement: Judgement, whole: bool) -> list[str]:
    """A line on the page and one a block: kept or not, probability, element, beginning of the text.

    If not ``whole``, of neighbours that are left out only the likeliest is told, and of a long page the beginning.
    """
    lines = []
    for is_kept, neighbours in groupby(shown_blocks(judgement), lambda block: block.is_kept):
        blocks = list(neighbours)
        if is_kept or whole:
            lines += [_line(block) for block in blocks]
        else:
            more = f"  (the likeliest of {len(blocks)})" if len(blocks) > 1 else ""
            lines.append(_line(max(blocks, key=lambda block: block.likely)) + more)
    if not whole and len(lines) > SHOWN_LINES:
        lines[SHOWN_LINES:] = ["  ... and so on; --blocks lists all of them"]
    return [summary(judgement), *lines]


def _line(block: ShownBlock) -> str:
    text = printable(" ".join(block.text.split()))
    text = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
    return f"  {'kept' if block.is_kept else '-':<4} {block.likely:.3f}  {block.element:<10} {text}"
