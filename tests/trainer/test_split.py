"""trainer/split.py: held-out documents, and the check that both splits suffice."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from curation.documents import documents_frame
from curation.errors import InputError
from trainer.split import check_split, document_keys, is_validation


def test_keys_are_keyed_hashes_of_the_ids() -> None:
    digest = hashlib.blake2b(b"doc", digest_size=8, key=(7).to_bytes(8, "little"), person=b"validation").digest()
    assert document_keys(7, "validation", ["doc"]).tolist() == [int.from_bytes(digest, "little")]


def test_share_is_near_the_fraction_and_order_does_not_matter() -> None:
    documents = documents_frame({"id": f"d{number}", "text": ""} for number in range(4000))
    held_out = is_validation(documents, 3, 0.1)
    # Binomial(4000, 0.1): mean 400, standard deviation 19; five of them are allowed.
    assert 305 <= held_out.sum() <= 495
    assert np.array_equal(is_validation(documents.reverse(), 3, 0.1), held_out[::-1])
    assert not np.array_equal(is_validation(documents, 4, 0.1), held_out)


def test_pieces_follow_their_parent() -> None:
    parents = [f"d{number}" for number in range(200)]
    whole = documents_frame({"id": parent, "text": ""} for parent in parents)
    pieces = documents_frame(
        {"id": f"{parent}#{part}", "text": "", "pieces": {"parent": parent, "start": 0, "end": 1}} for parent in parents for part in (0, 1)
    )
    assert np.array_equal(is_validation(pieces, 0, 0.3), np.repeat(is_validation(whole, 0, 0.3), 2))


def shard(**tokens: dict[str, int]) -> dict[str, Any]:
    counts = {
        source: {split: {"documents": 1, "tokens": count, "text_bytes": 2 * count} for split, count in splits.items()}
        for source, splits in tokens.items()
    }
    return {"sources": counts}


def test_totals_add_up_over_shards() -> None:
    totals = check_split([shard(web={"train": 9, "validation": 5}), shard(web={"train": 1}, books={"train": 3, "validation": 2})], 4)
    assert totals == {
        "books": {"train": {"documents": 1, "tokens": 3, "text_bytes": 6}, "validation": {"documents": 1, "tokens": 2, "text_bytes": 4}},
        "web": {"train": {"documents": 2, "tokens": 10, "text_bytes": 20}, "validation": {"documents": 1, "tokens": 5, "text_bytes": 10}},
    }


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ([], "train split is empty; give more documents"),
        ([shard(web={"train": 100})], "validation split is empty; raise tokenize.validation_fraction"),
        ([shard(web={"validation": 100})], "train split is empty; give more documents"),
        (
            [shard(web={"train": 100, "validation": 8})],
            "validation split is too small: its largest source has 8 tokens, one sequence needs 9; raise",
        ),
    ],
)
def test_too_small_split_is_an_error(shards: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_split(shards, 8)
