"""Builds the index of benchmarks as the stage does, alone in a process whose memory is measured: ``index_items.py FILE_OR_FOLDER``.

The last line says how many items and n-grams it holds, and the processor seconds from files to index, imports excepted.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script

from contamination.benchmarks import read_benchmark
from contamination.indexing import build_index
from contamination.specs import resolve_specs
from contamination.words import find_words

find_words("loads the kernels")
started = time.process_time()
benchmarks = [read_benchmark(spec) for spec in resolve_specs(sys.argv[1:])]
index = build_index(benchmarks, removal_words=13, report_min_words=8, report_max_words=13)
seconds = time.process_time() - started
print(json.dumps({"items": len(index.row_of_item), "ngrams": len(index.removal[0]), "seconds": seconds}))
