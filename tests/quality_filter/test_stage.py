from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest

from curation.errors import InputError, IntegrityError, UsageError
from curation.recipe import FilterSettings
from quality_filter.keep import lomax_draw
from quality_filter.stage import FilterStage
from tests.shared_data import shared
from tests.small_corpus import run_small, shards_of

SMALL = {"dimension": 4, "epochs": 5, "learning_rate": 0.5, "buckets": 1000}
GOOD = ["essay", "chapter", "argument", "history", "novel"]
BAD = ["buy", "cheap", "click", "casino", "pills"]


def document(number: int, good: bool, source: str) -> dict[str, Any]:
    words = random.Random(number).choices(GOOD if good else BAD, k=30)
    return {"id": f"{source}-{number:03}", "text": " ".join(words), "source": source, "url": f"http://host{number % 7}.example/{number}"}


def corpus_rows() -> list[dict[str, Any]]:
    curated = [{**document(number, True, "curated"), "url": None} for number in range(60)]
    return curated + [document(100 + number, number % 4 == 0, "commoncrawl") for number in range(120)]


def run(
    folder: Path, rows: list[dict[str, Any]], size: int = 50, workers: int = 1, seed: int = 1, **values: Any
) -> tuple[Any, Any, list[Any]]:
    return run_small(FilterStage(FilterSettings(**{**SMALL, **values}), seed), folder, shards_of(rows, size), workers)


def ledger_of(outcomes: list[Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: {"reason": row["reason"], **json.loads(row["detail"])} for outcome in outcomes for row in outcome.ledger}


def test_scores_draws_and_ledger(tmp_path: Path) -> None:
    rows = [*corpus_rows(), {"id": "short", "text": "only four words here", "source": "commoncrawl"}, {"id": "null", "text": None}]
    rows.append({"id": "short-curated", "text": "a b c d", "source": "curated"})
    _, _, outcomes = run(tmp_path, rows)
    ledger = ledger_of(outcomes)
    assert ledger.pop("short") == {"reason": "too_short", "words": 4, "min_words": 5}
    assert ledger.pop("null")["words"] == 0
    assert ledger.pop("short-curated")["reason"] == "too_short"
    kept = {row["id"]: row["quality_score"] for outcome in outcomes for row in outcome.documents.iter_rows(named=True)}
    assert sum(document_id.startswith("curated") for document_id in kept) == 60
    assert all(0 <= score <= 1 for score in kept.values())
    for document_id, detail in ledger.items():
        assert detail["reason"] == "low_quality"
        assert detail["draw"] == lomax_draw(1, document_id, 9.0) <= detail["needed"] == 1 - detail["score"]
    for document_id, score in kept.items():
        assert document_id.startswith("curated") or lomax_draw(1, document_id, 9.0) > 1 - score


def test_histograms_count_every_scored_document(tmp_path: Path) -> None:
    _, _, outcomes = run(tmp_path, corpus_rows(), keep_rule="threshold")
    histograms = [outcome.statistics["score_histograms"] for outcome in outcomes]
    total = {name: np.sum([histogram[name] for histogram in histograms], axis=0) for name in ("kept", "removed", "curated")}
    assert [len(counts) for counts in total.values()] == [20, 20, 20]
    assert (total["kept"].sum() + total["removed"].sum(), total["curated"].sum()) == (120, 60)
    assert total["kept"][:10].sum() == total["removed"][10:].sum() == 0


def test_threshold_and_none(tmp_path: Path) -> None:
    _, _, outcomes = run(tmp_path / "1", corpus_rows(), keep_rule="threshold", threshold=0.6)
    for detail in ledger_of(outcomes).values():
        assert detail["score"] < detail["threshold"] == 0.6
    for outcome in outcomes:
        raw = outcome.documents.filter(outcome.documents["source"] != "curated")
        assert (raw["quality_score"] >= 0.6).all()
    _, _, outcomes = run(tmp_path / "2", corpus_rows(), keep_rule="none")
    assert ledger_of(outcomes) == {}


def test_top_fraction_keeps_the_best_share_of_the_raw_documents(tmp_path: Path) -> None:
    rows = [*corpus_rows(), {"id": "short", "text": "only four words here", "source": "commoncrawl"}]
    _, _, outcomes = run(tmp_path / "1", rows, size=17, keep_rule="top_fraction", top_fraction=0.3)
    scores = {row["id"]: row["quality_score"] for outcome in outcomes for row in outcome.documents.iter_rows(named=True)}
    kept = {document_id: score for document_id, score in scores.items() if document_id.startswith("commoncrawl")}
    removed = {document_id: detail for document_id, detail in ledger_of(outcomes).items() if detail["reason"] == "low_quality"}
    assert (len(kept), len(removed)) == (36, 84)  # of 120, the short one not counted
    assert min(kept.values()) >= max(detail["score"] for detail in removed.values())
    assert {detail["last_kept"] for detail in removed.values()} == {min(kept.values())}
    _, _, all_outcomes = run(tmp_path / "2", rows, size=500, workers=2, keep_rule="top_fraction", top_fraction=0.3)
    assert ledger_of(all_outcomes) == ledger_of(outcomes)


def test_fit_alpha_takes_the_alpha_of_the_card(tmp_path: Path) -> None:
    corpus, prepared, outcomes = run(tmp_path, corpus_rows(), fit_alpha=True)
    alpha = prepared.values["alpha"]
    assert alpha != 9.0
    card = json.loads(corpus.published["filter/model-card.json"])
    assert card["keep"]["fitted_alpha"] == pytest.approx(alpha, abs=1e-6)
    for document_id, detail in ledger_of(outcomes).items():
        assert detail["draw"] == lomax_draw(1, document_id, alpha)


def test_card_tells_counts_settings_and_measures(tmp_path: Path) -> None:
    corpus, _, _ = run(tmp_path, corpus_rows())
    card = json.loads(corpus.published["filter/model-card.json"])
    assert corpus.committed["card.json"] == corpus.published["filter/model-card.json"]
    assert card["surveyed"] == {"positives": 60, "negatives": 120}
    assert card["training"] == {"positives": 60, "negatives": 60}
    assert card["settings"]["dimension"] == 4
    held_out = card["held_out"]
    assert (held_out["positives"], held_out["negatives"]) == (60, 60)  # each by a model that has not seen it
    assert held_out["auc"] > 0.7  # a quarter of the raw pages is good: the best is 0.875
    calibration = card["calibration"]
    assert calibration["documents"] == sum(each["documents"] for each in calibration["bins"]) == 120
    assert sum(card["score_histograms"]["positives"]) == 60
    assert {row["ngram"] for row in card["ngrams"]["positive"]} & set(GOOD)
    assert {row["ngram"] for row in card["ngrams"]["negative"]} & set(BAD)


def test_no_document_is_scored_by_a_model_that_has_seen_its_site(tmp_path: Path) -> None:
    """Each raw page holds a word of its site, which only pages of that site hold: a model that has seen it calls the page bad for it."""
    rows = [{**document(number, True, "curated"), "url": None} for number in range(100)]
    for number in range(100):
        page = document(1000 + number, True, "commoncrawl")  # as good as the curated
        rows.append({**page, "text": f"{page['text']} {f'site{number // 2} ' * 30}", "url": f"http://site{number // 2}.example/{number}"})
    _, _, outcomes = run(tmp_path, rows, keep_rule="none", epochs=20, word_ngrams=1)
    scores = [row["quality_score"] for outcome in outcomes for row in outcome.documents.iter_rows(named=True) if row["url"]]
    assert 0.2 < float(np.mean(scores)) < 0.8  # nothing but chance tells them apart; a model that had seen them says under 0.1


def test_copies_of_positives_are_no_negatives(tmp_path: Path) -> None:
    rows = corpus_rows()
    rows.append({"id": "copy", "text": rows[0]["text"].upper() + "\n", "source": "commoncrawl"})
    rows[1]["url"] = "https://www.example.org/page?utm_source=x"
    rows.append({"id": "same-address", "text": " ".join(BAD * 3), "source": "commoncrawl", "url": "http://example.org/page"})
    corpus, _, _ = run(tmp_path, rows)
    assert json.loads(corpus.published["filter/model-card.json"])["surveyed"] == {"positives": 60, "negatives": 120}


def test_shards_order_and_workers_do_not_matter(tmp_path: Path) -> None:
    rows = corpus_rows()
    corpus, _, outcomes = run(tmp_path / "1", rows, max_training_documents=40)
    random.Random(5).shuffle(rows)
    other, _, other_outcomes = run(tmp_path / "2", rows, size=17, workers=2, max_training_documents=40)
    assert corpus.committed == other.committed
    assert ledger_of(outcomes) == ledger_of(other_outcomes)
    assert json.loads(corpus.published["filter/model-card.json"])["surveyed"] == {"positives": 40, "negatives": 40}
    third, _, _ = run(tmp_path / "3", rows, seed=2, max_training_documents=40)
    assert third.committed["fold-0.bin"] != corpus.committed["fold-0.bin"]


def test_a_given_model_is_used_and_a_damaged_one_refused(tmp_path: Path) -> None:
    corpus, _, outcomes = run(tmp_path / "1", corpus_rows())
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in corpus.committed.items():
        (folder / name).write_bytes(content)
    raw = [row for row in corpus_rows() if row["source"] != "curated"]
    stage = FilterStage(FilterSettings(model=str(folder)), 1)
    assert stage.resources() == [str(folder / name) for name in ("model.json", *(f"fold-{fold}.bin" for fold in range(5)))]
    other, _, other_outcomes = run_small(stage, tmp_path / "2", shards_of(raw, 50))
    assert {name: content for name, content in other.committed.items() if name != "card.json"} == {
        name: content for name, content in corpus.committed.items() if not name.startswith("card")
    }
    assert json.loads(other.published["filter/model-card.json"])["trained"] is False
    assert ledger_of(other_outcomes) == ledger_of(
        outcomes
    )  # of the pages that it was trained on, too, each by the fold that has not seen it
    (folder / "fold-3.bin").write_bytes(corpus.committed["fold-3.bin"][:1000])
    with pytest.raises(InputError, match=r"fold-3\.bin is damaged: 1000 bytes where model.json says"):
        run_small(stage, tmp_path / "3", shards_of(raw, 50))
    changed = bytearray(corpus.committed["fold-3.bin"])
    changed[1000] ^= 1
    (folder / "fold-3.bin").write_bytes(changed)
    with pytest.raises(InputError, match=r"fold-3\.bin is damaged: its sha256 is not the one in model\.json; .*train the model again"):
        run_small(stage, tmp_path / "changed", shards_of(raw, 50))
    (folder / "fold-3.bin").unlink()
    with pytest.raises(InputError, match=r"fold-3\.bin is missing, and model\.json names it; .*train the model again"):
        run_small(stage, tmp_path / "missing", shards_of(raw, 50))
    (folder / "model.json").write_bytes(corpus.committed["model.json"].replace(b"positive", b"negative", 1))
    with pytest.raises(IntegrityError, match=r"model\.json is damaged.*train the model again"):
        run_small(stage, tmp_path / "4", shards_of(raw, 50))
    (folder / "model.json").unlink()
    with pytest.raises(InputError, match=r"holds no model\.json, so it is no model; give a folder of `filter train`"):
        stage.resources()
    with pytest.raises(InputError, match="no such file"):
        run_small(FilterStage(FilterSettings(model=str(tmp_path / "absent.bin")), 1), tmp_path / "5", shards_of(raw, 50))


def test_a_fasttext_file_of_others_is_used(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    generator = random.Random(1)
    lines.write_text(
        "".join(f"__label__{name} {' '.join(generator.choices(words, k=20))}\n" for name, words in (("hq", GOOD), ("cc", BAD)) * 99)
    )
    fasttext.train_supervised(str(lines), dim=4, epoch=5, thread=1, verbose=0).save_model(str(tmp_path / "m.bin"))
    raw = [row for row in corpus_rows() if row["source"] != "curated"]
    given = {"model": str(tmp_path / "m.bin"), "positive_label": "__label__hq"}
    _, _, outcomes = run(tmp_path / "1", raw, keep_rule="threshold", **given)
    assert sum(outcome.documents.height for outcome in outcomes) == 30  # every fourth is good
    with pytest.raises(InputError, match=r"m\.bin cannot be used as a classifier: it has no label __label__positive; its labels are"):
        run(tmp_path / "2", raw, model=given["model"])
    with pytest.raises(UsageError, match=r"filter\.fit_alpha needs the scores of curated texts"):
        run(tmp_path / "3", raw, fit_alpha=True, **given)


def test_hashing_lr_in_the_place_of_fasttext(tmp_path: Path) -> None:
    corpus, _, outcomes = run(tmp_path / "1", corpus_rows(), classifier="hashing_lr", keep_rule="threshold")
    card = json.loads(corpus.published["filter/model-card.json"])
    assert card["classifier"] == "hashing_lr"
    assert card["settings"] == {"l2": 1e-6, "spark": 3, "min_words": 5, "max_words": 1000}
    assert card["held_out"]["auc"] > 0.7
    kept = [row["text"] for outcome in outcomes for row in outcome.documents.iter_rows(named=True) if row["source"] != "curated"]
    assert len(kept) == 30 and all(text.split()[0] in GOOD for text in kept)


def test_nothing_to_train_on(tmp_path: Path) -> None:
    rows = corpus_rows()
    with pytest.raises(UsageError, match=r"set filter\.positives"):
        run(tmp_path / "1", [row for row in rows if row["source"] != "curated"])
    with pytest.raises(InputError, match="no raw document is left"):
        run(tmp_path / "2", [row for row in rows if row["source"] == "curated"])
    with pytest.raises(InputError, match="1 positives and 1 negatives"):
        run(tmp_path / "3", [rows[0], rows[-1]])
    with pytest.raises(UsageError, match=r"filter\.positives"):
        run(tmp_path / "4", [])


def test_an_empty_shard(tmp_path: Path) -> None:
    stage = FilterStage(FilterSettings(**SMALL), 1)
    _, _, outcomes = run_small(stage, tmp_path, [*shards_of(corpus_rows(), 500), *shards_of([], 1)])
    assert len(outcomes[1].documents) == 0
    assert sum(outcomes[1].statistics["score_histograms"]["kept"]) == 0


def test_real_pages(tmp_path: Path) -> None:
    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in gzip.decompress(shared("data", "quality", name).read_bytes()).splitlines()]

    rows = [{"id": f"web-{n}", "text": row["text"], "source": "curated"} for n, row in enumerate(read("openwebtext-500.jsonl.gz"))]
    raw = read("commoncrawl-unselected.jsonl.gz")
    rows += [{"id": str(row["id"]), "text": row["text"], "url": row["url"], "source": "commoncrawl"} for row in raw]
    corpus, _, outcomes = run_small(FilterStage(FilterSettings(), 5), tmp_path, shards_of(rows, 400))
    card = json.loads(corpus.published["filter/model-card.json"])
    held_out = card["held_out"]
    assert held_out["auc"] > 0.95 > 0.9 > held_out["auc_of_length"]
    assert held_out["auc_at_equal_length"] > 0.9
    assert card["calibration"]["expected_calibration_error"] <= 0.05
    removed = sum(detail["reason"] == "low_quality" for detail in ledger_of(outcomes).values())
    assert 0.9 * len(raw) < removed < len(raw)
    page = corpus.published["filter/model-card.html"].decode()
    assert "<script" not in page and page.startswith("<!doctype html>") and page.count("<svg") >= 3
