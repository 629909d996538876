"""A library alone, without guard or ledger, over the pages of a WARC: ``extract_pages.py WARC LIBRARY TEXTS``.

LIBRARY: trafilatura, trafilatura-fast, trafilatura-precision, resiliparse, or justext. Pages are read into memory first; what is
timed is bytes in, text out, as the library's documentation shows it. Writes {url, text} lines to TEXTS; prints one line of JSON.
"""

import json
import logging
import sys
import time

from fastwarc.warc import ArchiveIterator, WarcRecordType
from justext import get_stoplist, justext
from lxml.etree import ParserError
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from trafilatura import extract

TRAFILATURA = {"trafilatura": {}, "trafilatura-fast": {"fast": True}, "trafilatura-precision": {"favor_precision": True}}


def main():
    warc, library, texts = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    with open(warc, "rb") as stream:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)
        pages = [(record.headers["WARC-Target-URI"].strip("<>"), record.reader.read()) for record in records]
    function = OTHERS[library] if library in OTHERS else with_trafilatura(TRAFILATURA[library])
    function(pages[0][1])  # imports and tables
    started = time.process_time()
    found = [function(body) for _, body in pages]
    cpu_seconds = time.process_time() - started
    with open(texts, "w", encoding="utf-8", errors="replace") as lines:
        for (url, _), text in zip(pages, found, strict=True):
            lines.write(json.dumps({"url": url, "text": text}) + "\n")
    print(json.dumps({"pages": len(pages), "cpu_seconds": cpu_seconds}))


def with_resiliparse(body):
    return extract_plain_text(bytes_to_str(body, detect_encoding(body)), main_content=True)


def with_justext(body):
    try:
        paragraphs = justext(body, get_stoplist("English"))
    except (ParserError, ValueError):  # nothing but white space
        return ""
    return "\n".join(paragraph.text for paragraph in paragraphs if not paragraph.is_boilerplate)


def with_trafilatura(options):
    return lambda body: extract(body, include_comments=False, deduplicate=False, **options) or ""


OTHERS = {"resiliparse": with_resiliparse, "justext": with_justext}


main()
