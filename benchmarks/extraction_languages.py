"""Extraction where stop words and blanks do not exist: the same manuals in many languages, ``python benchmarks/extraction_languages.py``.

Debian's packages debian-handbook, apache2-doc and installation-guide-amd64 hold the same pages in some thirty languages; they are fetched
by apt-get, or taken from ``--manuals FOLDER``, into which they were unpacked (``dpkg -x``). What the main text is, their structure says: in
the handbook the element with the page's language between two navigation lists, in Apache's manual ``page-content`` without its boxes of
links, in the installation guide all between the lines of navigation above and below.
None of these pages was trained on. F1 counts words, and characters of the scripts that have no blanks.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lxml.html import HtmlElement, document_fromstring

from benchmarks import table
from benchmarks.table import Row, higher_is_better
from curation.extraction.extractor import HtmlPage, PageRefused, load_extractor

PACKAGES = ("debian-handbook", "apache2-doc", "installation-guide-amd64")
OURS, PEERS = "blocks", ("trafilatura", "resiliparse")
UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u3190-\ua4cf\uf900-\ufaff\uff66-\uff9f"
TOKEN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
MIN_GOLD_CHARACTERS = 500  # shorter pages are lists of links to others
GOAL = 1.0  # no worse than the better peer, in every language


def main() -> None:
    """Fetch the manuals, extract, print the table."""
    options = table.parser(__doc__)
    options.add_argument("--manuals", type=Path, help="folder into which the packages were unpacked (default: fetched by apt-get)")
    options.add_argument("--pages", type=int, default=12, help="pages of each manual and language (default: 12)")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.manuals or fetch(Path(scratch))
        scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for language, html, gold in manual_pages(folder, arguments.pages):
            for name in (OURS, *PEERS):
                scores[language][name].append(f1(gold, extracted(name, html)))
    table.report(rows_of(scores), arguments.json)


def fetch(folder: Path) -> Path:
    """Download and unpack the packages; nothing is installed."""
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return folder / "unpacked"


def manual_pages(folder: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """(language, HTML, main text) of ``count`` pages of each manual in each language, evenly over the manual."""
    manuals = {"debian-handbook/html": handbook_text, "apache2-doc/manual": apache_text, "installation-guide-amd64": guide_text}
    for root, gold_of in manuals.items():
        for language in sorted(path for path in (folder / "usr/share/doc" / root).iterdir() if path.is_dir()):
            found = []
            for path in sorted(language.glob("*.html")):
                html = path.read_text("utf-8", "replace")
                gold = gold_of(document_fromstring(html.encode()), language.name)
                if len(gold) >= MIN_GOLD_CHARACTERS:
                    found.append((language.name[:2], html, gold))
            yield from found[:: max(1, len(found) // count)][:count]


def handbook_text(page: HtmlElement, language: str) -> str:
    main = page.xpath("//body/div[@lang]")
    return text_of(main[0]) if main else ""


def apache_text(page: HtmlElement, language: str) -> str:
    """ "" for pages that were not translated, which the manual fills with the English ones."""
    if not (page.get("lang") or "").lower().startswith(language[:2]):
        return ""
    main = page.xpath("//div[@id='page-content']")
    for box in page.xpath("//div[@id='quickview'] | //div[@class='top'] | //div[@id='comments_section'] | //div[@class='toplang']"):
        box.drop_tree()
    return text_of(main[0]) if main else ""


def guide_text(page: HtmlElement, language: str) -> str:
    for line in page.xpath("//div[@class='navheader' or @class='navfooter']"):
        line.drop_tree()
    return text_of(page.body)


def text_of(element: HtmlElement) -> str:
    return "\n".join(element.itertext())


def extracted(name: str, html: str) -> str:
    try:
        return load_extractor(name).extract(HtmlPage(html)).text
    except PageRefused:
        return ""


def f1(gold: str, text: str) -> float:
    """F1 of the multisets of words and, in scripts without blanks, characters."""
    wanted, found = (Counter(TOKEN.findall(part.lower())) for part in (gold, text))
    return 2 * (wanted & found).total() / max(1, wanted.total() + found.total())


def rows_of(scores: dict[str, dict[str, list[float]]]) -> list[Row]:
    """Ours beside the better peer in each language, and over all pages."""
    everything = {name: [score for language in scores.values() for score in language[name]] for name in (OURS, *PEERS)}
    rows = []
    for language, found in [*sorted(scores.items()), ("all", everything)]:
        means = {name: sum(values) / len(values) for name, values in found.items()}
        peer = max(PEERS, key=lambda name: means[name])
        rows.append(higher_is_better(f"{language}: F1, {len(found[OURS])} pages", "of 1", means[OURS], peer, means[peer], GOAL))
    return rows


if __name__ == "__main__":
    main()
