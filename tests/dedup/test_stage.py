from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.documents import conform, documents_frame
from curation.recipe import DedupSettings
from dedup import decisions as decisions_module
from dedup import members as members_module
from dedup import stage as stage_module
from dedup.stage import DedupStage
from tests.dedup.corpora import dedup, document, planted, text
from tests.shared_data import shared
from tests.small_corpus import run_small


def test_hand_made_truth(tmp_path: Path) -> None:
    base = text(1, 104)  # 100 shingles
    rows = [
        document("c-spelled", base.upper().replace(" ", "\n- ")),
        document("a-first", base),
        document("b-other", text(2)),
        document("d-changed", base.rsplit(" ", 2)[0] + " new words"),  # 98 of 102 shingles in common
        document("e-short", "only four words here"),
        document("f-short", "Only FOUR words, here!"),
        document("g-short", "only four words there"),
        document("h-empty", ""),
        document("i-empty", ""),
        document("j-symbols", "!!!"),
        document("k-symbols", "???"),
        document("l-null", None),
    ]
    corpus, kept, ledger = dedup(tmp_path, rows)
    # "c-spelled" has two characters more for each space, and of equal copies the longer stays.
    assert kept == ["c-spelled", "b-other", "f-short", "g-short", "h-empty", "i-empty", "j-symbols", "k-symbols", "l-null"]
    exact = {"reason": "exact_duplicate", "duplicate_of": "c-spelled", "similarity": 1.0, "cluster_size": 3, "band": None}
    assert ledger["a-first"] == exact
    near = ledger["d-changed"]
    assert (near["reason"], near["duplicate_of"], near["similarity"]) == ("near_duplicate", "c-spelled", round(98 / 102, 6))
    assert 0 <= near["band"] < 14
    assert ledger["e-short"]["reason"] == "exact_duplicate"  # "f-short" has a comma and a mark more
    published = json.loads(corpus.published["dedup/clusters.json"])
    assert (published["documents"], published["removed"], published["removed_exact"], published["clusters"]) == (12, 3, 2, 2)
    assert [duplicate["id"] for duplicate in published["largest"][0]["duplicates"]] == ["a-first", "d-changed"]


def test_source_priority_and_quality_choose_the_survivor(tmp_path: Path) -> None:
    rows = [
        document("a", text(1), source="commoncrawl", quality_score=0.9),
        document("b", text(1), source="webtext"),
        document("c", text(2), quality_score=0.1),
        document("d", text(2), quality_score=0.7),
    ]
    assert dedup(tmp_path / "1", rows)[1] == ["b", "d"]
    assert dedup(tmp_path / "2", rows, source_priority=["commoncrawl"])[1] == ["a", "d"]


ADDRESSES = [
    document("old", text(1), url="http://www.example.org/a?utm_source=x", date="2020-01-01T00:00:00Z", quality_score=0.9),
    document("new", text(2), url="https://example.org/a", date="2021-01-01T00:00:00Z", quality_score=0.5),
    document("undated", text(3), url="https://example.org/a"),
    document("other", text(4), url="https://example.org/b"),
    document("none-1", text(5)),
    document("none-2", text(6), url="mailto:nobody"),
    document("none-3", text(7), url="mailto:nobody"),
    document("copy", text(1), source="webtext"),
]


def test_of_one_address_the_newest_or_the_best_stays(tmp_path: Path) -> None:
    others = ["other", "none-1", "none-2", "none-3"]
    assert dedup(tmp_path / "all", ADDRESSES)[1] == ["new", "undated", *others, "copy"]
    _, kept, ledger = dedup(tmp_path / "newest", ADDRESSES, addresses="newest")
    assert kept == ["new", *others, "copy"]
    same = {"reason": "same_address", "duplicate_of": "new", "similarity": None, "cluster_size": 3, "band": None}
    assert ledger == {"old": same, "undated": same}
    _, kept, ledger = dedup(tmp_path / "best", ADDRESSES, addresses="best", workers=2)
    assert kept == [*others, "copy"]  # "old" is better than "new", and then a duplicate of "copy"
    assert {document_id: detail["duplicate_of"] for document_id, detail in ledger.items()} == {
        "old": "copy", "new": "old", "undated": "old"
    }  # fmt: skip


def test_a_fraction_of_a_second_makes_a_document_newer(tmp_path: Path) -> None:
    dates = ["2021-01-01T00:00:00.500000Z", "2021-01-01T00:00:00Z"]
    rows = [document(date, text(number), url="https://example.org/a", date=date) for number, date in enumerate(dates)]
    assert dedup(tmp_path, rows, addresses="newest")[1] == dates[:1]


def test_single_words_with_ten_tables(tmp_path: Path) -> None:
    # GPT-3's features know no order: 49 of 51 different words in common, in another order.
    words = [f"w{number}" for number in range(50)]
    rows = [document("a", " ".join(words)), document("b", " ".join([*reversed(words[1:]), "x9"])), document("c", text(3))]
    assert dedup(tmp_path / "1", rows)[1] == ["a", "b", "c"]
    _, kept, ledger = dedup(tmp_path / "2", rows, preset="gpt3")
    assert kept == ["a", "c"]
    assert ledger["b"]["similarity"] == round(49 / 51, 6)
    assert 0 <= ledger["b"]["band"] < 10


def test_estimated_similarity(tmp_path: Path) -> None:
    rows = planted(5)
    _, _, ledger = dedup(tmp_path / "1", rows, size=9, verification="signature", permutations=512)
    sets = {row["id"]: {tuple(words[i : i + 5]) for words in [row["text"].split()] for i in range(len(words) - 4)} for row in rows}
    near = {one: detail for one, detail in ledger.items() if detail["reason"] == "near_duplicate"}
    assert near
    for document_id, detail in near.items():
        one, other = sets[document_id], sets[detail["duplicate_of"]]
        # Five standard errors of 512 rows at worst; a multiple of one row.
        assert abs(detail["similarity"] - len(one & other) / len(one | other)) < 5 * 0.5 / 512**0.5
        assert detail["similarity"] * 512 == pytest.approx(round(detail["similarity"] * 512), abs=1e-3)


def test_chinese_documents(tmp_path: Path) -> None:
    generator = random.Random(4)
    page = "".join(chr(generator.randrange(0x4E00, 0x9FA5)) for _ in range(200))
    other = "".join(chr(generator.randrange(0x4E00, 0x9FA5)) for _ in range(200))
    rows = [document("a", page), document("b", page[:-3]), document("c", other), document("d", "。".join(page))]
    _, kept, ledger = dedup(tmp_path, rows)
    assert kept == ["c", "d"]  # "d" is longest: the same characters with stops between them
    assert ledger["a"]["reason"] == "exact_duplicate"
    assert ledger["b"]["similarity"] == round(193 / 196, 6)


def test_one_document_and_empty_corpora(tmp_path: Path) -> None:
    assert dedup(tmp_path / "1", [document("a", text(1))])[1] == ["a"]
    assert dedup(tmp_path / "2", [])[1] == []
    _, prepared, outcomes = run_small(DedupStage(DedupSettings(), 0), tmp_path / "3", [])
    assert (prepared.values["documents"], outcomes) == (0, [])
    _, prepared, _ = run_small(DedupStage(DedupSettings(), 0), tmp_path / "4", [documents_frame(), documents_frame([document("a", "x")])])
    assert prepared.values["documents"] == 1


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.integers(1, 15), st.integers(1, 3), st.randoms())
def test_order_shards_and_workers_do_not_matter(tmp_path_factory: Any, seed: int, size: int, workers: int, order: random.Random) -> None:
    rows = planted(seed)
    corpus, kept, ledger = dedup(tmp_path_factory.mktemp("one"), rows, size=40)
    order.shuffle(rows)
    other, kept_shuffled, ledger_shuffled = dedup(tmp_path_factory.mktemp("other"), rows, size, workers)
    assert sorted(kept) == sorted(kept_shuffled)
    assert ledger == ledger_shuffled
    assert corpus.published == other.published


def test_small_parts_and_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = planted(7)
    corpus, _, _ = dedup(tmp_path / "1", rows, size=9)
    monkeypatch.setattr(stage_module, "PART_DOCUMENTS", 3)
    monkeypatch.setattr(members_module, "BATCH_COST", 1)
    monkeypatch.setattr(decisions_module, "HELD_DECISIONS", 2)
    other, _, _ = dedup(tmp_path / "2", rows, size=9)
    assert corpus.committed == other.committed


def test_every_removal_names_a_survivor_that_resembles_it(tmp_path: Path) -> None:
    rows = planted(3)
    _, kept, ledger = dedup(tmp_path, rows)
    sets = {row["id"]: {tuple(words[i : i + 5]) for words in [row["text"].split()] for i in range(len(words) - 4)} for row in rows}
    assert ledger
    for document_id, detail in ledger.items():
        one, other = sets[document_id], sets[detail["duplicate_of"]]
        assert detail["duplicate_of"] in kept
        assert detail["similarity"] == round(len(one & other) / len(one | other), 6) >= 0.8


def test_many_equal_documents_and_many_of_one_boilerplate(tmp_path: Path) -> None:
    # 20,000 equal pages, and 2,000 that share most of their text with each other yet stay below the threshold.
    common = text(1, 40)
    rows = [document(f"same-{number:05}", text(9, 50)) for number in range(20_000)]
    rows += [document(f"part-{number:05}", f"{common} {text(100 + number, 30)}") for number in range(2000)]
    _, kept, ledger = dedup(tmp_path, rows, size=6000)
    assert kept[0] == "same-00000"
    assert len(kept) == 2001
    assert ledger["same-19999"]["cluster_size"] == 20_000


@pytest.mark.slow
def test_a_million_identical_documents_take_linear_time(tmp_path: Path) -> None:
    """Processor time for a document at 1,000,000 is at most 1.5 times that at 100,000; pairs would make it ten times."""
    seconds = {}
    for count in (1000, 100_000, 1_000_000):  # the first loads the kernels
        numbers = pl.DataFrame(
            {"id": pl.int_range(count, eager=True).cast(pl.String).str.zfill(7), "text": pl.repeat(text(1), count, eager=True)}
        )
        frames = [conform(numbers[start : start + 50_000]) for start in range(0, count, 50_000)]
        started = time.process_time()
        corpus, _, outcomes = run_small(DedupStage(DedupSettings(), 1), tmp_path / str(count), frames)
        seconds[count] = time.process_time() - started
        assert [one for outcome in outcomes for one in outcome.documents["id"]] == ["0000000"]
        assert json.loads(corpus.published["dedup/clusters.json"])["largest"][0]["size"] == count
    assert seconds[1_000_000] < 15 * seconds[100_000]


# --- real text ------------------------------------------------------------------------------------


def test_recall_and_precision_on_planted_near_duplicates(tmp_path: Path) -> None:
    tool, source = shared("tools", "make_neardups.py"), shared("data", "quality", "openwebtext-500.jsonl.gz")
    corpus_file, truth_file = tmp_path / "corpus.jsonl", tmp_path / "truth.jsonl"
    command = [sys.executable, tool, "--docs", source, "--count", "1500", "--seed", "3", "--out", corpus_file, "--truth", truth_file]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    rows = [document(row["id"], row["text"]) for row in map(json.loads, corpus_file.read_text().splitlines())]
    _, _, ledger = dedup(tmp_path / "run", rows, size=400)
    truth = [json.loads(line) for line in truth_file.read_text().splitlines()]
    measured = {frozenset(pair[:2]): pair[2] for cluster in truth for pair in cluster["pairs"]}
    high = [frozenset(pair) for pair, similarity in measured.items() if similarity >= 0.9]
    found = {frozenset((document_id, detail["duplicate_of"])) for document_id, detail in ledger.items()}
    removed = set(ledger)
    assert len(high) > 50
    assert sum(bool(pair & removed) for pair in high) >= 0.99 * len(high)
    # Nothing that the tool measured below the threshold is taken for a duplicate (words differ in "_" and marks only).
    assert all(measured.get(pair, 0.0) >= 0.79 for pair in found)


def test_news_articles_with_known_pairs(tmp_path: Path) -> None:
    lines = gzip.decompress(shared("data", "neardup", "mccormick", "articles_1000.train.gz").read_bytes()).decode().splitlines()
    rows = [document(*line.split(" ", 1)) for line in lines if line]
    truth = {frozenset(line.split()) for line in shared("data", "neardup", "mccormick", "articles_1000.truth").read_text().splitlines()}
    _, _, ledger = dedup(tmp_path, rows, size=300, ngram_words=3, threshold=0.5)
    assert {frozenset((document_id, detail["duplicate_of"])) for document_id, detail in ledger.items()} == truth


def test_editions_of_one_book(tmp_path: Path) -> None:
    with tarfile.open(shared("data", "neardup", "pride-and-prejudice-editions.tar.xz")) as archive:
        rows = [document(entry.name, archive.extractfile(entry).read().decode("utf-8", "replace")) for entry in archive if entry.isfile()]  # type: ignore[union-attr]
    _, kept, ledger = dedup(tmp_path, rows, size=2)
    assert len(rows) == 5
    assert len(kept) == 1, ledger
