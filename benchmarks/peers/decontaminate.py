"""What others do about benchmark text in documents: ``decontaminate.py janitor|datatrove PASSAGES DOCUMENTS``.

janitor: EleutherAI's, of the LM evaluation harness, its Python mode. datatrove: its n-gram filter and the index that it is for,
without lighteval, which it asks for even where it is handed the texts. Both with 13-grams. PASSAGES: one JSON string a line.
DOCUMENTS: objects with ``id`` and ``text``. Loads and indexes once, then goes over the documents once for each line of its
input, and answers with the processor seconds and the documents that were changed or dropped.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time

NGRAM_WORDS = 13


def janitor(passages):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # it warns of its Python mode
        from lm_eval.decontamination.janitor import Janitor

    cleaner = Janitor(ngram_n=NGRAM_WORDS)
    for passage in passages:
        cleaner.register_contaminant_python(passage)
    return lambda text: cleaner.clean_python(text) != [text]


def datatrove(passages):
    import numpy
    from datatrove.data import Document
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.decont import n_grams

    PipelineStep.__new__ = lambda cls, *_, **__: object.__new__(cls)  # does not look for lighteval
    config = n_grams.NGramsDecontConfig(n_grams=NGRAM_WORDS)
    with tempfile.TemporaryDirectory() as folder:
        indexer = n_grams.NGramsDecontIndexer(folder, config=config)
        hashes = {key for passage in passages for key in indexer.compute_hashes(passage)}
        numpy.array(list(hashes), dtype=config.hash_config.np_descr).tofile(os.path.join(folder, "all.index.hashes"))
        step = n_grams.NGramsDecontFilter(folder, config=config)
        step.load_index_hashes()
    return lambda text: step.filter(Document(text=text, id="")) is not True


def main():
    program, passages_path, documents_path = sys.argv[1:]
    with open(passages_path, encoding="utf-8") as lines:
        touches = {"janitor": janitor, "datatrove": datatrove}[program](map(json.loads, lines))
    with open(documents_path, encoding="utf-8") as lines:
        documents = [(row["id"], row["text"]) for row in map(json.loads, lines)]
    touches(documents[0][1])
    for _ in sys.stdin:
        started = time.process_time()
        touched = [name for name, text in documents if touches(text)]
        print(json.dumps({"seconds": time.process_time() - started, "touched": touched}), flush=True)


main()
