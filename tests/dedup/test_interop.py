from __future__ import annotations

import datasketch
import mmh3
import numpy as np
import pytest

from curation.errors import InputError
from dedup.interop import from_minhash, hash_shingle, signatures_of, to_minhash

ONE = "one two three four five six seven eight nine ten eleven twelve"
OTHER = "one two three four five six seven eight nine ten eleven thirteen"


def theirs(text: str, permutations: int = 64, seed: int = 3) -> datasketch.MinHash:
    sketch = datasketch.MinHash(num_perm=permutations, seed=seed, scheme="affine32", hashfunc=lambda data: mmh3.hash(data, signed=False))
    words = text.split()
    sketch.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
    return sketch


def test_both_ways_and_equal_to_theirs() -> None:
    signatures = signatures_of([ONE, OTHER], permutations=64, seed=3)
    assert signatures.tolist() == [theirs(ONE).digest().tolist(), theirs(OTHER).digest().tolist()]
    ours = to_minhash(signatures[0], seed=3)
    assert ours == theirs(ONE)
    assert ours.jaccard(theirs(OTHER)) == np.mean(signatures[0] == signatures[1])
    assert from_minhash(ours).tolist() == signatures[0].tolist()
    assert from_minhash(theirs(OTHER)).dtype == np.uint32


def test_their_objects_go_on_with_our_shingles() -> None:
    ours = to_minhash(signatures_of([ONE], permutations=64, seed=3)[0], seed=3)
    ours.update(b"nine ten eleven twelve thirteen")
    assert ours == theirs(f"{ONE} thirteen")
    assert hash_shingle("größe".encode()) == mmh3.hash("größe", signed=False)
    ours.merge(theirs(OTHER))
    index = datasketch.MinHashLSH(threshold=0.5, num_perm=64)
    index.insert("ours", ours)
    assert index.query(ours) == ["ours"]


def test_other_permutations_are_refused() -> None:
    with pytest.raises(InputError, match="scheme legacy, not affine32"):
        from_minhash(datasketch.MinHash(num_perm=8, scheme="legacy"))
