"""datatrove's MinHash deduplication, its four stages as in its own example: 14 buckets of 8 hashes of word 5-grams.

usage: minhash_datatrove.py INPUT_FOLDER OUTPUT_FOLDER [signatures]
Writes OUTPUT_FOLDER/clusters.tsv (id, cluster, 1 if it stays); the last line says how long it took, in seconds. With
``signatures`` only the signatures of the first documents are made, by one process and without files.
"""

import gzip
import json
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

WORKERS = 2
SIGNATURE_DOCUMENTS = 1000
CONFIG = MinhashConfig()


def deduplicate(source: str, target: str) -> None:
    """Kept documents to TARGET/kept, removed ones to TARGET/removed."""
    tasks = len(list(Path(source).glob("*.jsonl")))

    def execute(steps: list, count: int) -> None:
        LocalPipelineExecutor(steps, tasks=count, workers=WORKERS, logging_dir=f"{target}/logs/{len(steps)}-{steps[-1].name}").run()

    execute([JsonlReader(source), MinhashDedupSignature(f"{target}/signatures", CONFIG)], tasks)
    execute([MinhashDedupBuckets(f"{target}/signatures", f"{target}/buckets", config=CONFIG)], CONFIG.num_buckets)
    execute([MinhashDedupCluster(f"{target}/buckets", f"{target}/ids", config=CONFIG, save_cluster_id=True)], 1)
    step = MinhashDedupFilter(f"{target}/ids", exclusion_writer=JsonlWriter(f"{target}/removed"), load_cluster_ids=True)
    execute([JsonlReader(source), step, JsonlWriter(f"{target}/kept")], tasks)


def write_clusters(target: str) -> None:
    """Every clustered document, from what the last stage wrote."""
    with open(f"{target}/clusters.tsv", "w") as out:
        for folder, kept in (("kept", 1), ("removed", 0)):
            for path in sorted(Path(target, folder).rglob("*.jsonl.gz")):
                with gzip.open(path, "rt") as lines:
                    for row in map(json.loads, lines):
                        cluster = row["metadata"].get("minhash_cluster_id", -1)
                        if cluster is not None and cluster >= 0:
                            out.write(f"{row['id']}\t{cluster}\t{kept}\n")


def time_signatures(source: str) -> dict[str, float]:
    texts = []
    with open(sorted(Path(source).glob("*.jsonl"))[0]) as lines:
        for line, _ in zip(lines, range(SIGNATURE_DOCUMENTS), strict=False):
            texts.append(json.loads(line)["text"])
    step = MinhashDedupSignature("/tmp/unused", CONFIG)
    step.get_signature(step.get_shingles(texts[0]))  # loads its tokenizer
    started = time.monotonic()
    for text in texts:
        step.get_signature(step.get_shingles(text))
    return {"documents": len(texts), "seconds": time.monotonic() - started}


def main() -> None:
    source, target = sys.argv[1:3]
    if sys.argv[3:] == ["signatures"]:
        print(json.dumps(time_signatures(source)))
        return
    started = time.monotonic()
    deduplicate(source, target)
    seconds = time.monotonic() - started
    write_clusters(target)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
