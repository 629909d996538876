"""The stage on small corpora with planted items: what is cut out is known beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli import main
from contamination.stage import DecontaminateStage
from curation.documents import SCHEMA, documents_frame
from curation.errors import InputError, UsageError
from curation.recipe import DecontaminateSettings
from curation.stage import Outcome, Prepared
from tests.small_corpus import SmallCorpus, shards_of

ITEM = "which planet of the solar system has the largest number of moons that are known today"
THIRTEEN = " ".join(ITEM.split()[:13])
TWELVE = " ".join(ITEM.split()[:12])


def filler(characters: int, word: str = "filler") -> str:
    """Exactly that many characters of words that are in no benchmark, spaces at both ends."""
    return f" {word}" * (characters // (len(word) + 1) - 1) + " " * (len(word) + 1 + characters % (len(word) + 1))


def items_file(folder: Path, *questions: str) -> str:
    path = folder / "quiz.jsonl"
    path.write_text("".join(json.dumps({"question": question}) + "\n" for question in questions), encoding="utf-8")
    return str(path)


def run(folder: Path, rows: list[dict[str, Any]], shard_rows: int = 100, **settings: Any) -> tuple[SmallCorpus, Prepared, list[Outcome]]:
    """The stage over all shards; every document must be kept or have one ledger row."""
    stage = DecontaminateStage(DecontaminateSettings.model_validate(settings), 0)
    frames = shards_of(rows, shard_rows)
    corpus = SmallCorpus(folder, frames)
    prepared = stage.prepare(corpus)
    outcomes = [stage.process(frame, prepared) for frame in frames]
    for frame, outcome in zip(frames, outcomes, strict=True):
        assert outcome.documents.schema == SCHEMA
        judged = {row["id"] for row in outcome.ledger}
        assert len(judged) == len(outcome.ledger)
        kept = frame.filter(~pl.col("id").is_in(list(judged)))
        assert outcome.documents.filter(pl.col("id").is_in(frame["id"].to_list())).equals(kept)
    return corpus, prepared, outcomes


def test_a_window_around_the_item_is_cut_out(tmp_path: Path) -> None:
    before, after = filler(1000), filler(700)
    text = f"{before}Which PLANET, of the 'solar system', has the largest number of moons - that are known today?{after}"
    end = len(text) - len(after) - 1  # the question mark is no part of a word
    row = {"id": "a", "text": text, "url": "http://a", "token_count": 300, "quality_score": 0.5}
    corpus, _, [outcome] = run(tmp_path, [row, {"id": "b", "text": "Clean.", "token_count": 2}], benchmarks=[items_file(tmp_path, ITEM)])
    documents = outcome.documents.to_dicts()
    assert [document["id"] for document in documents] == ["a#0", "a#1", "b"]
    assert [document["text"] for document in documents] == [text[:800], text[end + 200 :], "Clean."]
    assert documents[0]["pieces"] == {"parent": "a", "start": 0, "end": 800}
    assert documents[1]["pieces"] == {"parent": "a", "start": end + 200, "end": len(text)}
    assert [document["token_count"] for document in documents] == [None, None, 2]
    assert [document["url"] for document in documents] == ["http://a", "http://a", None]
    [entry] = outcome.ledger
    assert (entry["id"], entry["action"], entry["reason"]) == ("a", "changed", "contaminated")
    detail = json.loads(entry["detail"])
    assert detail["benchmarks"] == ["quiz"]
    assert detail["items"] == ["quiz#0"]
    assert detail["ngrams"] == [" ".join(ITEM.split()[first : first + 13]) for first in range(4)]
    assert (detail["removed"], detail["pieces"], detail["pieces_kept"]) == ([[800, end + 200]], 2, 2)
    [report] = json.loads(corpus.published["contamination/report.json"])
    assert (report["name"], report["items"], report["dirty"], report["documents_hit"]) == ("quiz", 1, 1, 1)
    assert json.loads(corpus.published["contamination/dirty_items.json"]) == {"quiz": [0]}


def test_thirteen_words_are_found_and_twelve_are_not(tmp_path: Path) -> None:
    rows = [{"id": "12", "text": filler(500) + TWELVE + filler(500)}, {"id": "13", "text": filler(500) + THIRTEEN + filler(500)}]
    _, _, [outcome] = run(tmp_path, rows, benchmarks=[items_file(tmp_path, ITEM)])
    assert [row["id"] for row in outcome.ledger] == ["13"]
    assert outcome.documents["text"].to_list() == [rows[0]["text"], filler(500)[:300], filler(500)[200:]]


def test_a_book_loses_exactly_the_window(tmp_path: Path) -> None:
    start, length = 3_456_789, 5_000_000
    text = filler(start, "chapter") + ITEM + filler(length - start - len(ITEM), "chapter")
    _, _, [outcome] = run(tmp_path, [{"id": "book", "text": text}], benchmarks=[items_file(tmp_path, ITEM)])
    assert outcome.documents["text"].to_list() == [text[: start - 200], text[start + len(ITEM) + 200 :]]
    assert json.loads(outcome.ledger[0]["detail"])["removed"] == [[start - 200, start + len(ITEM) + 200]]


@pytest.mark.parametrize(("items", "reason"), [(9, "contaminated"), (10, "too_many_pieces")])
def test_more_than_ten_pieces(tmp_path: Path, items: int, reason: str) -> None:
    text = filler(700) + (ITEM + filler(700)) * items  # that many items leave one piece more
    _, _, [outcome] = run(tmp_path, [{"id": "a", "text": text}], benchmarks=[items_file(tmp_path, ITEM)])
    assert [row["reason"] for row in outcome.ledger] == [reason]
    assert json.loads(outcome.ledger[0]["detail"])["pieces"] == items + 1
    assert len(outcome.documents) == (items + 1 if reason == "contaminated" else 0)


def test_many_ngrams_in_one_window_are_one_cut(tmp_path: Path) -> None:
    long_item = " ".join(f"word{number}" for number in range(60))
    _, _, [outcome] = run(
        tmp_path, [{"id": "a", "text": filler(900) + long_item + filler(900)}], benchmarks=[items_file(tmp_path, long_item)]
    )
    detail = json.loads(outcome.ledger[0]["detail"])
    assert (detail["ngrams_total"], len(detail["ngrams"]), detail["removed_total"], detail["pieces"]) == (48, 20, 1, 2)


def test_nothing_long_enough_is_left(tmp_path: Path) -> None:
    _, _, [outcome] = run(tmp_path, [{"id": "a", "text": filler(399) + ITEM + filler(399)}], benchmarks=[items_file(tmp_path, ITEM)])
    assert [row["reason"] for row in outcome.ledger] == ["no_piece_left"]
    assert len(outcome.documents) == 0


@pytest.mark.parametrize(("documents", "ignored"), [(10, 0), (11, 1)])
def test_ngrams_of_more_than_ten_documents_are_ignored(tmp_path: Path, documents: int, ignored: int) -> None:
    # Twice in each document: it is documents that count. Spread over shards: it is the whole corpus.
    rows = [{"id": f"d{number}", "text": f"{THIRTEEN}{filler(900)}{THIRTEEN}"} for number in range(documents)]
    corpus, prepared, outcomes = run(tmp_path, rows, shard_rows=4, benchmarks=[items_file(tmp_path, ITEM)])
    assert sum(len(outcome.ledger) for outcome in outcomes) == (0 if ignored else documents)
    assert prepared.values["ngrams_ignored_as_common"] == ignored
    [report] = json.loads(corpus.published["contamination/report.json"])
    assert (report["dirty"], report["ngrams_ignored_as_common"], report["documents_hit"]) == (1, ignored, documents)
    assert [entry["documents"] for entry in report["top_common_ngrams"]] == [documents] * ignored
    assert (b'<summary class="soft">Most frequent n-grams ignored as common' in corpus.published["contamination/report.html"]) == bool(
        ignored
    )


def test_a_piece_can_be_split_again(tmp_path: Path) -> None:
    row = {"id": "a#1", "text": ITEM + filler(600), "pieces": {"parent": "a", "start": 5000, "end": 6000}}
    clean = {**row, "id": "a#2", "text": "Clean."}
    _, _, [outcome] = run(tmp_path, [row, clean], benchmarks=[items_file(tmp_path, ITEM)])
    first, second = outcome.documents.to_dicts()
    assert (first["id"], first["pieces"]) == ("a#1#0", {"parent": "a#1", "start": len(ITEM) + 200, "end": len(ITEM) + 600})
    assert (second["id"], second["pieces"]) == ("a#2", clean["pieces"])


def test_without_benchmarks_everything_stays_and_the_report_says_so(tmp_path: Path) -> None:
    corpus, prepared, [outcome] = run(tmp_path, [{"id": "a", "text": ITEM}])
    assert (outcome.ledger, len(outcome.documents), prepared.values["benchmarks"]) == ([], 1, 0)
    assert corpus.published["contamination/report.json"] == b"[]\n"
    assert b"names no benchmarks" in corpus.published["contamination/report.html"]


def test_report_only(tmp_path: Path) -> None:
    corpus, _, [outcome] = run(tmp_path, [{"id": "a", "text": ITEM}], benchmarks=[items_file(tmp_path, ITEM)], preset="report_only")
    assert (outcome.ledger, len(outcome.documents)) == ([], 1)
    assert json.loads(corpus.published["contamination/report.json"])[0]["dirty"] == 1


def test_presets(tmp_path: Path) -> None:
    eight = " ".join(ITEM.split()[:8])
    rows = [{"id": "item", "text": f"{filler(300)}{ITEM}{filler(500)}"}, {"id": "eight", "text": f"{filler(300)}{eight}{filler(300)}"}]
    benchmarks = [items_file(tmp_path, ITEM)]
    expected = {  # what stays, and n of the report
        "gpt3": (["item#1", "eight"], 13),  # the first piece has 99 characters
        "gpt2": (["item", "eight"], 8),
        "strict": ([], 13),
        "report_only": (["item", "eight"], 13),
    }
    for preset, (stays, words) in expected.items():
        corpus, _, [outcome] = run(tmp_path / preset, rows, benchmarks=benchmarks, preset=preset)
        assert [name.replace("#0", "#1") for name in outcome.documents["id"]] == stays, preset
        [report] = json.loads(corpus.published["contamination/report.json"])
        assert report["n"] == words
    _, _, [outcome] = run(tmp_path / "dropped", rows, benchmarks=benchmarks, preset="strict")
    assert [entry["reason"] for entry in outcome.ledger] == ["holds_benchmark_text"] * 2
    _, _, [outcome] = run(tmp_path / "cut", rows, benchmarks=benchmarks, preset="strict", action="cut")
    assert [entry["reason"] for entry in outcome.ledger] == ["contaminated", "no_piece_left"]  # 100 characters on each side


def test_gpt2_report_counts_eight_grams(tmp_path: Path) -> None:
    """ITEM has 16 words, so 9 8-grams; the document holds the first 10 words, so 3 of them."""
    rows = [{"id": "a", "source": "books", "text": " ".join(ITEM.split()[:10])}]
    corpus, _, _ = run(tmp_path, rows, benchmarks=[items_file(tmp_path, ITEM)], preset="gpt2")
    [report] = json.loads(corpus.published["contamination/report.json"])
    assert (report["ngrams"], report["ngrams_matched"], report["ngrams_matched_percent"]) == (9, 3, 33.3333)
    assert report["sources_hit"] == {"books": 1}


def test_a_window_of_so_many_characters_in_total(tmp_path: Path) -> None:
    before, after = filler(1000), filler(700)
    rows = [{"id": "a", "text": f"{before}{ITEM}{after}"}]
    _, _, [outcome] = run(tmp_path, rows, benchmarks=[items_file(tmp_path, ITEM)], window="total")
    assert outcome.documents["text"].to_list() == [before[:900], after[100:]]


def test_short_items_are_removed_whole_where_that_is_wanted(tmp_path: Path) -> None:
    short = "how tall is the tower of pisa"  # 7 words
    rows = [{"id": "a", "text": f"{filler(400)}How tall is the Tower of Pisa?{filler(400)}"}, {"id": "b", "text": "How tall is the tower?"}]
    benchmarks = [items_file(tmp_path, short, ITEM, "how tall")]
    _, _, [outcome] = run(tmp_path, rows, benchmarks=benchmarks)
    assert outcome.ledger == []
    _, prepared, [outcome] = run(tmp_path / "whole", rows, benchmarks=benchmarks, short_item_min_words=5)
    [entry] = outcome.ledger
    assert (entry["id"], json.loads(entry["detail"])["ngrams"]) == ("a", [short])
    assert outcome.documents["id"].to_list() == ["a#0", "a#1", "b"]
    assert prepared.values["ngrams"] == 4 + 1


def test_a_passage_to_read_is_reported_apart_from_its_question(tmp_path: Path) -> None:
    passage, question = "a b c d e f g h i j", "k l m n o p q r s t"
    path = tmp_path / "reading.jsonl"
    path.write_text("".join(json.dumps({"passage": passage + str(row), "question": question + str(row)}) + "\n" for row in range(4)))
    spec = {"name": "reading", "files": [str(path)], "fields": ["passage", "question"], "passage_fields": 1, "report_words": 10}
    texts = [passage + "0", passage + "1", question + "1", f"e f g h i j2 {question[:7]}"]  # the last overlaps with the seam of item 2
    corpus, _, _ = run(tmp_path, [{"id": str(row), "text": text} for row, text in enumerate(texts)], benchmarks=[spec])
    [report] = json.loads(corpus.published["contamination/report.json"])
    assert (report["dirty"], report["dirty_passage"], report["dirty_question"]) == (3, 2, 1)


def test_a_smallest_n_above_the_largest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="report_min_words, 14, is above report_max_words, 13"):
        run(tmp_path, [], benchmarks=[items_file(tmp_path, ITEM)], report_min_words=14)


def test_empty_and_null_texts(tmp_path: Path) -> None:
    _, _, [outcome] = run(tmp_path, [{"id": "a", "text": ""}, {"id": "b", "text": None}], benchmarks=[items_file(tmp_path, ITEM)])
    assert outcome.documents["id"].to_list() == ["a", "b"]
    run(tmp_path / "empty", [], benchmarks=[items_file(tmp_path, ITEM)])


def test_an_unreadable_benchmark_stops_the_stage_before_anything_is_written(tmp_path: Path) -> None:
    good = items_file(tmp_path, ITEM)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "a"}\n{"question"\n')
    corpus = SmallCorpus(tmp_path, [documents_frame([{"id": "a", "text": ITEM}])])
    with pytest.raises(InputError, match=r"bad\.jsonl, line 2"):
        DecontaminateStage(DecontaminateSettings(benchmarks=[good, str(bad)]), 0).prepare(corpus)
    assert not corpus.committed and not corpus.published


def test_scores_of_a_report_that_is_replaced_go(tmp_path: Path) -> None:
    documents = [{"id": "a", "text": f"{filler(300)}{ITEM}{filler(300)}"}]
    run(tmp_path, documents, benchmarks=[items_file(tmp_path, ITEM)])
    scores = tmp_path / "scores.jsonl"
    scores.write_text(json.dumps({"benchmark": "quiz", "item": 0, "score": 1.0}) + "\n")
    assert main(["contamination", "report", "--run", str(tmp_path), "--scores", str(scores)]) == 0
    assert len(list((tmp_path / "contamination").glob("scores.*"))) == 3
    run(tmp_path, documents, benchmarks=[items_file(tmp_path, ITEM, "another question")])
    left = {path.name for path in (tmp_path / "contamination").iterdir()}
    assert left == {"report.json", "report.csv", "report.html", "dirty_items.json"}


def test_resources_are_benchmarks_and_specs(tmp_path: Path) -> None:
    data = tmp_path / "piqa_val.jsonl"
    data.write_text("")
    paths = DecontaminateStage(DecontaminateSettings(benchmarks=[str(data)]), 0).resources()
    assert {Path(path).name for path in paths} == {"piqa_val.jsonl", "piqa_val.yaml"}


def test_same_bytes_again(tmp_path: Path) -> None:
    rows = [{"id": f"d{number}", "text": filler(500 + number) + ITEM + filler(500)} for number in range(6)]
    one, first, _ = run(tmp_path / "one", rows, shard_rows=6, benchmarks=[items_file(tmp_path, ITEM)])
    two, second, _ = run(tmp_path / "two", rows, shard_rows=1, benchmarks=[items_file(tmp_path, ITEM)])
    assert one.committed == two.committed
    assert one.published == two.published
    assert first.values == second.values
