"""Every record of a WARC, its body decoded and read: ``read_warc.py WARC LIBRARY [digests]``.

LIBRARY: warcio or fastwarc; ``digests``: also verify block digests. Prints one line of JSON.
"""

import json
import sys
import time


def main():
    warc, library, *options = sys.argv[1:]
    records, size = 0, 0
    started = time.process_time()
    with open(warc, "rb") as stream:
        for body in {"warcio": with_warcio, "fastwarc": with_fastwarc}[library](stream, "digests" in options):
            records += 1
            size += len(body)
    print(json.dumps({"records": records, "bytes": size, "cpu_seconds": time.process_time() - started}))


def with_warcio(stream, digests):
    from warcio.archiveiterator import ArchiveIterator

    for record in ArchiveIterator(stream, check_digests=digests):
        yield record.content_stream().read()


def with_fastwarc(stream, digests):
    from fastwarc.warc import ArchiveIterator

    for record in ArchiveIterator(stream, parse_http=True):
        if digests and record.is_http and "WARC-Block-Digest" in record.headers:
            record.verify_block_digest()
        yield record.reader.read()


main()
