"""datatrove's reader and extractor as its FineWeb example uses them: ``crawl_datatrove.py WARC FOLDER TEXTS``.

Writes documents to FOLDER as the executor does, {url, text} lines to TEXTS; prints one line of JSON.
"""

import gzip
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter


def main():
    warc, folder, texts = sys.argv[1:]
    steps = [
        WarcReader(os.path.dirname(warc), glob_pattern=os.path.basename(warc)),
        Trafilatura(favour_precision=True, timeout=10),  # the example's 1 s loses pages on a busy machine
        JsonlWriter(folder),
    ]
    LocalPipelineExecutor(pipeline=steps, tasks=1, workers=1, logging_dir=os.path.join(folder, "logs"), skip_completed=False).run()
    count = 0
    with open(texts, "w", encoding="utf-8", errors="replace") as lines:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".jsonl.gz"):
                with gzip.open(os.path.join(folder, name), "rt", encoding="utf-8") as rows:
                    for row in map(json.loads, rows):
                        count += 1
                        lines.write(json.dumps({"url": row["metadata"]["url"], "text": row["text"]}) + "\n")
    print(json.dumps({"documents": count}))


main()
