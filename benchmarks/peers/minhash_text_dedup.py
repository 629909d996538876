"""text-dedup's MinHash script, as its command line runs it: word 5-grams, 128 permutations, threshold 0.8.

usage: minhash_text_dedup.py INPUT_FOLDER OUTPUT_FOLDER
Writes OUTPUT_FOLDER/clusters.tsv with the documents that it removed (id, itself, 0); it does not say whose copies they
are. The last line says how long it took, in seconds, loading its result excepted.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from datasets import load_from_disk

WORKERS = 2
OPTIONS = ["--ngram", "5", "--num_perm", "128", "--threshold", "0.8", "--hash_func", "xxh3", "--column", "text", "--batch_size", "1000"]


def main() -> None:
    source, target = sys.argv[1:3]
    files = sorted(str(path) for path in Path(source).glob("*.jsonl"))
    command = [
        sys.executable,
        "-m",
        "text_dedup.minhash",
        "--path",
        "json",
        "--data_files",
        source + "/*.jsonl",
        "--split",
        "train",
        *OPTIONS,
    ]
    command += ["--cache_dir", f"{target}/cache", "--output", f"{target}/kept", "--num_proc", str(WORKERS)]
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    kept = set(load_from_disk(f"{target}/kept")["id"])
    with open(f"{target}/clusters.tsv", "w") as out:
        for path in files:
            with open(path) as lines:
                ids = (json.loads(line)["id"] for line in lines)
                out.writelines(f"{document_id}\t{document_id}\t0\n" for document_id in ids if document_id not in kept)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
