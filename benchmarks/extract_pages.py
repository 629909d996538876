"""Our extraction alone over the pages of a WARC, for benchmarks/crawl.py: ``extract_pages.py WARC EXTRACTOR MODE [TEXTS]``.

MODE: ``guarded``, page by page in the guarded process as in a crawl, or ``bare``, the same function called here. Pages are
read into memory first; what is timed is bytes in, normalised text out. Writes {url, text} lines to TEXTS if given; prints one
line of JSON.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.crawl_page import page_request, why_no_page
from curation.extraction.guard import Guard
from curation.extraction.page import PageOptions, PageText, extract_page, warm_up
from curation.recipe import CrawlLimits
from curation.sources.warc import read_records


def main() -> None:
    """Extract, and say how much processor time it took: of this process and the guarded one."""
    warc, extractor, mode, *texts = sys.argv[1:]
    options = PageOptions(extractor)
    requests = [page_request(record) for record in read_records(warc) if why_no_page(record) is None]
    with Guard(partial(extract_page, options), partial(warm_up, options), CrawlLimits()) as guard:
        extract = guard.call if mode == "guarded" else partial(extract_page, options)
        extract(requests[0])  # starts the process, imports
        before = _cpu_seconds()
        found = [extract(request) for request in requests]
        cpu_seconds = _cpu_seconds() - before
    if texts:
        with open(texts[0], "w", encoding="utf-8") as lines:
            for request, text in zip(requests, found, strict=True):
                lines.write(json.dumps({"url": request.url, "text": text.text if isinstance(text, PageText) else ""}) + "\n")
    print(json.dumps({"pages": len(requests), "bytes": sum(len(request.body) for request in requests), "cpu_seconds": cpu_seconds}))


def _cpu_seconds() -> float:
    """Processor time so far of this process and of the guard's, which lives on: a child of the server that forked it."""
    this = psutil.Process()
    times = [process.cpu_times() for process in [this, *this.children(recursive=True)]]
    return float(sum(time.user + time.system for time in times))


main()
