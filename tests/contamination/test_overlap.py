"""Counting over shards: every sum by hand, and the same whatever the shards."""

from __future__ import annotations

import random
from typing import Any

import pytest

from contamination.benchmarks import Benchmark, Item
from contamination.highlight import shared_spans
from contamination.index import OverlapIndex
from contamination.indexing import build_index
from contamination.overlap import CorpusOverlap, measure_documents
from contamination.page import highlighted, render_page
from contamination.report import build_report, rows_to_csv
from contamination.specs import BenchmarkSpec
from curation.documents import documents_frame

NINE = "alpha beta gamma delta epsilon zeta eta theta iota"
EXAMPLES = 5
TEN = "one two three four five six seven eight nine ten"


def benchmark(name: str, *texts: str, **settings: Any) -> Benchmark:
    return Benchmark(BenchmarkSpec.model_validate({"name": name, **settings}), [Item(row, ((text,),)) for row, text in enumerate(texts)])


def measure(index: OverlapIndex, documents: list[str], shards: list[list[int]]) -> CorpusOverlap:
    overlap = CorpusOverlap(index, EXAMPLES)
    for numbers in shards:
        rows = [{"id": f"d{number}", "url": f"http://x/{number}", "source": "web", "text": documents[number]} for number in numbers]
        overlap.add(measure_documents(documents_frame(rows), index, EXAMPLES))
    return overlap


def test_a_corpus_by_hand() -> None:
    benchmarks = [
        benchmark("greek", NINE, "nothing of this is in the corpus at all", report_words=8),
        benchmark("count", TEN, report_words=8),
    ]
    documents = [
        f"So: {NINE.upper()}! And {NINE}.",  # both 8-grams of greek, twice
        "alpha beta gamma delta epsilon zeta eta theta",  # the first
        f"{TEN} {NINE}",
        "alpha beta gamma delta epsilon zeta eta",
        "",
    ]
    overlap = measure(build_index(benchmarks, 9, 8, 13), documents, [[0, 1], [2], [3, 4]])
    assert overlap.documents_hit["web"].tolist() == [3, 1]
    assert overlap.dirty_items().tolist() == [True, False, True]
    # 9-grams: the sentence of nine words is nowhere, both of TEN are in one document, NINE is in two.
    assert sorted(overlap.removal[0].tolist()) == [0, 1, 1, 2]
    report = build_report(benchmarks, overlap, 1)
    greek, count = report.rows
    assert (greek["items"], greek["dirty"], greek["clean"], greek["clean_percent"]) == (2, 1, 1, 50.0)
    assert (greek["n"], greek["ngrams_matched"], greek["ngrams_ignored_as_common"]) == (8, 2, 1)
    assert greek["top_ngrams"] == [
        {"ngram": "alpha beta gamma delta epsilon zeta eta theta", "documents": 3},
        {"ngram": "beta gamma delta epsilon zeta eta theta iota", "documents": 2},
    ]
    assert greek["top_common_ngrams"] == [{"ngram": NINE, "documents": 2}]
    assert count["top_common_ngrams"] == []
    assert (count["dirty"], count["documents_hit"], count["ngrams_matched"], count["ngrams_ignored_as_common"]) == (1, 1, 3, 0)
    assert report.dirty_rows == {"greek": [0], "count": [0]}
    assert rows_to_csv(report.rows).decode().splitlines()[1].startswith("greek,,8,2,0,1,1,50.0,,,3,web (3),4,2,50.0,1,alpha beta")


def test_a_short_item_is_dirty_when_it_is_there_as_a_whole() -> None:
    benchmarks = [benchmark("x", TEN, "a question of just eight words is short", "tiny item", report_words=10)]
    index = build_index(benchmarks, 13, 8, 13)
    overlap = measure(index, ["He asks: a question of just eight words, is short?", "tiny item"], [[0, 1]])
    assert overlap.dirty_items().tolist() == [False, True, False]
    assert build_report(benchmarks, overlap, 10).rows[0]["too_short"] == 1


def test_a_benchmark_without_an_ngram_of_its_n() -> None:
    """Removal finds a 13-gram of another benchmark, which the report looks for by 8 words."""
    thirteen = f"{TEN} eleven twelve thirteen"
    index = build_index([benchmark("short", NINE, report_words=13), benchmark("long", thirteen, report_words=8)], 13, 8, 13)
    overlap = measure(index, [thirteen, NINE], [[0, 1]])
    assert [len(table) for table in index.report] == [6, 1, 0]  # 8 words; the item of nine as a whole; 13 words
    assert overlap.removal[0].tolist() == [1]
    assert overlap.dirty_items().tolist() == [True, True]


def test_order_and_size_of_shards_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(5)
    vocabulary = [f"w{number}" for number in range(40)]
    items = [" ".join(generator.choices(vocabulary, k=30)) for _ in range(20)]
    documents = []
    for _ in range(30):
        parts = [" ".join(generator.choices(vocabulary, k=20))]
        for item in generator.choices(items, k=3):
            cut = generator.randrange(20)
            parts.append(" ".join(item.split()[cut : cut + generator.randrange(5, 20)]))
        documents.append(" ".join(parts))
    index = build_index([benchmark("a", *items[:10]), benchmark("b", *items[10:])], 8, 8, 8)
    one = measure(index, documents, [list(range(30))])
    monkeypatch.setattr("contamination.examples.MAX_STRETCHES", 4)  # of one shard, the longest are chosen several times
    for size in (1, 7, 30):
        numbers = random.Random(size).sample(range(30), 30)
        other = measure(index, documents, [numbers[start : start + size] for start in range(0, 30, size)])
        assert other.examples == one.examples
        assert other.removal[0].tolist() == one.removal[0].tolist()
        assert [counts.tolist() for counts in other.report] == [counts.tolist() for counts in one.report]
        assert other.documents_hit["web"].tolist() == one.documents_hit["web"].tolist()
    assert len(one.examples) == 2 * EXAMPLES
    assert len({example.item for example in one.examples}) == len(one.examples)


def test_counts_agree_with_a_search_of_tuples() -> None:
    generator = random.Random(6)
    documents = [" ".join(generator.choices("abc", k=60)) for _ in range(50)]
    item = " ".join(generator.choices("abc", k=200))
    index = build_index([benchmark("x", item)], 5, 2, 2)
    overlap = measure(index, documents, [list(range(50))])
    letters = item.split()
    ngrams = {tuple(letters[at : at + 5]) for at in range(196)}
    expected = sorted(sum(" ".join(ngram) in document for document in documents) for ngram in ngrams)
    assert sorted(overlap.removal[0].tolist()) == expected


def test_an_example_holds_the_longest_stretch_and_what_surrounds_it() -> None:
    benchmarks = [benchmark("x", f"{NINE} {TEN}", report_words=8)]
    documents = [f"{'filler ' * 100}{TEN}", f"{'filler ' * 100}{NINE}, {TEN}.{' filler' * 100}"]
    overlap = measure(build_index(benchmarks, 13, 8, 13), documents, [[0], [1]])
    [example] = overlap.examples
    assert (example.document, example.url, example.words) == ("d1", "http://x/1", 19)
    assert documents[1][example.start : example.end] == f"{NINE}, {TEN}"
    assert example.excerpt[example.offset :].startswith(NINE)
    assert len(example.excerpt) == 200 + len(f"{NINE}, {TEN}") + 200
    assert shared_spans(benchmarks[0].items[0].text, example.excerpt, 8) == [(0, len(f"{NINE} {TEN}"))]


def test_the_page_escapes_what_it_shows() -> None:
    benchmarks = [benchmark("<b>&", f"<script>alert(1)</script> {TEN}", report_words=8)]
    index = build_index(benchmarks, 13, 8, 13)
    overlap = measure(index, [f"<img src=x onerror=alert(2)> {TEN} </blockquote>"], [[0]])
    report = build_report(benchmarks, overlap, 10)
    page = render_page(report.rows, overlap.examples, benchmarks[0].items, index, 1).decode()
    for foreign in ("<script", "<img", "<b>", "onerror=alert(2)>"):
        assert foreign not in page
    assert page.count("</blockquote>") == 2
    assert f"&lt;/script&gt; <mark>{TEN}</mark>" in page
    assert f"onerror=alert(2)&gt; <mark>{TEN}</mark> &lt;/blockquote&gt;" in page
    assert "http-equiv" not in page and "src=" not in page.replace("&lt;img src=x", "")


def test_the_page_shows_the_reading_that_matched_and_the_sources() -> None:
    """The document holds the question with its second answer, which stand apart in the item as a whole."""
    item = Item(0, (("Count from one to eight, they said, and then go on:",), ("at zero", "nine ten eleven")))
    index = build_index([Benchmark(BenchmarkSpec(name="x", report_words=10), [item])], 13, 8, 13)
    overlap = measure(index, ["to eight they said and then go on nine ten eleven"], [[0]])
    report = build_report([Benchmark(BenchmarkSpec(name="x"), [item])], overlap, 10)
    page = render_page(report.rows, overlap.examples, [item], index, 1).decode()
    assert "from one <mark>to eight, they said, and then go on:\nnine ten eleven</mark></blockquote>" in page
    assert '<td class="name">web 1</td>' in page


def test_the_page_says_how_many_dirty_items_it_leaves_out() -> None:
    benchmarks = [benchmark("x", *(f"{NINE} {number}" for number in range(EXAMPLES + 2)), report_words=8), benchmark("y", TEN)]
    for documents, said in (([NINE], "5 of 7 dirty items"), ([f"{NINE} 3"], "5 of 7 dirty items"), ([TEN], "")):
        overlap = measure(build_index(benchmarks, 13, 8, 13), documents, [[0]])
        report = build_report(benchmarks, overlap, 10)
        items = [item for own in benchmarks for item in own.items]
        page = render_page(report.rows, overlap.examples, items, overlap.index, 1).decode()
        assert ("The numbers of all are in dirty_items.json" in page) == bool(said) == ("<summary>2 more of them</summary>" in page)
        assert said in page
        assert len(report.dirty_rows["x"]) == (7 if said else 0)  # the file has them all
        assert page.count("<figure>") == (5 if said else 1)


def test_marks() -> None:
    assert highlighted("a<b>c", [(1, 3), (4, 5)]) == "a<mark>&lt;b</mark>&gt;<mark>c</mark>"
    assert highlighted("", []) == ""


def test_repetition_without_end_is_counted_once() -> None:
    index = build_index([benchmark("x", NINE, report_words=8)], 9, 8, 13)
    overlap = measure(index, [f"{NINE}. " * 20_000], [[0]])
    assert overlap.removal[0].tolist() == [1]
    assert overlap.documents_hit["web"].tolist() == [1]
