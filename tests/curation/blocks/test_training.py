"""Training: labels by hand, folds by domain, trees as LightGBM has them, and the same model from the same pages."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cli import main
from curation.errors import InputError
from curation.extraction.blocks.model import ONE, load_model, probabilities
from curation.extraction.blocks.render import block_texts
from curation.extraction.blocks.scan import scan
from curation.extraction.training.evaluate import kept_texts, pages_given_up, word_scores
from curation.extraction.training.labels import MAIN, REST, UNKNOWN, labels_of_gold, labels_of_snippets
from curation.extraction.training.pages import fold_of, read_pages

PROSE = "The ferry number {n} crosses the river twice a day, and the captain knows passenger {n} by name."


@pytest.mark.parametrize(
    ("html", "gold", "expected"),
    [
        ("<p>menu<p>a b c<p>d e<p>foot", "a b c\nd e", [REST, MAIN, MAIN, REST]),
        ("<p>a b x y<p>a b c d", "a b c d", [REST, MAIN]),  # an unbroken copy is taken
        ("<p>a b<p>x<p>a b", "x a b", [REST, MAIN, MAIN]),
        ("<p>a b c d", "a b", [REST]),  # half is not most
        ("<p>...<p>a", "a", [UNKNOWN, MAIN]),
        ("<p>a", "", [REST]),
    ],
)
def test_labels_of_a_gold_text(html: str, gold: str, expected: list[int]) -> None:
    assert labels_of_gold(block_texts(scan(html)), gold).tolist() == expected


def test_labels_of_snippets() -> None:
    page = scan("<p>Share this<p>The whole long sentence about a ferry and more words behind it<p>by Ann, 3 May, and so on, and on<p>x")
    labels = labels_of_snippets(block_texts(page), ["long sentence about a ferry"], ["Share this", "3 May"])
    assert labels.tolist() == [REST, MAIN, UNKNOWN, UNKNOWN]  # a date is too little of its block to judge it


def test_pages_of_one_registrable_domain_are_in_one_fold() -> None:
    assert fold_of("https://www.example.co.uk/a") == fold_of("http://blog.example.co.uk/b?c") == fold_of("example.co.uk")
    assert len({fold_of(f"http://site{number}.com") for number in range(50)}) == 5


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("a b c d", "A b x", (4 / 7, 2 / 3, 1 / 2)),
        ("", "", (1, 1, 1)),
        ("a", "", (0, 0, 0)),
        ("", "a", (0, 0, 0)),
        ("a a", "a", (2 / 3, 1, 1 / 2)),
    ],
)
def test_word_scores(gold: str, text: str, expected: tuple[float, float, float]) -> None:
    assert word_scores(gold, text) == pytest.approx(expected)


def test_pages_without_main_content_are_counted(tmp_path: Path) -> None:
    """Of four pages, two without gold words; the best block of the first two and of the last has a probability below .3."""
    with_gold = read_pages(*make_archives(tmp_path, 4))[:4]
    linked = [replace(page, table=np.ones_like(page.table)) for page in with_gold]  # else they are plain text, which is not given up
    pages = [replace(page, gold=gold) for page, gold in zip(linked, ["a", "", " .", "b"], strict=True)]
    likely = [np.full(len(page.words), round(share * ONE)) for page, share in zip(pages, [0.2, 0.29, 0.9, 0.1], strict=True)]
    texts = kept_texts(pages, likely, "balanced")
    assert pages_given_up(pages, texts, has_gold=False) == (1, 2)
    assert pages_given_up(pages, texts, has_gold=True) == (2, 2)


def add(archive: tarfile.TarFile, name: str, content: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content.encode())
    archive.addfile(entry, io.BytesIO(content.encode()))


def make_archives(folder: Path, pages: int) -> tuple[Path, Path]:
    """Archives laid out like WCXB's and the snippets', of pages made here."""
    wcxb, segments = folder / "wcxb.tar.xz", folder / "segments.tar.xz"
    with tarfile.open(wcxb, "w:xz") as archive:
        for number in range(pages):
            prose = [PROSE.format(n=number * 10 + place) for place in range(4)]
            html = "<nav>" + "<p><a href=/>Menu</a>" * 5 + "</nav><main><p>" + "<p>".join(prose) + "</main><footer><p>Imprint</footer>"
            truth = {"url": f"http://site{number}.com/", "ground_truth": {"main_content": "\n\n".join(prose)}}
            add(archive, f"dev/html/{number:04}.html", html)
            add(archive, f"dev/ground-truth/{number:04}.json", json.dumps({**truth, "_internal": {"page_type": {"primary": "article"}}}))
    with tarfile.open(segments, "w:xz") as archive:
        add(archive, "segments-dev/html/a.html", f"<p>{PROSE}<p>Share")
        add(archive, "segments-dev/segments.json", json.dumps({"http://a.de": {"file": "a.html", "with": [PROSE], "without": ["Share"]}}))
    return wcxb, segments


def test_the_command_makes_the_same_model_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightgbm", reason="the extra train-extractor is not installed")
    wcxb, segments = make_archives(tmp_path, 30)
    for name in ("one", "two"):
        assert main(["extraction", "train", "--wcxb", str(wcxb), "--segments", str(segments), "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / "one/model.npz").read_bytes() == (tmp_path / "two/model.npz").read_bytes()
    assert "balanced: F1 1.0000" in capsys.readouterr().out
    card = (tmp_path / "one/model.md").read_text()
    assert "30 pages with gold text" in card and "| article | 30 | 1.000 / 1.000 / 1.000 |" in card


def test_whole_numbers_give_what_lightgbm_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra train-extractor is not installed")
    from curation.extraction.training.fit import fit

    pages = read_pages(*make_archives(tmp_path, 20))
    boosters = []
    train = lightgbm.train
    monkeypatch.setattr(lightgbm, "train", lambda *arguments: boosters.append(train(*arguments)) or boosters[-1])
    model = fit(pages, seed=3)
    for page in pages:
        expected = boosters[0].predict(page.table)
        assert np.abs(probabilities(model, page.table) / (1 << 16) - expected).max() < 0.01  # of a table with 64 steps a margin of 1


def test_archives_that_are_none_are_named(tmp_path: Path) -> None:
    wcxb, segments = make_archives(tmp_path, 1)
    (tmp_path / "text.tar.xz").write_text("no archive")
    for broken in (tmp_path / "text.tar.xz", tmp_path / "absent.tar.xz", segments):
        with pytest.raises(InputError, match=broken.name):
            read_pages(broken, segments)
    with pytest.raises(InputError, match=wcxb.name):
        read_pages(wcxb, wcxb)


def test_the_model_of_the_package_loads() -> None:
    assert len(load_model().roots) == 120
