from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import clusters
from dedup.clusters import INDEXED, MAX_KEPT_COMPARED, MEMBERS, preference_order
from dedup.comparison import agreement, jaccard

PRIORITY = ["curated", "webtext"]


def member(document_id: str, **values: object) -> dict[str, object]:
    return {
        "id": document_id,
        "source": "commoncrawl",
        "characters": 100,
        "digest_high": hash_of(document_id),
        "digest_low": 0,
        "shard": 0,
        **values,
    }


def hash_of(document_id: str) -> int:
    return int.from_bytes(document_id.encode().ljust(8, b"\0")[:8], "big")


def members(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=MEMBERS)


def shingles(*spans: tuple[int, int]) -> np.ndarray:
    return np.array(sorted({value for start, end in spans for value in range(start, end)}), np.uint64)


def decide(
    frame: pl.DataFrame,
    keys: np.ndarray,
    sets: list[np.ndarray],
    threshold: float,
    priority: list[str],
    components: Any = None,
    **values: Any,
) -> pl.DataFrame:
    """``clusters.decide`` on sets in memory, all of one component unless told otherwise."""
    component_of = np.zeros(len(sets), np.uint32) if components is None else np.array(components, np.uint32)
    sizes = np.array([len(one) for one in sets], np.int64)

    def read(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([np.empty(0, np.uint64), *(sets[row] for row in rows)])

    return clusters.decide(frame, component_of, keys, sizes, read, threshold, priority, **values)


def one_bucket(count: int) -> np.ndarray:
    return np.zeros((count, 1), np.uint64)


def removed(frame: pl.DataFrame) -> dict[str, tuple[Any, ...]]:
    rows = frame.select("id", "duplicate_of", pl.col("similarity").round(4), "kind", "cluster_size").iter_rows()
    return {document_id: tuple(rest) for document_id, *rest in rows}


def test_preference_by_hand() -> None:
    rows = [
        member("source-none", source=None, quality_score=1.0, characters=999),
        member("other-b", source="b", quality_score=1.0),
        member("other-a", source="a", quality_score=0.0),
        member("webtext", source="webtext"),
        member("curated-low", source="curated", quality_score=0.2, characters=900),
        member("curated-none", source="curated", quality_score=None, characters=900),
        member("curated-nan", source="curated", quality_score=float("nan"), characters=800),
        member("curated-short", source="curated", quality_score=0.9, characters=10),
        member("curated-late", source="curated", quality_score=0.9, characters=20, date="2020-01-01T00:00:00Z"),
        member("curated-after", source="curated", quality_score=0.9, characters=20, date="2019-01-01T00:00:00.500000Z"),
        member("curated-early-2", source="curated", quality_score=0.9, characters=20, date="2019-01-01T00:00:00Z"),
        member("curated-early-1", source="curated", quality_score=0.9, characters=20, date="2019-01-01T00:00:00Z"),
        member("curated-undated", source="curated", quality_score=0.9, characters=20, date=None),
    ]
    order = preference_order(members(*rows), PRIORITY)["id"].to_list()
    assert order == [
        "curated-early-1", "curated-early-2", "curated-after", "curated-late", "curated-undated", "curated-short",
        "curated-low", "curated-none", "curated-nan", "webtext", "other-a", "other-b", "source-none",
    ]  # fmt: skip
    assert preference_order(members(*rows), [])["id"][0] == "other-a"


def test_jaccard_by_hand() -> None:
    empty = np.empty(0, np.uint64)
    assert jaccard(shingles((0, 8)), shingles((2, 10))) == 0.6  # 6 common of 10
    assert jaccard(shingles((0, 3)), shingles((3, 6))) == 0.0
    assert jaccard(shingles((0, 3)), shingles((0, 3))) == 1.0
    assert jaccard(empty, shingles((0, 3))) == jaccard(empty, empty) == 0.0


def test_equal_to_the_threshold_is_a_duplicate() -> None:
    frame = members(member("a"), member("b"))
    at = decide(frame, one_bucket(2), [shingles((0, 9)), shingles((1, 10))], 0.8, [])  # 8 of 10
    below = decide(frame, one_bucket(2), [shingles((0, 9)), shingles((1, 10))], 0.80001, [])
    assert removed(at) == {"b": ("a", 0.8, "near", 2)}
    assert removed(below) == {}


def test_a_chain_does_not_remove_its_far_end() -> None:
    # a~b and b~c at 16/20 and more, a~c at 14/22: b goes, c resembles no survivor and stays.
    sets = [shingles((0, 18)), shingles((2, 20)), shingles((4, 22))]
    decisions = decide(members(member("a"), member("b"), member("c")), one_bucket(3), sets, 0.8, [])
    assert removed(decisions) == {"b": ("a", 0.8, "near", 2)}


def test_members_unlike_the_best_are_still_compared_among_themselves() -> None:
    sets = [shingles((0, 50)), shingles((100, 150)), shingles((100, 149)), shingles((0, 49))]
    frame = members(member("a"), member("b"), member("c"), member("d"))
    assert removed(decide(frame, one_bucket(4), sets, 0.8, [])) == {"c": ("b", 0.98, "near", 2), "d": ("a", 0.98, "near", 2)}


def test_the_most_preferred_of_several_survivors_is_named() -> None:
    # c shares band 0 with b alone and band 1 with a alone, and resembles both, who do not resemble each other.
    keys = np.array([[1, 5], [2, 6], [2, 5]], np.uint64)
    sets = [shingles((0, 19)), shingles((4, 23)), shingles((2, 21))]
    decisions = decide(members(member("a"), member("b"), member("c")), keys, sets, 0.8, [])
    assert removed(decisions) == {"c": ("a", round(17 / 21, 4), "near", 2)}
    assert decisions["band"].to_list() == [1]


def test_no_shared_band_no_comparison() -> None:
    same = shingles((0, 10))
    assert len(decide(members(member("a"), member("b")), np.array([[1], [2]], np.uint64), [same, same], 0.8, [])) == 0


def test_equal_texts_and_their_near_duplicate() -> None:
    # b1 and b2 are one text; "a" is preferred by its source and resembles them: both go in its favour.
    rows = [member("b2", digest_high=7), member("b1", digest_high=7), member("a", source="curated")]
    empty = np.empty(0, np.uint64)
    sets = [shingles((0, 10)), empty, shingles((0, 9))]
    decisions = decide(members(*rows), one_bucket(3), sets, 0.8, PRIORITY)
    assert removed(decisions) == {"b1": ("a", 0.9, "near", 3), "b2": ("a", 0.9, "near", 3)}
    # Without "a" the smaller id stays, although the other brought the shingles.
    decisions = decide(members(*rows[:2]), one_bucket(2), sets[:2], 0.8, PRIORITY)
    assert removed(decisions) == {"b2": ("b1", 1.0, "exact", 2)}
    assert decisions["band"].to_list() == [None]


def test_short_texts_meet_equal_texts_only() -> None:
    empty = np.empty(0, np.uint64)
    rows = [member("a", digest_high=1), member("b", digest_high=1), member("c", digest_high=2)]
    assert removed(decide(members(*rows), one_bucket(3), [empty] * 3, 0.8, [])) == {"b": ("a", 1.0, "exact", 2)}


def test_different_components_share_no_bucket() -> None:
    same = shingles((0, 10))
    frame = members(member("a"), member("b"), member("c"))
    assert removed(decide(frame, one_bucket(3), [same] * 3, 0.8, [], components=[4, 9, 9])) == {"c": ("b", 1.0, "near", 2)}


def test_indexed_documents_stay_and_come_first() -> None:
    # "z" and "y" lie in the index: they resemble each other, and everything else goes in their favour.
    rows = [member("a", source="curated"), member("z", shard=INDEXED), member("y", shard=INDEXED), member("b", digest_high=hash_of("z"))]
    sets = [shingles((0, 10)), shingles((0, 9)), shingles((0, 9)), shingles((0, 9))]
    decisions = decide(members(*rows), one_bucket(4), sets, 0.8, PRIORITY)
    assert removed(decisions) == {"a": ("y", 0.9, "near", 2), "b": ("z", 1.0, "exact", 2)}
    assert decisions["indexed"].to_list() == [True, True]


def test_estimated_similarity_is_the_share_of_equal_rows() -> None:
    one, other = np.arange(10, dtype=np.uint64), np.array([0, 1, 2, 3, 4, 5, 6, 7, 80, 90], np.uint64)
    assert agreement(one, other) == 0.8
    frame = members(member("a"), member("b"))
    assert removed(decide(frame, one_bucket(2), [one, other], 0.8, [], estimated=True)) == {"b": ("a", 0.8, "near", 2)}
    assert removed(decide(frame, one_bucket(2), [one, other], 0.81, [], estimated=True)) == {}


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [shingles((10 * (i // 3), 10 * (i // 3) + 40 - i % 3)) for i in range(60)]
    frame = members(*(member(f"{i:05}") for i in range(60)))
    whole = decide(frame, one_bucket(60), sets, 0.8, [])
    monkeypatch.setattr(clusters, "CHUNK_DOCUMENTS", 7)
    assert decide(frame, one_bucket(60), sets, 0.8, []).equals(whole)
    assert len(whole) > 20


def test_nothing_to_decide() -> None:
    assert len(decide(members(), np.empty((0, 3), np.uint64), [], 0.8, [])) == 0


def test_a_bucket_of_strangers_is_linear_and_loses_only_what_is_documented() -> None:
    # Each pair (2i, 2i + 1) resembles each other and nobody else; all share one bucket.
    pairs = 2000
    sets = [shingles((100 * (i // 2), 100 * (i // 2) + 50 - i % 2)) for i in range(2 * pairs)]
    frame = members(*(member(f"{i:05}") for i in range(2 * pairs)))
    decisions = decide(frame, one_bucket(2 * pairs), sets, 0.8, [])
    assert len(decisions) == MAX_KEPT_COMPARED
    # A second band that parts the strangers finds all of them.
    keys = np.stack([np.zeros(2 * pairs), np.arange(2 * pairs) // 2], axis=1).astype(np.uint64)
    assert len(decide(frame, keys, sets, 0.8, [])) == pairs


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(3, 12), st.sampled_from(PRIORITY), st.tuples(st.integers(0, 2), st.integers(0, 2))),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0.5, 0.8]),
    st.randoms(),
)
def test_decisions_equal_plain_python_in_any_order(documents: list[Any], threshold: float, random: Random) -> None:
    """Greedy choice over all pairs that share a key, by Python sets; input order must not matter."""
    rows, keys, sets = [], [], []
    for number, (start, length, source, key) in enumerate(documents):
        text = range(start, start + length)
        rows.append(member(f"d{number:02}", source=source, digest_high=start, digest_low=length))
        # Equal texts have equal keys.
        equal = [keys[other] for other, row in enumerate(rows[:-1]) if (row["digest_high"], row["digest_low"]) == (start, length)]
        keys.append(equal[0] if equal else key)
        sets.append(set(text))
    order = sorted(range(len(rows)), key=lambda i: (PRIORITY.index(str(rows[i]["source"])), str(rows[i]["id"])))
    expected: dict[str, str] = {}
    survivor_of_text: dict[tuple[Any, Any], int] = {}
    kept: list[int] = []
    for i in order:
        text = (rows[i]["digest_high"], rows[i]["digest_low"])
        if text not in survivor_of_text:
            similar = [
                j for j in kept
                if any(x == y for x, y in zip(keys[i], keys[j], strict=True))
                and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold
            ]  # fmt: skip
            survivor_of_text[text] = similar[0] if similar else i
            if not similar:
                kept.append(i)
        if survivor_of_text[text] != i:
            expected[str(rows[i]["id"])] = str(rows[survivor_of_text[text]]["id"])
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    decisions = decide(
        members(*(rows[i] for i in shuffled)),
        np.array([keys[i] for i in shuffled], np.uint64),
        [np.array(sorted(sets[i]), np.uint64) for i in shuffled],
        threshold,
        PRIORITY,
    )
    assert dict(decisions.select("id", "duplicate_of").iter_rows()) == expected
