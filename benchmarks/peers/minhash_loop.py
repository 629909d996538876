"""Deduplication by the loop that datasketch and rensa document: sketch, query the index, keep and insert, or drop.

usage: minhash_loop.py datasketch|rensa INPUT_FOLDER OUTPUT_FOLDER [signatures]
Word 5-grams, 128 permutations, threshold 0.8; what the index returns is checked by the estimated similarity. rensa by its
full R-MinHash. Writes the kept documents and OUTPUT_FOLDER/clusters.tsv (id, cluster, 1 if it stays); the last line
says how long it took, in seconds. With ``signatures`` only the signatures of the first documents are made.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NGRAM_WORDS = 5
PERMUTATIONS = 128
THRESHOLD = 0.8
RENSA_BANDS = 16  # of 8 rows: even odds at 0.7
BATCH = 1000
SIGNATURE_DOCUMENTS = 2000
WORD = re.compile(r"\w+")


def shingles(text: str) -> set[str]:
    """Word n-grams of a text; none if it is shorter."""
    words = WORD.findall(text.lower())
    return {" ".join(words[i : i + NGRAM_WORDS]) for i in range(len(words) - NGRAM_WORDS + 1)}


def batches(source: str) -> Iterator[list[dict[str, str]]]:
    """The documents, some at a time."""
    batch = []
    for path in sorted(Path(source).glob("*.jsonl")):
        with path.open() as lines:
            for line in lines:
                batch.append(json.loads(line))
                if len(batch) == BATCH:
                    yield batch
                    batch = []
    yield batch


class Datasketch:
    """datasketch 2 with its bulk method and MurmurHash3."""

    def __init__(self) -> None:
        import datasketch

        self.minhash = datasketch.MinHash
        self.index = datasketch.MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)

    def sketch(self, sets: list[set[str]]) -> list:
        import mmh3

        return self.minhash.bulk(
            [[s.encode() for s in one] for one in sets], num_perm=PERMUTATIONS, hashfunc=lambda b: mmh3.hash(b, signed=False)
        )

    def query(self, sketch: object) -> list[int]:
        return self.index.query(sketch)

    def insert(self, number: int, sketch: object) -> None:
        self.index.insert(number, sketch)


class Rensa:
    """rensa's R-MinHash in bulk, and its index."""

    def __init__(self) -> None:
        import rensa

        self.minhash = rensa.RMinHash
        self.index = rensa.RMinHashLSH(THRESHOLD, PERMUTATIONS, RENSA_BANDS)

    def sketch(self, sets: list[set[str]]) -> list:
        return self.minhash.from_token_sets([list(one) for one in sets], PERMUTATIONS, 42)

    def query(self, sketch: object) -> list[int]:
        return self.index.query(sketch)

    def insert(self, number: int, sketch: object) -> None:
        self.index.insert(number, sketch)


def deduplicate(library: Datasketch | Rensa, source: str, target: str) -> None:
    """Kept documents to TARGET/kept.jsonl, and the survivor of each removed one to TARGET/clusters.tsv."""
    kept: dict[int, object] = {}
    ids: list[str] = []
    survivors = set()
    with open(f"{target}/kept.jsonl", "w") as out, open(f"{target}/clusters.tsv", "w") as clusters:
        for batch in batches(source):
            sets = [shingles(row["text"]) for row in batch]
            for row, own, sketch in zip(batch, sets, library.sketch(sets), strict=True):
                number = len(ids)
                ids.append(row["id"])
                similar = [other for other in library.query(sketch) if sketch.jaccard(kept[other]) >= THRESHOLD] if own else []
                if similar:
                    clusters.write(f"{row['id']}\t{ids[min(similar)]}\t0\n")
                    survivors.add(ids[min(similar)])
                    continue
                if own:
                    library.insert(number, sketch)
                    kept[number] = sketch
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        clusters.writelines(f"{survivor}\t{survivor}\t1\n" for survivor in sorted(survivors))


def main() -> None:
    library = {"datasketch": Datasketch, "rensa": Rensa}[sys.argv[1]]()
    source, target = sys.argv[2:4]
    if sys.argv[4:] == ["signatures"]:
        texts = [row["text"] for batch, _ in zip(batches(source), range(SIGNATURE_DOCUMENTS // BATCH), strict=False) for row in batch]
        started = time.monotonic()
        library.sketch([shingles(text) for text in texts])
        print(json.dumps({"documents": len(texts), "seconds": time.monotonic() - started}))
        return
    started = time.monotonic()
    deduplicate(library, source, target)
    print(json.dumps({"seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
