"""Every record of an archive file as a peer reads it: its id, its address and the sha256 of its body, and the error that ended it."""

import hashlib
import json
import sys
from pathlib import Path


def warcio_records(path):
    from warcio.archiveiterator import ArchiveIterator

    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream, arc2warc=True):
            headers = record.rec_headers
            yield headers.get_header("WARC-Record-ID"), headers.get_header("WARC-Target-URI"), record.content_stream().read()


def fastwarc_records(path):
    from fastwarc.warc import ArchiveIterator

    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream, parse_http=True, auto_decode="all"):
            yield record.record_id, record.headers.get("WARC-Target-URI"), record.reader.read()


def main():
    peer, path = sys.argv[1:]
    records, error = [], None
    try:
        for record_id, uri, body in {"warcio": warcio_records, "FastWARC": fastwarc_records}[peer](path):
            records.append([(record_id or "").strip("<>"), (uri or "").strip("<>"), hashlib.sha256(body).hexdigest()])
    except Exception as raised:  # whatever ends it is what it has to say about the file
        error = f"{type(raised).__name__}: {raised}"
    print(json.dumps({"records": records, "error": error, "name": Path(path).name}))


if __name__ == "__main__":
    main()
