"""The page of a hand-made run: its numbers, its safety, and what it leaves out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fsspec
import pytest

from curation.errors import InputError, IntegrityError
from curation.explain import STAGE_FOLDERS
from curation.finished import committed_manifests
from curation.ledger import Action, Counts, Reason, ledger_row
from curation.progress import Progress
from curation.recipe import ReportSettings
from curation.report import run_report
from curation.report.funnel import STAGE_TITLES
from curation.runner import RunContext
from tests.curation.report_run import (
    HOSTILE,
    LEAK,
    PageReader,
    commit_part,
    document,
    finish_stage,
    report_of,
    write_crawl,
    write_filter,
    write_run,
)

SECTIONS = ("funnel", "scores", "duplicates", "overlap", "tokens", "training", "samples")


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(finished_run: Path) -> str:
    return report_of(finished_run)


def sections_of(page: str) -> list[str]:
    return re.findall(r'<h2 id="(\w+)">', page)


def test_every_section_is_there_and_linked(page: str) -> None:
    assert sections_of(page) == list(SECTIONS)
    assert re.findall(r'<a href="#(\w+)">', page) == list(SECTIONS)


@pytest.mark.parametrize(
    "stated",
    [
        # Funnel: documents, characters and reasons of the manifests; 5/7 = 71.4 %, 1/7 = 14.3 %.
        "7 → 5 documents 98.8 M → 12.3 k characters",
        "Kept 5 71.4 %",
        "Removed: empty text No text was left after extraction. 1 14.3 %",
        "Quarantined: damaged record The record is cut short or cannot be decoded; its raw bytes are kept. 1 14.3 %",
        "4,321 records passed over",
        "1 input with an error",
        "Removed: low quality",
        "3 → 4 documents",  # decontamination: two pieces of one document
        f"Changed: contaminated {Reason.CONTAMINATED.sentence} 1 33.3 %",
        # Tiles: 4 documents of 12,174 characters stay
        "documents came in 7 documents stayed 4 characters of text in them 12.2 k tokens 8,654",
        "parameters 1.07 M validation loss, nats a token 5.250",
        # Classifier card
        "Trained on 201 curated texts and 202 raw documents; measured on 21 and 22 others",
        "precision at score 0.5 0.901",
        "the same, of text length alone 0.604",
        # Clusters: 1 of 4 documents
        "1 of 4 documents (25.0 %) repeated another one: 0 exactly, 1 nearly. They form 1 cluster;",
        "similarity 0.875",
        # Benchmarks: 3211 / 8000 = 40.1 %
        "Quiz<x> test 40.1 % 3,211 8,000 9 654",
        "1 benchmark without any overlap",
        # Tokens: 7654 of 8654 = 88.4 %; 22962 / 7654 = 3 bytes a token
        "common<crawl> train 3 7,654 88.4 % 3.00",
        "common<crawl> validation 1 1,000 11.6 % 2.50",
        # Training: e^5.25 = 190.57
        "A GPT of 1,065,728 parameters: 4 layers of width 128, 4 heads, a context of 64 tokens, a vocabulary of 2,000.",
        "After 3,072 tokens the validation loss is 5.250 nats a token, a perplexity of 191, 3.125 bits a byte of text.",
        "The model says </div><script>",
    ],
)
def test_the_page_states_what_the_run_committed(page: str, stated: str) -> None:
    assert stated in PageReader(page).text


def test_texts_of_removed_documents_come_from_the_stage_before(page: str) -> None:
    text = PageReader(page).text
    assert "buy now buy now" in text  # in the crawl's documents alone
    assert "score 0.0312" in text and "draw 0.25" in text


def test_what_decontamination_cut_is_struck_through(page: str) -> None:
    # The cut reaches 50 characters beyond the leak on each side, and the excerpt begins 200 before the cut.
    assert f"… {'A' * 200}<del>{'A' * 50}{LEAK}{'B' * 50}</del>{'B' * 250}</div>" in page


def test_hostile_text_is_text(page: str) -> None:
    reader = PageReader(page)
    assert "script" not in reader.tags and "img" not in reader.tags and "textarea" not in reader.tags and reader.tags["style"] == 1
    shown = HOSTILE.replace("\x00", "⟨U+0000⟩").replace("\x1b", "⟨U+001B⟩").replace("\u202e", "⟨U+202E⟩").replace("\u202c", "⟨U+202C⟩")
    assert shown in reader.texts
    assert "javascript:alert(document.domain)//</a><script>" in reader.texts
    assert "content_type:<i>/x" in reader.texts
    assert "bad.warc.gz: <u>it ends</u> too early" in reader.texts
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_the_page_asks_for_nothing_and_runs_nothing(page: str) -> None:
    reader = PageReader(page)
    policy = next(value for tag, name, value in reader.attributes if (tag, name) == ("meta", "content") and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    links = [value for _, name, value in reader.attributes if name in ("href", "xlink:href", "action", "poster", "data")]
    assert set(links) == {"data:,", "../contamination/report.html", *(f"#{section}" for section in SECTIONS)}
    assert not [name for _, name, _ in reader.attributes if name in ("src", "srcset", "background") or name.startswith("on")]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_the_policy_stands_before_everything_it_governs(page: str) -> None:
    assert page.index("Content-Security-Policy") < page.index("<title>") < page.index("<style>")


def test_charts_are_labelled(page: str) -> None:
    charts = re.findall(r'<figure class="chart">.*?</figure>', page)
    titles = [re.search("<figcaption>(.*?)</figcaption>", chart)[1] for chart in charts]  # type: ignore[index]
    assert titles == [
        "Raw documents by score",
        "Share kept at each score",
        "Curated texts by score",
        "Clusters by size",
        "Near duplicates by similarity",
        "Loss",
        "Validation loss by source",
        "Learning rate",
        "Gradient norm",
    ]
    for chart in charts:
        assert re.search('<svg [^>]*role="img" aria-label="[^"]{20,}"', chart)
        assert re.search('<p class="axis-label">[^<]+</p>', chart)
        assert chart.count("<text ") >= 4


def test_same_run_same_bytes_in_any_environment(finished_run: Path, page: str, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(finished_run, copy)
    (copy / "report/index.html").unlink()
    (copy / "summary.json").write_text('{"finished": "another time"}')
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    program = "import sys; from pathlib import Path; from tests.curation.report_run import report_of; report_of(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", program, str(copy)], check=True, env=environment, cwd=Path(__file__).parents[2])
    assert (copy / "report/index.html").read_text(encoding="utf-8") == page


def test_a_run_in_an_object_store(finished_run: Path, page: str) -> None:
    """The same files under an fsspec URL give the same page."""
    store = fsspec.filesystem("memory")
    store.put(str(finished_run), "/reported", recursive=True)
    try:
        run_report(ReportSettings(), RunContext("memory://reported", 1, Progress(quiet=True)))
        assert store.cat("/reported/report/index.html").decode() == page
    finally:
        store.rm("/reported", recursive=True)


def test_a_run_that_only_crawled(tmp_path: Path) -> None:
    write_crawl(tmp_path)
    page = report_of(tmp_path)
    PageReader(page)
    assert sections_of(page) == ["funnel", "samples"]
    assert "report.html" not in page


@pytest.mark.parametrize(
    ("missing", "section"),
    [
        ("filter/stage.json", "scores"),
        ("dedup/clusters.json", "duplicates"),
        ("contamination/report.json", "overlap"),
        ("tokenize/stage.json", "tokens"),
        ("model/metrics.jsonl", "training"),
    ],
)
def test_what_is_absent_is_left_out(finished_run: Path, tmp_path: Path, missing: str, section: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / missing).unlink()
    page = report_of(run)
    PageReader(page)
    assert sections_of(page) == [name for name in SECTIONS if name != section]


def test_without_samples_there_are_no_texts(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    page = report_of(tmp_path / "run", samples=0)
    assert sections_of(page) == [name for name in SECTIONS if name != "samples"]


def test_a_stage_that_is_not_finished_is_not_told(tmp_path: Path) -> None:
    write_filter(tmp_path, write_crawl(tmp_path))
    (tmp_path / "filter/stage.json").unlink()
    page = report_of(tmp_path)
    assert "Quality filter" not in page and sections_of(page) == ["funnel", "samples"]


def test_a_stage_made_from_an_earlier_output_says_so(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    write_crawl(run)
    assert "Made from an earlier output" not in report_of(run)  # made again, but the same
    finish_stage(run, "crawl", committed_manifests(str(run), "crawl"))  # now without its failure
    page = report_of(run)
    assert page.count("Made from an earlier output") == 4  # filter, dedup, decontaminate, tokenize


def test_training_that_is_not_finished_says_so(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "model/manifest.json").unlink()
    page = report_of(run)
    assert "The training has not finished." in page and "The model says" not in page


def test_an_empty_stage(tmp_path: Path) -> None:
    finish_stage(tmp_path, "crawl", [commit_part(tmp_path, "crawl", 0, [], [], Counts(skipped=Counter({"record_type:warcinfo": 1})))])
    page = report_of(tmp_path)
    assert "1 record passed over" in PageReader(page).text


def test_no_benchmarks_is_said_plainly(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "contamination/report.json").write_text("[]")
    assert "The recipe names no benchmarks" in report_of(run)


def test_no_duplicates_is_said_plainly(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    text = '{"documents": 4, "removed_exact": 0, "removed_near": 0, "clusters": 0, "largest": []}'
    (run / "dedup/clusters.json").write_text(text)
    assert "None of 4 documents repeated another one." in report_of(run)


def test_the_title_is_the_recipes_and_escaped(tmp_path: Path) -> None:
    write_crawl(tmp_path)
    page = report_of(tmp_path, title="Run <1> & more")
    assert "<title>Run &lt;1&gt; &amp; more</title>" in page and "<h1>Run &lt;1&gt; &amp; more</h1>" in page


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stage has finished there"):
        report_of(tmp_path)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("crawl/ledger/part-00000.parquet", b"PAR1 no table"),
        ("crawl/documents/part-00000.parquet", b""),
        ("dedup/clusters.json", b"{"),
        ("contamination/report.json", b"\xff"),
        ("model/metrics.jsonl", b"{}\n[1\n"),
    ],
)
def test_damaged_files_are_named(finished_run: Path, tmp_path: Path, name: str, content: bytes) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=re.escape(name)) as caught:
        report_of(run)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_shard_is_named(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "decontaminate/documents/part-00000.parquet").unlink()
    with pytest.raises(IntegrityError, match=r"decontaminate/documents/part-00000\.parquet is missing or damaged"):
        report_of(run)


def test_a_reason_of_another_version_is_shown_without_a_sentence(tmp_path: Path) -> None:
    row = {**ledger_row("x", Action.REMOVED, Reason.EMPTY_TEXT), "reason": "too_blue"}
    finish_stage(tmp_path, "crawl", [commit_part(tmp_path, "crawl", 0, [], [row], Counts(1, 0, 0, Counter(too_blue=1)))])
    assert "Removed: too blue 1 100 %" in PageReader(report_of(tmp_path)).text


def test_input_from_elsewhere_has_no_text_but_its_ledger(tmp_path: Path) -> None:
    """Stages can read another run's documents: what they removed is told by the ledger alone."""
    row = ledger_row("gone", Action.REMOVED, Reason.TOO_SHORT, words=3)
    kept = [document("stays", "a text")]
    counts = Counts(2, 1, 0, Counter(too_short=1))
    finish_stage(tmp_path, "filter", [commit_part(tmp_path, "filter", 0, kept, [row], counts, inputs=["e" * 64])])
    text = PageReader(report_of(tmp_path)).text
    assert "The run holds no text of this document. words 3" in text


def test_every_stage_has_a_title() -> None:
    assert STAGE_TITLES.keys() == set(STAGE_FOLDERS)


def test_the_stage_costs_nothing_until_it_runs() -> None:
    """Importing the package loads none of its modules, and nothing heavy."""
    heavy = "('curation.report.', 'torch', 'numba', 'fasttext')"
    program = f"import sys, curation.report; print([name for name in sys.modules if name.startswith({heavy})])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"
