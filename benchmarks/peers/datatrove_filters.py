"""datatrove's filters on JSONL documents: their verdicts, and processor seconds without loading; runs in the environment `filters`.

usage: datatrove_filters.py INPUT FILTER... (gopher_repetition, gopher_quality, c4, fineweb); in the order given, a document
goes on only if it passed, with the text that the filter left.
"""

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

FILTERS = {
    "gopher_repetition": GopherRepetitionFilter,
    "gopher_quality": GopherQualityFilter,
    "c4": C4QualityFilter,
    "fineweb": FineWebQualityFilter,
}
WARM_UP = "The first text is for loading the tokenizer. It holds a few words.\n" * 20


def passes(text: str, filters: list) -> bool:
    document = Document(text=text, id="0")
    return all(one.filter(document) is True for one in filters)


def main() -> None:
    path, *names = sys.argv[1:]
    filters = [FILTERS[name]() for name in names]
    with open(path, encoding="utf-8") as stream:
        texts = [json.loads(line)["text"] for line in stream]
    passes(WARM_UP, filters)
    started = time.process_time()
    verdicts = [passes(text, filters) for text in texts]
    print(json.dumps({"seconds": time.process_time() - started, "passes": verdicts}))


if __name__ == "__main__":
    main()
