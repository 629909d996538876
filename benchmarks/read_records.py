"""Every record of a WARC by our reader, for benchmarks/crawl.py: ``read_records.py WARC``; prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.sources.warc import read_records

records = size = 0
started = time.process_time()
for record in read_records(sys.argv[1]):
    records += 1
    size += len(record.body)
print(json.dumps({"records": records, "bytes": size, "cpu_seconds": time.process_time() - started}))
